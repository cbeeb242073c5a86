/** TEST DOUBLE of live traces: what was computed, as if taps had seen it, with the faults that flows alone do not show. */
import type { ReachabilityDoc } from '../../core/contract/desktop/network.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import type { Entity } from '../../core/model/entity.ts'
import type { TraceHop, TraceMode, TraceRequest, TraceResult } from '../../core/model/trace.ts'
import { buildWorld } from '../../core/net/trace/build-world.ts'
import { reachabilityChanges, reachabilityOf } from '../../core/net/trace/reachability.ts'
import { traceSimulated } from '../../core/net/trace/simulate.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { FixtureCluster } from './fixture-cluster.ts'

export interface TraceFaults {
  /** A host from whose switch somebody deleted a flow: live traces into it end there. */
  flowGone: string | null
  /** A host that no tap can be armed on: what happens there cannot be seen. */
  blind: string | null
  /** How long a live trace takes, in ms. */
  traceMs: number
}

export const noTraceFaults: TraceFaults = { flowGone: null, blind: null, traceMs: 350 }

export class FixtureTracer {
  readonly #cluster: FixtureCluster
  readonly #faults: TraceFaults

  constructor(cluster: FixtureCluster, faults: TraceFaults) {
    this.#cluster = cluster
    this.#faults = faults
  }

  async trace(network: VirtualNetwork, request: TraceRequest, mode: TraceMode): Promise<TraceResult> {
    if (!network.ports.some(({ name }) => name === request.from))
      throw new HoldfastError('not-found', `There is no port ${request.from}`, 'See: holdfast inventory list ports.', { port: request.from })
    const simulated = this.#simulated(network, request)
    if (mode === 'simulated') return simulated
    if (this.#cluster.faults.offline)
      throw new HoldfastError('offline', 'No agent of the cluster answers', 'Trace in simulation, or check the network of this laptop.')
    await new Promise((resolve) => setTimeout(resolve, this.#faults.traceMs))
    const live = this.#live(simulated)
    if (mode === 'live') return live
    const at = live.hops.findIndex((hop, i) => hop.action !== simulated.hops[i]?.action)
    const hop = live.hops[at]
    const parted =
      live.verdict === simulated.verdict || !hop
        ? null
        : {
            ...{ n: hop.n, leg: hop.leg, host: hop.host, device: hop.device, object: hop.objects[0] ?? null },
            message: `${hop.host} should forward it to ${simulated.hops[at]?.out ?? 'its port'}; the flow for that is missing`,
          }
    return { ...live, mode: 'both', simulated, live, parted }
  }

  /** `planned`: what the network would become, where the difference is asked for. */
  reachability(network: VirtualNetwork, vpc: string, probe: Pick<TraceRequest, 'proto' | 'dport'>, planned: VirtualNetwork | null): ReachabilityDoc {
    const now = reachabilityOf(this.#world(network), vpc, probe)
    return { ...now, plan: planned && reachabilityChanges(now, reachabilityOf(this.#world(planned), vpc, probe), 1000) }
  }

  #simulated(network: VirtualNetwork, request: TraceRequest): TraceResult {
    return traceSimulated(this.#world(network), request)
  }

  #world(network: VirtualNetwork): World {
    const entities = ['host', 'nic', 'neighbour', 'forwarding', 'broadcastNode', 'vipState'].flatMap((kind) =>
      this.#cluster.items(kind),
    ) as unknown as Entity[]
    return buildWorld({
      network,
      entities,
      hostStates: new Map(this.#cluster.hostNames().map((host) => [host, this.#cluster.isUp(host) ? 'up' : 'down'])),
    })
  }

  #live(simulated: TraceResult): TraceResult {
    const { flowGone, blind } = this.#faults
    const asSeen = (hop: TraceHop): TraceHop => ({ ...hop, evidence: hop.evidence === 'inferred' ? 'inferred' : 'seen' })
    const seen = simulated.hops.map(asSeen)
    const copies = simulated.copies?.map((copy) => ({ ...copy, hops: copy.hops.map(asSeen) }))
    const cut = seen.findIndex((hop) => hop.device === 'br-int' && (hop.host === flowGone || hop.host === blind))
    if (cut < 0) return { ...simulated, mode: 'live', hops: seen, ...(copies && { copies }), rttMs: simulated.verdict === 'delivered' ? 0.41 : null }
    const last = seen[cut]!
    if (last.host === blind) {
      const before = seen[cut - 1]!
      const limit = `It was last seen on ${before.host} at ${before.device}. ${blind} could not be watched: its network module does not answer`
      return { verdict: 'unknown', mode: 'live', hops: seen.slice(0, cut), drop: null, limit, rttMs: null }
    }
    const gone: TraceHop = {
      ...last,
      out: null,
      action: 'dropped',
      detail: 'no flow matched in stage fdb',
      objects: [last.objects.at(-1) ?? 'pipeline'],
    }
    const hint = `${last.host} lacks a flow that it should have. Its agent puts that right by itself; if not, see its events.`
    return {
      ...{ verdict: 'dropped', mode: 'live', hops: [...seen.slice(0, cut), gone], limit: null, rttMs: null },
      drop: { host: last.host, device: 'br-int', reason: 'flow-missing', object: gone.objects[0] ?? null, hint },
    }
  }
}
