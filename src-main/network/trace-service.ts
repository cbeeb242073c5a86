import type { ReachabilityDoc } from '../../core/contract/desktop/network.ts'
import type { TraceRequest, TraceMode, TraceResult } from '../../core/model/trace.ts'
import { parseEntity, type EntityKind } from '../../core/model/entity.ts'
import { HoldfastError } from '../../core/errors.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { FlowOwner } from '../../core/net/compile/cookie.ts'
import { buildWorld } from '../../core/net/trace/build-world.ts'
import { agree, blameParting, partingOf } from '../../core/net/trace/parting.ts'
import { reachabilityChanges, reachabilityOf, type Probe } from '../../core/net/trace/reachability.ts'
import { traceSimulated } from '../../core/net/trace/simulate.ts'
import type { World } from '../../core/net/trace/world.ts'
import { isRecording, type Context } from '../contexts/contexts.ts'
import type { Clusters } from '../deploy/clusters.ts'
import type { Live } from '../desktop/live.ts'
import type { Views } from '../desktop/views.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { mergeReports } from '../inventory/merge.ts'
import { withHostAgents } from './host-agents.ts'
import { traceLive } from './live-trace.ts'
import type { NetworkService } from './network-service.ts'

export interface TraceServices {
  inventory: Inventory
  live: Live
  clusters: Clusters
  network: NetworkService
  views: Views
}

/** How long agents may take to say how things are now before a trace. */
const refreshMs = 1000

/** Pairs that a plan's difference names; it counts all. */
const maxNamedPairs = 1000

/** A declaration that is not applied yet. */
interface Planned {
  declaration?: string | undefined
  prune: boolean
}

/** Packet traces from what this laptop knows, and live ones on the hosts. */
export class TraceService {
  readonly #services: TraceServices
  /** The last world of each context as it is, without a plan. */
  readonly #worlds = new Map<string, World>()

  constructor(services: TraceServices) {
    this.#services = services
  }

  /** Of a plan that is not applied, of a recording, and where no agent answers, a trace can only be simulated. */
  async trace(context: Context, input: TraceRequest & { mode: TraceMode } & Planned): Promise<TraceResult> {
    const { mode, declaration, prune, ...request } = input
    const onlySimulated = declaration !== undefined || isRecording(context)
    if (mode === 'live' && onlySimulated) {
      const why = declaration === undefined ? 'a recording has no hosts' : 'a plan is not in place yet'
      throw new HoldfastError('bad-input', `It can only be simulated: ${why}`, 'Trace with mode simulated.')
    }
    await this.#services.live.refresh(context, refreshMs)
    const world = await this.world(context, { declaration, prune })
    const simulated = traceSimulated(world, request)
    if (mode === 'simulated' || onlySimulated) return simulated
    const isDown = (host: string): boolean => world.hosts.get(host)?.state === 'down'
    const seen = await withHostAgents(this.#services, context, { isDown }, (agentOf) => traceLive(world, request, agentOf))
    // Flow against flow, for the very frame: where the sender got no answer to its question for a MAC, that is the question.
    const expected = seen.sent === undefined ? simulated : traceSimulated(world, { ...request, frame: seen.sent })
    const parted = agree(simulated, seen) ? null : partingOf(expected, seen, (cookie) => nameOf(world.owners.find(cookie)?.owner))
    const live = blameParting(seen, parted)
    if (mode === 'live') return live
    return { ...live, mode: 'both', simulated, live, parted }
  }

  async reachability(context: Context, { vpc, declaration, prune, ...probe }: Probe & { vpc: string } & Planned): Promise<ReachabilityDoc> {
    await this.#services.live.refresh(context, refreshMs)
    const now = reachabilityOf(await this.world(context), vpc, probe)
    if (declaration === undefined) return { ...now, plan: null }
    const then = reachabilityOf(await this.world(context, { declaration, prune }), vpc, probe)
    return { ...now, plan: reachabilityChanges(now, then, maxNamedPairs) }
  }

  /** What is known, with the plan of a declaration on top of it where there is one. */
  async world(context: Context, { declaration, prune }: Planned = { prune: false }): Promise<World> {
    const { inventory, live, network, views } = this.#services
    const sources = await live.sources(context.name)
    const kinds: EntityKind[] = ['cluster', 'host', 'nic', 'neighbour', 'forwarding', 'broadcastNode', 'vipState']
    const reports = mergeReports(await inventory.reports(context.name, { only: kinds }), sources, Date.now())
    const entities = reports.flatMap((report) => parseEntity(report) ?? [])
    const heard = (await views.known(context)).hosts
    const hostStates = new Map(heard.map(({ name, state }) => [name, state]))
    const known = await network.remembered(context)
    const planned =
      declaration === undefined
        ? known.network
        : planNetwork(known.network, parseDeclaration(declaration), { hosts: [...hostStates.keys()], prune }).next
    const previous = this.#worlds.get(context.name)
    const revision = declaration === undefined ? known.revision : null
    const world = buildWorld({ network: planned, entities, hostStates, heard, revision, previous })
    if (declaration === undefined) this.#worlds.set(context.name, world)
    return world
  }
}

/** As `OwnerOf` answers. */
function nameOf(owner: FlowOwner | undefined): string | null | undefined {
  return owner && (owner.kind === 'pipeline' ? null : `${owner.kind}/${owner.name}`)
}
