import type { Failover } from '../../core/contract/agent/network.ts'
import type { HostDrops, NetworkApplied, NetworkPlanDoc } from '../../core/contract/desktop/network.ts'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { parseEntity, type EntityKind } from '../../core/model/entity.ts'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../core/model/network.ts'
import { exportDeclaration } from '../../core/net/declaration/export.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { isRecording, type Context } from '../contexts/contexts.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Clusters } from '../deploy/clusters.ts'
import { apiPort } from '../deploy/places.ts'
import type { Live } from '../desktop/live.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { mergeReports } from '../inventory/merge.ts'
import { withHostAgents } from './host-agents.ts'

/** The agents are asked again how far hosts are after at most this long. */
const placementWaitMs = 5000

export interface NetworkServices {
  inventory: Inventory
  live: Live
  clusters: Clusters
  audit: AuditLog
}

/** A virtual network, when and from where it was taken. */
export interface KnownNetwork {
  revision: number
  /** Nobody answered: it is what this laptop saw last. */
  offline: boolean
  network: VirtualNetwork
}

/** The virtual network as people work with it: seen, planned, applied. Tracing is in trace-service.ts. */
export class NetworkService {
  readonly #services: NetworkServices

  constructor(services: NetworkServices) {
    this.#services = services
  }

  /** From an agent that answers, else from the inventory. Errors: those of agents that answer. */
  async get(context: Context): Promise<KnownNetwork> {
    if (!isRecording(context)) {
      try {
        const { revision, network } = await this.#services.clusters.ask(context.name, null, (agent) => agent.network.get())
        return { revision, offline: false, network }
      } catch (thrown) {
        if (!(thrown instanceof HoldfastError) || !['offline', 'host-unreachable', 'timeout', 'quorum-lost'].includes(thrown.code)) throw thrown
      }
    }
    return await this.remembered(context)
  }

  /** What the inventory has of it. */
  async remembered(context: Context): Promise<KnownNetwork> {
    const { inventory, live } = this.#services
    const kinds: EntityKind[] = ['cluster', 'overlay', 'vpc', 'network', 'router', 'peering', 'acl', 'port', 'networkHost', 'vip']
    const reports = mergeReports(await inventory.reports(context.name, { only: kinds }), await live.sources(context.name), Date.now())
    const entities = reports.flatMap((report) => parseEntity(report) ?? [])
    const of = <K extends EntityKind>(kind: K) =>
      entities
        .flatMap((entity) => (entity.kind === kind ? [entity.doc as never] : []))
        .sort((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1))
    const overlay = entities.find((entity) => entity.kind === 'overlay')?.doc
    return {
      revision: overlay?.revision ?? 0,
      offline: true,
      network: {
        ...{ vpcs: of('vpc'), networks: of('network'), routers: of('router'), peerings: of('peering'), acls: of('acl'), ports: of('port') },
        ...{ hosts: of('networkHost'), vips: of('vip') },
        last: overlay?.last ?? emptyVirtualNetwork.last,
      },
    }
  }

  async export(context: Context): Promise<string> {
    return exportDeclaration((await this.get(context)).network)
  }

  async plan(context: Context, text: string, prune: boolean): Promise<NetworkPlanDoc> {
    const declaration = parseDeclaration(text)
    const { revision, offline, network } = await this.get(context)
    const { changes } = planNetwork(network, declaration, { hosts: await this.#hosts(context), prune })
    return { revision, offline, changes }
  }

  /** Writes it to the store, and waits for the hosts. Hosts that are not there in time are in the answer with what they have. */
  async apply(
    context: Context,
    input: { declaration: string; prune: boolean; revision?: number | undefined; waitMs: number },
  ): Promise<NetworkApplied> {
    // A document that cannot be is refused here, also where no agent answers.
    parseDeclaration(input.declaration)
    const { audit, clusters } = this.#services
    const { declaration, prune, revision: planned } = input
    return await audit.around('network-apply', [`cluster/${context.name}`], { prune, bytes: declaration.length }, async () =>
      clusters.ask(context.name, null, async (agent) => {
        const { revision, changes } = await agent.network.apply({ declaration, prune, ...(planned !== undefined && { revision: planned }) })
        const endMs = performance.now() + input.waitMs
        for (;;) {
          const waitMs = Math.max(0, Math.min(placementWaitMs, Math.round(endMs - performance.now())))
          const { hosts } = await agent.network.placement({ revision, waitMs })
          if (waitMs === 0 || hosts.every((host) => host.revision !== null && host.revision >= revision)) return { revision, changes, hosts }
        }
      }),
    )
  }

  async failover(context: Context, host: string): Promise<Failover> {
    const { audit, clusters, inventory } = this.#services
    const doc = (await inventory.reports(context.name, { only: ['host'] })).find(({ id }) => id === host)?.doc
    const mgmt = (doc?.addresses as { mgmt?: string } | undefined)?.mgmt
    if (mgmt === undefined) throw new HoldfastError('not-found', `There is no host ${host}`, 'See: holdfast status.', { host })
    return await audit.around('network-failover', [`host/${host}`], {}, () =>
      clusters.ask(context.name, [`${mgmt}:${apiPort}`], (agent) => agent.network.failover()),
    )
  }

  async drops(context: Context, host: string | undefined): Promise<HostDrops[]> {
    const hosts = host === undefined ? await this.#hosts(context) : [host]
    return await withHostAgents(this.#services, context, { hosts }, (agentOf) =>
      Promise.all(
        hosts.map(async (name): Promise<HostDrops> => {
          try {
            const agent = agentOf(name)
            if (agent instanceof HoldfastError) throw agent
            return { host: name, failure: null, drops: await agent.network.drops() }
          } catch (thrown) {
            return { host: name, failure: asHoldfastError(thrown).message, drops: null }
          }
        }),
      ),
    )
  }

  async #hosts(context: Context): Promise<string[]> {
    const { inventory, live } = this.#services
    const reports = await inventory.reports(context.name, { only: ['cluster', 'host'] })
    return mergeReports(reports, await live.sources(context.name), Date.now()).flatMap(({ kind, id }) => (kind === 'host' ? [id] : []))
  }
}
