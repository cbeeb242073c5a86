import { Freshness } from '../../../core/status/freshness.ts'
import {
  overlayReporter,
  placementOf,
  portPlacement,
  summarisePorts,
  viewOf,
  type NetworkView,
  type Placement,
  type PortsSummary,
} from '../network/view.ts'
import { app } from './app.svelte.ts'
import type { FeedDocs } from './inventory.svelte.ts'

/** The virtual network as the feed has it, and how far each host is with it. */
class Virtual {
  #reporter = $derived.by(() => {
    const seen = new Map(app.inventory.sources.map(({ host, seenAtMs }) => [host, seenAtMs ?? 0]))
    return overlayReporter(app.inventory.all('overlay'), (reporter) => seen.get(reporter) ?? 0)
  })

  view: NetworkView = $derived(
    viewOf({
      revision: app.inventory.all('overlay').find(({ reporter }) => reporter === this.#reporter)?.doc.revision ?? null,
      vpcs: this.#of('vpc'),
      networks: this.#of('network'),
      routers: this.#of('router'),
      peerings: this.#of('peering'),
      acls: this.#of('acl'),
      ports: this.#of('port'),
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

  /** How far a host is with the virtual network. */
  placement(host: string): Placement {
    return this.#placements.get(host) ?? { state: 'unknown', why: 'host-unknown' }
  }

  /** How a port fares. */
  port({ name, host }: { name: string; host: string }): Placement {
    return portPlacement(this.placement(host), name, app.inventory.get('forwarding', host)?.doc)
  }

  summary(ports: readonly { name: string; host: string }[]): PortsSummary {
    return summarisePorts(ports.map((port) => this.port(port).state))
  }

  #of<K extends 'vpc' | 'network' | 'router' | 'peering' | 'acl' | 'port'>(kind: K): FeedDocs[K][] {
    return app.inventory.all(kind).flatMap((item) => (item.reporter === this.#reporter ? [item.doc] : []))
  }
}

export const virtual = new Virtual()
