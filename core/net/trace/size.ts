import type { TraceDrop, TraceResult } from '../../model/trace.ts'
import type { World } from './world.ts'

/**
 * What stops a packet that is lost between two NICs, when a small one gets across: something in between takes less than both NICs. Null
 * where that is not so. `bytes`: length of the larger one's frame.
 */
export function lostForSize(world: World, large: TraceResult, small: TraceResult, bytes: number): TraceDrop | null {
  const last = large.hops.findLast((hop) => hop.evidence === 'seen')
  const next = large.hops.find((hop) => last && hop.n > last.n && hop.kind === 'physical' && world.hosts.has(hop.host))
  if (large.verdict !== 'unknown' || last?.kind !== 'physical' || !next || next.host === last.host) return null
  const passed = small.hops.find((hop) => hop.leg === next.leg && hop.host === next.host && hop.device === next.device)
  if (passed?.evidence !== 'seen') return null
  const [a, b] = [world.hosts.get(last.host)?.cable?.switch, world.hosts.get(next.host)?.cable?.switch]
  const hint = `It is lost between ${last.device} of ${last.host} and ${next.device} of ${next.host} at ${bytes} bytes, and a small one passes: a switch or a link in between has a smaller MTU.`
  return {
    host: a ?? last.host,
    device: a ?? last.device,
    reason: 'mtu',
    object: a && b && a !== b ? `link/${[a, b].sort().join('--')}` : null,
    hint,
  }
}
