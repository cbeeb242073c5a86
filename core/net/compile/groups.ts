import type { Network } from '../../model/network.ts'
import { nodesFor, type BroadcastNode } from '../broadcast/nodes.ts'
import { join, set } from './emit.ts'
import { switchPorts } from './tables.ts'

/** First of the OpenFlow ports of br-int whose tunnels ask the replicators, in the order of nodes, with BFD whether they live. */
const firstWatchPort = 16
/** The port that watches a host of `watchedHosts`: it is live while what answers there does; null for one that is not watched. */
export function watchPortOf(watched: readonly BroadcastNode[], host: string): number | null {
  const place = watched.findIndex((node) => node.host === host)
  return place < 0 ? null : firstWatchPort + place
}

const firstGatewayWatchPort = 128
/**
 * The port that watches a gateway, more patiently: two that forward for a moment double what servers send, where two nodes that are taken for dead
 * and back double nothing.
 */
export function gatewayWatchPortOf(watched: readonly BroadcastNode[], host: string): number | null {
  const place = watched.findIndex((node) => node.host === host)
  return place < 0 ? null : firstGatewayWatchPort + place
}

/** The group that sends a frame of a network to the broadcast cluster: by the two nodes that the network prefers, and by the kind of its tunnels. */
export function groupOf(nodes: readonly BroadcastNode[], { vni, tunnel }: Network): number {
  const [first, second = first] = nodesFor(vni, nodes)
  return 1 + 2 * (nodes.indexOf(first!) * nodes.length + nodes.indexOf(second!)) + Number(tunnel === 'gre')
}

/**
 * The groups that `groupOf` speaks of, as ovs-ofctl(8) writes them: the first node whose replicator answers gets the frame; where none does, the
 * first of all, since to be watched takes a moment after a start. They depend on the nodes alone.
 */
export function compileGroups(nodes: readonly BroadcastNode[]): string[] {
  return nodes.flatMap((first, i) =>
    nodes.flatMap((second, j) => {
      if (first === second && nodes.length > 1) return []
      const others = nodes.filter((node) => node !== first && node !== second)
      const order = [...new Set([first, second, ...others])]
      return (['vxlan', 'gre'] as const).map((tunnel) => {
        const bucket = ({ replicator }: BroadcastNode): string => `actions=${join(set('tun_dst', replicator.ip), `output:${switchPorts[tunnel]}`)}`
        const watched = order.map((node) => `bucket=watch_port=${watchPortOf(nodes, node.host)!},${bucket(node)}`)
        const id = 1 + 2 * (i * nodes.length + j) + Number(tunnel === 'gre')
        // The port of all tunnels is always live.
        return join(`group_id=${id},type=fast_failover`, ...watched, `bucket=watch_port=${switchPorts[tunnel]},${bucket(first)}`)
      })
    }),
  )
}
