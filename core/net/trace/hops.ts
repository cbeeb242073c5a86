import type { TraceHop } from '../../model/trace.ts'
import { stageOf } from '../compile/tables.ts'
import type { FlowOwners, FlowReason } from '../compile/cookie.ts'
import type { Flow } from '../openflow/flow.ts'
import type { Step } from '../openflow/step.ts'

/** A hop as its author knows it; its number comes with its place in the list. */
export type HopDraft = Pick<TraceHop, 'kind' | 'host' | 'device' | 'action' | 'detail'> & Partial<TraceHop>

/** Hops of one trace in the order in which the packet passes them. */
export class HopList {
  readonly hops: TraceHop[] = []
  leg: TraceHop['leg'] = 'forward'

  add(draft: HopDraft): TraceHop {
    const base = { n: this.hops.length + 1, leg: this.leg, evidence: 'computed' as const, in: null, out: null, objects: [], cookies: [] }
    const hop: TraceHop = { ...base, ...draft }
    this.hops.push(hop)
    return hop
  }

  /** Adds hops of another list behind these, on this one's leg. */
  append({ hops }: HopList): void {
    for (const hop of hops) this.hops.push(Object.assign(hop, { n: this.hops.length + 1, leg: this.leg }))
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
