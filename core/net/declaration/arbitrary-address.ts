import { formatIp, parseCidr, parseIp } from '../address.ts'

/** The address at a place in a subnet, or the next that is free; null where none is. Ends of a subnet are left out. `taken`: of the same family. */
export function freeAddress(subnet: string, place: number, taken: readonly (string | undefined)[]): string | null {
  const { family, first, last } = parseCidr(subnet)!
  const used = new Set(taken.map((text) => text && parseIp(text)!.value))
  const count = last - first - 1n
  for (let step = 0n; step < count && step <= BigInt(taken.length); step++) {
    const value = first + 1n + ((BigInt(place) + step) % count)
    if (!used.has(value)) return formatIp({ family, value })
  }
  return null
}
