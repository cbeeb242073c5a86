import type { TraceMode } from '../../../core/model/trace.ts'
import type { Port, Vip } from '../../../core/model/network.ts'
import { parseIp } from '../../../core/net/address.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'
import type { TraceKey, TraceQuery } from '../state/place.ts'

/** Protocols that are asked for by name; any other by its number. */
export const protocols = ['icmp', 'tcp', 'udp', 'arp'] as const
export const modes = ['both', 'live', 'simulated'] as const satisfies readonly TraceMode[]

/** The form as it is filled in: text, as typed. What is blank is what the sender's own system would choose. */
export type TraceForm = Record<Exclude<TraceKey, 'mode'>, string> & { mode: TraceMode }

export const blankForm = (): TraceForm => ({
  ...{ from: '', to: '', proto: 'icmp', sport: '', dport: '', ttl: '', sizeBytes: '', sourceMac: '', sourceIp: '', deliver: '', mode: 'both' },
})

/** The form that an address of the window means. */
export function formOf(query: TraceQuery): TraceForm {
  const { mode, ...fields } = query
  return { ...blankForm(), ...fields, mode: modes.find((known) => known === mode) ?? 'both' }
}

/** The inverse of `formOf`, without what is blank or goes without saying. */
export function queryOf(form: TraceForm): TraceQuery {
  const fields = Object.entries(form).filter(
    ([key, value]) => value.trim() !== '' && (key !== 'mode' || value !== 'both') && (hasPorts(form.proto) || !isPortKey(key)),
  )
  return Object.fromEntries(fields.map(([key, value]) => [key, value.trim()]))
}

const isPortKey = (key: string): boolean => key === 'sport' || key === 'dport'

/** Whether packets of a protocol have ports. */
export const hasPorts = (proto: string): boolean => proto === 'tcp' || proto === 'udp'

/** What the desktop is asked. */
export interface TraceInput {
  from: string
  to: string
  proto: (typeof protocols)[number] | number
  sport?: number
  dport?: number
  ttl?: number
  sizeBytes?: number
  sourceMac?: string
  sourceIp?: string
  deliver?: boolean
  mode: TraceMode
}

/** Least and greatest value of each number in the form. */
const ranges = { sport: [0, 65_535], dport: [0, 65_535], ttl: [0, 255], sizeBytes: [20, 9000] } as const

/** What is wrong with the form, by field; nothing if it can be asked. Ports send; ports, VIPs and addresses are targets. */
export function problemsOf(
  form: TraceForm,
  ports: ReadonlyMap<string, Pick<Port, 'name'>>,
  m: Messages,
  vips: ReadonlyMap<string, Pick<Vip, 'name'>>,
): Partial<Record<TraceKey, string>> {
  const problems: Partial<Record<TraceKey, string>> = {}
  const [from, to] = [form.from.trim(), form.to.trim()]
  if (from === '') problems.from = m.trace.needed
  else if (!ports.has(from)) problems.from = m.trace.noPort(from)
  if (to === '') problems.to = m.trace.needed
  else if (!ports.has(to) && !vips.has(to) && parseIp(to) === null) problems.to = m.trace.noTarget(to)
  if (!protocols.some((known) => known === form.proto) && !isNumber(form.proto, 0, 255)) problems.proto = m.trace.between(0, 255)
  for (const [key, [least, most]] of Object.entries(ranges) as [keyof typeof ranges, readonly [number, number]][]) {
    if (isPortKey(key) && !hasPorts(form.proto)) continue
    if (form[key].trim() !== '' && !isNumber(form[key], least, most)) problems[key] = m.trace.between(least, most)
  }
  if (form.sourceMac.trim() !== '' && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(form.sourceMac.trim())) problems.sourceMac = m.trace.badMac
  if (form.sourceIp.trim() !== '' && parseIp(form.sourceIp.trim()) === null) problems.sourceIp = m.trace.badIp
  return problems
}

const isNumber = (text: string, least: number, most: number): boolean =>
  /^\d{1,5}$/.test(text.trim()) && Number(text) >= least && Number(text) <= most

/** The request that a form without problems stands for. */
export function inputOf(form: TraceForm): TraceInput {
  const query = queryOf(form)
  const proto = protocols.find((known) => known === form.proto) ?? Number(form.proto)
  const numbers = Object.fromEntries(
    Object.keys(ranges).flatMap((key) => (query[key as keyof typeof ranges] === undefined ? [] : [[key, Number(query[key as keyof typeof ranges])]])),
  )
  return {
    ...{ from: query.from ?? '', to: query.to ?? '', proto, mode: form.mode, ...numbers },
    ...(query.sourceMac !== undefined && { sourceMac: query.sourceMac.toLowerCase() }),
    ...(query.sourceIp !== undefined && { sourceIp: query.sourceIp }),
    ...(query.deliver !== undefined && { deliver: true }),
  }
}

/** Whether two addresses ask for the same. */
export const sameQuery = (a: TraceQuery | undefined, b: TraceQuery | undefined): boolean => JSON.stringify(normal(a)) === JSON.stringify(normal(b))
const normal = (query: TraceQuery | undefined): [string, string][] => Object.entries(queryOf(formOf(query ?? {}))).sort()
