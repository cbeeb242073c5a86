import { HoldfastError } from '../../errors.ts'

/** One OpenFlow flow, in the words of ovs-ofctl(8) and OpenFlow 1.5. */
export interface Flow {
  /** 0 to 254. */
  table: number
  /** 0 to 65,535; the highest that matches wins. */
  priority: number
  /** `0x…`, lower case, without leading zeros. */
  cookie: string
  /** Fields as in ovs-fields(7), joined by commas; empty matches everything. */
  match: string
  /** As in ovs-actions(7), joined by commas; `drop` for none. */
  actions: string
}

/** Flows in the order in which a switch is told them: by table, falling priority and match. */
export function inOrder(a: Flow, b: Flow): number {
  return a.table - b.table || b.priority - a.priority || (a.match < b.match ? -1 : a.match > b.match ? 1 : 0)
}

/** What ovs-ofctl assumes, and dump-flows leaves out. */
const unsaid = { table: 0, priority: 0x8000, cookie: '0x0' }

/** What dump-flows tells of a flow beside what it matches and does. */
const statistics = new Set([
  'duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age', 'idle_timeout', 'hard_timeout', 'importance', 'send_flow_rem',
  'check_overlap', 'reset_counts', 'no_packet_counts', 'no_byte_counts',
]) // prettier-ignore

/** A line for `ovs-ofctl add-flows` and `replace-flows`. */
export function flowLine({ table, priority, cookie, match, actions }: Flow): string {
  return `table=${table},priority=${priority},cookie=${cookie},${match === '' ? '' : `${match},`}actions=${actions}`
}

/**
 * Reads a line as `flowLine` writes it or as `ovs-ofctl -O OpenFlow15 dump-flows --no-names` prints it. What a dump says of counters,
 * ages and time-outs is left out. Match and actions are taken as they are, not checked. Throws `bad-input` for a line without actions or
 * with a number out of range.
 */
export function parseFlowLine(line: string): Flow {
  const [, head, actions] = /^(.*?)(?:^|[\s,])actions?=(.*)$/.exec(line.trim()) ?? []
  if (head === undefined || actions === undefined) throw badLine(line, 'it has no actions=')
  const flow: Flow = { ...unsaid, match: '', actions: actions.replaceAll(/\s+/g, '') }
  const match: string[] = []
  for (const part of head.split(/[\s,]+/)) {
    const at = part.indexOf('=')
    const key = at < 0 ? part : part.slice(0, at)
    const value = part.slice(at + 1)
    if (key === 'table') flow.table = numberIn(line, key, value, 254)
    else if (key === 'priority') flow.priority = numberIn(line, key, value, 0xffff)
    else if (key === 'cookie') flow.cookie = cookieText(line, value)
    else if (part !== '' && !statistics.has(key)) match.push(part)
  }
  flow.match = match.join(',')
  return flow
}

function numberIn(line: string, key: string, text: string, max: number): number {
  const value = /^(\d+|0x[0-9a-fA-F]+)$/.test(text) ? Number(text) : NaN
  if (!(value <= max)) throw badLine(line, `${key} is not a number from 0 to ${max}`)
  return value
}

function cookieText(line: string, text: string): string {
  if (!/^(\d+|0x[0-9a-fA-F]{1,16})$/.test(text) || BigInt(text) >> 64n !== 0n) throw badLine(line, 'cookie is not a number of 64 bits')
  return `0x${BigInt(text).toString(16)}`
}

function badLine(line: string, why: string): HoldfastError {
  return new HoldfastError('bad-input', `Not a flow, because ${why}: ${line.slice(0, 300)}`, 'Write flows as ovs-ofctl(8) says.', { line })
}
