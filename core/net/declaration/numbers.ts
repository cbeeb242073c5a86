import { watchVni } from '../broadcast/nodes.ts'
import { hash32 } from '../hash.ts'

/** Numbers to assign from, both ends included. */
export interface NumberRange {
  min: number
  max: number
}

/** Largest VNI of a network: the one above is not for networks. */
export const maxVni = watchVni - 1

/** Assigned VNIs keep clear of the small ones, which administrators like to write by hand. */
export const vniRange: NumberRange = { min: 4096, max: maxVni }
export const routerNumberRange: NumberRange = { min: 1, max: 0xffff }
export const portNumberRange: NumberRange = { min: 256, max: 65_000 }

/**
 * The next `count` free numbers after the last that was given, from the start again behind the end, so that a number is not used again before
 * all others were. The range must have that many that are not `used`.
 */
export function nextNumbers(count: number, { min, max }: NumberRange, last: number, used: ReadonlySet<number>): number[] {
  const given: number[] = []
  for (let number = last; given.length < count;) {
    number = number < min || number >= max ? min : number + 1
    if (!used.has(number)) given.push(number)
  }
  return given
}

/** First bytes of assigned MACs: locally administered, unicast (IEEE 802), and different for each kind so that these never collide. */
export const macPrefixes = { port: '0e:00', router: '0a:ff' } as const

/** The MAC of a port or router, from its name alone, so that it is the same wherever it is computed; a further try for each that is used. */
export function macOf(kind: keyof typeof macPrefixes, name: string, used: ReadonlySet<string>): string {
  for (let attempt = 0; ; attempt++) {
    const digits = hash32(attempt === 0 ? name : `${name}\n${attempt}`)
      .toString(16)
      .padStart(8, '0')
    const mac = `${macPrefixes[kind]}:${digits.match(/../g)!.join(':')}`
    if (!used.has(mac)) return mac
  }
}
