import type { BroadcastDoc, VipDoc } from '../../../core/contract/desktop/broadcast.ts'
import type { HostRole, TunnelEnd } from '../../../core/model/network.ts'
import { broadcastNodes } from '../../../core/net/broadcast/nodes.ts'
import { broadcastOf } from '../../../core/status/broadcast.ts'
import { Freshness } from '../../../core/status/freshness.ts'
import type { SummaryState } from '../../../core/status/summary.ts'
import { isContested, vipDocs } from '../../../core/status/vips.ts'
import {
  overlayReporter,
  placementOf,
  portPlacement,
  summarisePorts,
  viewOf,
  withoutAgent,
  type NetworkView,
  type Placement,
  type PortsSummary,
} from '../network/view.ts'
import { app } from './app.svelte.ts'
import type { FeedDocs } from './inventory.svelte.ts'
import type { Ref } from './place.ts'

/** The virtual network as the feed has it, and how far each host is with it. */
class Virtual {
  #reporter = $derived.by(() => {
    const seen = new Map(app.inventory.sources.map(({ host, seenAtMs }) => [host, seenAtMs ?? 0]))
    return overlayReporter(app.inventory.all('overlay'), (reporter) => seen.get(reporter) ?? 0)
  })

  #overlay = $derived(app.inventory.all('overlay').find(({ reporter }) => reporter === this.#reporter)?.doc)

  view: NetworkView = $derived(
    viewOf({
      revision: this.#overlay?.revision ?? null,
      vpcs: this.#of('vpc'),
      networks: this.#of('network'),
      routers: this.#of('router'),
      peerings: this.#of('peering'),
      acls: this.#of('acl'),
      ports: this.#of('port'),
      hosts: this.#of('networkHost'),
      vips: this.#of('vip'),
    }),
  )

  /** Whether anything was ever declared. */
  empty = $derived(this.view.vpcs.length === 0 && this.view.networks.length === 0)

  #placements: ReadonlyMap<string, Placement> = $derived.by(() => {
    const freshness = new Freshness(app.inventory.sources, app.nowMs)
    return new Map(
      app.status.hosts.map(({ name, state }) => [
        name,
        placementOf({
          hostState: state,
          fresh: freshness.isFresh(name, 'network'),
          forwarding: app.inventory.get('forwarding', name)?.doc,
          revision: this.view.revision,
        }),
      ]),
    )
  })

  /** What became of each VIP, by name. */
  vips: ReadonlyMap<string, VipDoc> = $derived(new Map(vipDocs(this.view.vips, this.#of('vipState')).map((doc) => [doc.name, doc])))

  /** Where the tunnels of hosts with an agent end. */
  #ends: ReadonlyMap<string, TunnelEnd> = $derived(
    new Map(app.inventory.all('forwarding').map(({ doc }) => [doc.host, { ip: doc.tunnelEnd.ip, mac: doc.tunnelEnd.mac }])),
  )
  // Hosts report anew each second: who is a node is seldom another.
  #nodesKey = $derived(
    broadcastNodes(this.view, this.#ends)
      .map(({ host }) => host)
      .join(),
  )
  #nodes = $derived(new Set(this.#nodesKey.split(',')))

  /** The broadcast cluster, by what is known now. */
  broadcast: BroadcastDoc = $derived.by(() => {
    const freshness = new Freshness(app.inventory.sources, app.nowMs)
    const down = new Set(app.status.hosts.filter(({ state }) => state === 'down').map(({ name }) => name))
    return broadcastOf({
      networks: this.view.networks,
      ports: this.view.ports,
      hosts: this.view.hosts,
      ends: this.#ends,
      reports: app.inventory.all('broadcastNode').map(({ doc }) => doc),
      watchers: app.inventory.all('broadcastHost').map(({ doc }) => doc),
      epoch: this.#overlay?.last.broadcastEpoch ?? null,
      liveOf: (host) => (down.has(host) ? 'down' : freshness.isFresh(host, 'network') ? 'up' : 'unknown'),
    })
  })

  /** What a host does beside having ports. Without a declared node the first hosts are. */
  rolesOf(host: string): HostRole[] {
    const roles = this.view.host.get(host)?.roles ?? []
    return this.#nodes.has(host) && !roles.includes('broadcast') ? ['broadcast', ...roles] : roles
  }

  /** Whether a host takes part by its end of a tunnel alone. */
  hasNoAgent(host: string): boolean {
    return this.view.host.get(host)?.tunnelEnd !== undefined
  }

  /** Where a host is at home in the window. */
  hostRef(host: string): Ref {
    return { kind: this.hasNoAgent(host) ? 'networkHost' : 'host', id: host }
  }

  /** How the port fares that has a VIP. */
  vipState({ owner }: Pick<VipDoc, 'owner'>): SummaryState {
    const port = owner && this.view.port.get(owner.port)
    return port ? this.port(port).state : 'unknown'
  }

  /** How a VIP fares: what two fight for, or what moves too often, is degraded. */
  vipSummary(name: string): SummaryState {
    const vip = this.vips.get(name)
    if (!vip?.owner) return 'unknown'
    return vip.damped || isContested(vip) ? 'degraded' : this.vipState(vip)
  }

  /** How far a host is with the virtual network. */
  placement(host: string): Placement {
    if (this.hasNoAgent(host)) return withoutAgent
    return this.#placements.get(host) ?? { state: 'unknown', why: 'host-unknown' }
  }

  /** How a port fares. */
  port({ name, host }: { name: string; host: string }): Placement {
    return portPlacement(this.placement(host), name, app.inventory.get('forwarding', host)?.doc)
  }

  summary(ports: readonly { name: string; host: string }[]): PortsSummary {
    // What nobody can tell says nothing of the others.
    const told = ports.filter(({ host }) => !this.hasNoAgent(host))
    return summarisePorts((told.length > 0 ? told : ports).map((port) => this.port(port).state))
  }

  #of<K extends 'vpc' | 'network' | 'router' | 'peering' | 'acl' | 'port' | 'networkHost' | 'vip' | 'vipState'>(kind: K): FeedDocs[K][] {
    return app.inventory.all(kind).flatMap((item) => (item.reporter === this.#reporter ? [item.doc] : []))
  }
}

export const virtual = new Virtual()
