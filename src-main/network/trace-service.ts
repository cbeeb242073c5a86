import type { ReachabilityDoc } from '../../core/contract/desktop/network.ts'
import type { TraceRequest, TraceMode, TraceResult } from '../../core/model/trace.ts'
import { parseEntity, type EntityKind } from '../../core/model/entity.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { buildWorld } from '../../core/net/trace/build-world.ts'
import { reachabilityChanges, reachabilityOf, type Probe } from '../../core/net/trace/reachability.ts'
import { traceSimulated } from '../../core/net/trace/simulate.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { Context } from '../contexts/contexts.ts'
import type { Live } from '../desktop/live.ts'
import type { Views } from '../desktop/views.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { mergeReports } from '../inventory/merge.ts'
import type { NetworkService } from './network-service.ts'

export interface TraceServices {
  inventory: Inventory
  live: Live
  network: NetworkService
  views: Views
}

/** How long agents may take to say how things are now before a trace. */
const refreshMs = 1000

/** Pairs that a plan's difference names; it counts all. */
const maxNamedPairs = 1000

/** Packet traces from what this laptop knows, and live ones on the hosts. */
export class TraceService {
  readonly #services: TraceServices

  constructor(services: TraceServices) {
    this.#services = services
  }

  async trace(context: Context, input: TraceRequest & { mode: TraceMode; declaration?: string | undefined }): Promise<TraceResult> {
    const { mode: _mode, declaration, ...request } = input
    await this.#services.live.refresh(context, refreshMs)
    return traceSimulated(await this.world(context, declaration), request)
  }

  async reachability(
    context: Context,
    { vpc, declaration, ...probe }: Probe & { vpc: string; declaration?: string | undefined },
  ): Promise<ReachabilityDoc> {
    await this.#services.live.refresh(context, refreshMs)
    const now = reachabilityOf(await this.world(context), vpc, probe)
    if (declaration === undefined) return { ...now, plan: null }
    const then = reachabilityOf(await this.world(context, declaration), vpc, probe)
    return { ...now, plan: reachabilityChanges(now, then, maxNamedPairs) }
  }

  /** What is known, with the plan of a declaration on top of it where there is one. */
  async world(context: Context, declaration?: string): Promise<World> {
    const { inventory, live, network, views } = this.#services
    const sources = await live.sources(context.name)
    const kinds: EntityKind[] = ['cluster', 'host', 'nic', 'neighbour', 'forwarding']
    const reports = mergeReports(await inventory.reports(context.name, { only: kinds }), sources, Date.now())
    const entities = reports.flatMap((report) => parseEntity(report) ?? [])
    const hostStates = new Map((await views.known(context)).hosts.map(({ name, state }) => [name, state]))
    const known = await network.remembered(context)
    const planned =
      declaration === undefined
        ? known.network
        : planNetwork(known.network, parseDeclaration(declaration), { hosts: [...hostStates.keys()], prune: false }).next
    return buildWorld({ network: planned, entities, hostStates })
  }
}
