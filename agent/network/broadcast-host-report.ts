import type { BroadcastHost } from '../../core/model/broadcast.ts'
import { broadcastNodes, watchedHosts } from '../../core/net/broadcast/nodes.ts'
import { gatewayWatchPortOf, watchPortOf } from '../../core/net/compile/groups.ts'
import type { AgentPaths } from '../runtime/config.ts'
import type { BroadcastFlows } from './broadcast-flows.ts'
import type { BroadcastPlace } from './broadcast-part.ts'
import { switchPaths, instancePaths } from './switch/switch-paths.ts'
import type { VirtualSwitch } from './switch/virtual-switch.ts'
import { readWatches, type SeenWatch } from './switch/watches.ts'

/** What a host, node or not, says of the cluster: whether it sees its replicators live, and how often it had to change flows for members. */
export class BroadcastHostReport {
  readonly #host: string
  readonly #paths: AgentPaths
  readonly #switch: VirtualSwitch
  readonly #flows: BroadcastFlows

  constructor(host: string, paths: AgentPaths, virtualSwitch: VirtualSwitch, flows: BroadcastFlows) {
    this.#host = host
    this.#paths = paths
    this.#switch = virtualSwitch
    this.#flows = flows
  }

  /** Reads anew what the switch that forwards has seen; null while none does. Throws as `readWatches` does. */
  async read(place: Pick<BroadcastPlace, 'network' | 'ends'>): Promise<BroadcastHost | null> {
    const active = this.#switch.status()?.active
    if (!active) return null
    const seen = await readWatches(instancePaths(switchPaths(this.#paths.run, this.#paths.log), active.number))
    return { host: this.#host, watches: watchesOf(seen, place), flowsChanged: this.#flows.changed }
  }
}

/** What ports have seen, by whom they watch: nodes before gateways. Ports of hosts that are no longer watched are left out. */
export function watchesOf(seen: readonly SeenWatch[], { network, ends }: Pick<BroadcastPlace, 'network' | 'ends'>): BroadcastHost['watches'] {
  const nodes = broadcastNodes(network, ends)
  const watched = watchedHosts(network, ends)
  const wanted = [
    ...nodes.map(({ host }) => ({ host, as: 'node' as const, number: watchPortOf(nodes, host) })),
    ...watched.map(({ host }) => ({ host, as: 'gateway' as const, number: gatewayWatchPortOf(watched, host) })),
  ]
  return wanted.flatMap(({ host, as, number }) => {
    const found = seen.find((one) => one.number === number)
    return found ? [{ host, as, up: found.up, flaps: found.flaps }] : []
  })
}
