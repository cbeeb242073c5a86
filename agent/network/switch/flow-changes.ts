import { flowLine, inOrder, parseFlowLine, type Flow } from '../../../core/net/openflow/flow.ts'

/** What tells a flow from others in a switch: no two have the same table, priority and match. */
export function flowKey({ table, priority, match }: Flow): string {
  return `${table} ${priority} ${match}`
}

export interface FlowChanges {
  removed: Flow[]
  /** New ones, and those whose actions or cookie are others now. */
  added: Flow[]
}

/** What must be done to flows `from` for them to be `to`. Flows that stay the same are in neither list. Fastest where both are in the order of `inOrder`. */
export function flowChanges(from: readonly Flow[], to: readonly Flow[]): FlowChanges {
  const [old, fresh] = unlike(from, to)
  const before = new Map(old.map((flow) => [flowKey(flow), flow]))
  const added = fresh.filter((flow) => {
    const key = flowKey(flow)
    const was = before.get(key)
    before.delete(key)
    return !was || !sameFlow(was, flow)
  })
  return { removed: [...before.values()], added }
}

/** Both lists without flows that are at the same place in both; in whatever order they are, no flow that differs is left out. */
function unlike(from: readonly Flow[], to: readonly Flow[]): [Flow[], Flow[]] {
  const removed: Flow[] = []
  const added: Flow[] = []
  let at = 0
  let there = 0
  while (at < from.length && there < to.length) {
    const old = from[at]!
    const fresh = to[there]!
    const order = old === fresh ? 0 : inOrder(old, fresh)
    if (order < 0 || (order === 0 && !sameFlow(old, fresh))) removed.push(old)
    if (order > 0 || (order === 0 && !sameFlow(old, fresh))) added.push(fresh)
    if (order <= 0) at++
    if (order >= 0) there++
  }
  return [removed.concat(from.slice(at)), added.concat(to.slice(there))]
}

function sameFlow(one: Flow, other: Flow): boolean {
  return one === other || (one.actions === other.actions && one.cookie === other.cookie)
}

/** The input of `ovs-ofctl --bundle add-flows`, ovs-ofctl(8), for these changes: deletions first. */
export function bundleText({ removed, added }: FlowChanges): string {
  const deletions = removed.map(({ table, priority, match }) => `delete_strict table=${table},priority=${priority}${match === '' ? '' : `,${match}`}`)
  return [...deletions, ...added.map((flow) => `add ${flowLine(flow)}`)].join('\n')
}

/** How the flows of a switch differ from what they should be, written as the switch writes them. */
export interface FlowDrift {
  missing: Flow[]
  /** The same match at the same place, with other actions or another cookie. */
  altered: { is: Flow; wanted: Flow }[]
  extra: Flow[]
}

/** Reads what `ovs-ofctl diff-flows SWITCH FILE` prints: `-` before a flow of the switch, `+` before one of the file. */
export function parseFlowDiff(output: string): FlowDrift {
  const lines = output.split('\n')
  const flowsAfter = (sign: string): Flow[] => lines.filter((line) => line.startsWith(sign)).map((line) => parseFlowLine(line.slice(1)))
  const extra = new Map(flowsAfter('-').map((flow) => [flowKey(flow), flow]))
  const drift: FlowDrift = { missing: [], altered: [], extra: [] }
  for (const wanted of flowsAfter('+')) {
    const is = extra.get(flowKey(wanted))
    extra.delete(flowKey(wanted))
    if (is) drift.altered.push({ is, wanted })
    else drift.missing.push(wanted)
  }
  drift.extra = [...extra.values()]
  return drift
}

/** How many flows differ. */
export function driftCount({ missing, altered, extra }: FlowDrift): number {
  return missing.length + altered.length + extra.length
}

/** A flow and what has matched it since it was put in place. */
export interface FlowStats extends Flow {
  packets: number
  bytes: number
}

/** Reads what `ovs-ofctl -O OpenFlow15 --no-names dump-flows` prints, with or without statistics. */
export function parseFlowDump(output: string): FlowStats[] {
  return output
    .split('\n')
    .filter((line) => line.includes('actions='))
    .map((line) => ({ ...parseFlowLine(line), packets: counter(line, 'n_packets'), bytes: counter(line, 'n_bytes') }))
}

function counter(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1] ?? 0)
}
