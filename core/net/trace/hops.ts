import type { TraceCopy, TraceHop } from '../../model/trace.ts'
import { stageOf } from '../compile/tables.ts'
import type { FlowOwners, FlowReason } from '../compile/cookie.ts'
import type { Flow } from '../openflow/flow.ts'
import type { Step } from '../openflow/step.ts'
import { copiesOf } from './copies.ts'
import type { Way } from './passage.ts'

/** A hop as its author knows it; its number comes with its place in the list. */
export type HopDraft = Pick<TraceHop, 'kind' | 'host' | 'device' | 'action' | 'detail'> & Partial<TraceHop>

/** Hops of one trace in the order in which the packet passes them. */
export class HopList {
  readonly hops: TraceHop[] = []
  /** Of a packet to many that was last added on the way there. */
  copies: TraceCopy[] | null = null
  leg: TraceHop['leg'] = 'forward'

  add(draft: HopDraft): TraceHop {
    const base = { leg: this.leg, evidence: 'computed' as const, in: null, out: null, objects: [], cookies: [] }
    const hop: TraceHop = { ...base, ...draft, n: this.hops.length + 1 }
    this.hops.push(hop)
    return hop
  }

  /** Adds the hops of another list, which it takes over, behind these, on this one's leg. A question to many on the way back is no packet to many. */
  append({ hops, copies }: Pick<HopList, 'hops' | 'copies'>): void {
    const before = this.hops.length
    for (const hop of hops) this.hops.push(this.#numbered(hop, this.hops.length + 1))
    const moved = (copy: TraceCopy): TraceCopy => ({
      ...copy,
      after: before + copy.after,
      hops: copy.hops.map((hop) => ({ ...hop, n: before + hop.n })),
    })
    if (copies && this.leg === 'forward') this.copies = copies.map(moved)
  }

  /** Adds the first of the ways that copies of a packet take, and takes note of them all if it goes to many. */
  addWays(ways: readonly [Way, ...Way[]], toMany: boolean): void {
    this.append({ hops: ways[0].hops, copies: null })
    if (ways.length > 1 || (toMany && ways[0].ending.type !== 'answered')) this.copies = copiesOf(ways, (hop, n) => this.#numbered(hop, n))
  }

  #numbered(hop: TraceHop, n: number): TraceHop {
    return Object.assign(hop, { n, leg: this.leg })
  }
}

/** What the flows of one run through a host's pipeline did, in words, and the objects, cookies and flows behind them. */
export function explainSteps(steps: readonly Step[], owners: FlowOwners): Pick<TraceHop, 'detail' | 'objects' | 'cookies' | 'flows'> {
  const words: string[] = []
  const objects = new Set<string>()
  const cookies: string[] = []
  const flows: Flow[] = []
  for (const { table, flow } of steps) {
    if (!flow) continue
    cookies.push(flow.cookie)
    flows.push(flow)
    const found = owners.find(flow.cookie)
    if (!found || found.owner.kind === 'pipeline') continue
    const { kind, name } = found.owner
    objects.add(`${kind}/${name}`)
    const stage = stageOf(table)
    if (stage === 'gateway' && kind === 'router') words.push(`router ${name}`)
    else if (stage === 'routing' && kind === 'network') words.push(`routed into ${name}`)
    else if (stage === 'routing' && kind === 'peering') words.push(`through peering ${name}`)
    else if (stage === 'routing' && kind === 'router') words.push(routerWords(found.reason, flow.actions))
    else if (stage === 'nextHop' && kind === 'port') words.push(`next hop ${name}`)
    else if ((stage === 'aclIn' || stage === 'aclOut') && kind === 'acl')
      words.push(`${found.reason === 'acl' ? 'dropped' : 'let through'} by ACL ${name}`)
    else if (stage === 'arpAnswer') words.push(`answered for ${name}`)
  }
  return { detail: words.join(', '), objects: [...objects], cookies, flows }
}

function routerWords(reason: FlowReason, actions: string): string {
  if (reason === 'no-route') return 'no route'
  if (reason !== 'none') return 'refused by the gateway itself'
  return actions.endsWith('in_port') ? 'answered by the gateway itself' : 'by a static route'
}
