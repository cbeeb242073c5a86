import type { DropReason } from '../../model/trace.ts'
import type { FlowOwners } from './cookie.ts'
import { drop } from './emit.ts'

/** What a switch has dropped, or refused with an ICMP error, for one reason and object since their flows were put in place. */
export type DropCount = {
  reason: DropReason
  /** As `kind/name`; null: none of the virtual network's. */
  object: string | null
  packets: number
  bytes: number
}

/**
 * Counts by reason and object, from a switch's flows with their counters: the most first, and nothing that has dropped nothing.
 * Packets larger than an MTU are not among them: `check_pkt_larger` has OVS count every packet at the flows for both its answers.
 */
export function dropCounts(flows: Iterable<{ cookie: string; actions: string; packets: number; bytes: number }>, owners: FlowOwners): DropCount[] {
  const counts = new Map<string, DropCount>()
  for (const { cookie, actions, packets, bytes } of flows) {
    const found = owners.find(cookie)
    const drops = actions === drop || (found !== null && found.reason !== 'none')
    if (!drops || packets === 0 || found?.reason === 'mtu') continue
    // A flow of nobody's was put there by somebody else, instead of ours.
    const reason = found === null ? 'flow-altered' : found.reason === 'none' ? 'unknown-destination' : found.reason
    const object = found === null || found.owner.kind === 'pipeline' ? null : `${found.owner.kind}/${found.owner.name}`
    const count = counts.get(`${reason} ${object}`) ?? { reason, object, packets: 0, bytes: 0 }
    counts.set(`${reason} ${object}`, { ...count, packets: count.packets + packets, bytes: count.bytes + bytes })
  }
  return [...counts.values()].sort((a, b) => b.packets - a.packets || (`${a.reason} ${a.object}` < `${b.reason} ${b.object}` ? -1 : 1))
}
