import { nodesFor, type BroadcastNode } from '../broadcast/nodes.ts'
import { hostsOf } from '../compile/fdb.ts'
import { gatewayWatchPortOf, watchPortOf } from '../compile/groups.ts'
import type { NetworkIndex } from '../compile/view.ts'
import type { TraceDrop } from '../../model/trace.ts'
import { HopList } from './hops.ts'
import { deadVlans } from './vlans.ts'
import { passWire, tunnelOverheadBytes, type Stop, type WirePassage } from './underlay.ts'
import type { World } from './world.ts'

/* The broadcast cluster as a trace passes it: which node gets a frame, and whom that sends copies to. */

/** Length of a frame that asks a replicator with BFD (RFC 5880 §4.1) whether it lives: Ethernet, IPv4, UDP and 24 bytes, in a tunnel. */
const watchBytes = 14 + 20 + 8 + 24 + tunnelOverheadBytes.vxlan

/** The node whose replicator has an address. */
export function nodeWithAddress({ nodes }: NetworkIndex, ip: string): BroadcastNode | undefined {
  return nodes.find(({ replicator }) => replicator.ip === ip)
}

/**
 * Ports of a host's switch that are not live: of VLANs, and those that watch nodes and gateways which it does not reach or which do not answer, as
 * it says itself or, where it does not, computed.
 */
export function deadWatches(world: World, host: string): ReadonlySet<number> {
  const vlans = deadVlans(world, host)
  const said = world.hosts.get(host)?.deadWatches
  if (said) return new Set([...said, ...vlans])
  const { watched } = world.index
  const dead = watched.filter((node) => world.hosts.get(node.host)?.replicates === false || (node.host !== host && !reaches(world, host, node.host)))
  return new Set([...dead.flatMap(({ host }) => [watchPortOf(watched, host)!, gatewayWatchPortOf(watched, host)!]), ...vlans])
}

function reaches(world: World, from: string, to: string): boolean {
  return passWire(world, { from, to, bytes: watchBytes, inside: 'vxlan' }, new HopList()) === null
}

/** Hosts of the nodes that a network prefers to the one that is asked: those that do not answer. */
export function nodesDown({ nodes }: NetworkIndex, watches: ReadonlySet<number>, asked: BroadcastNode, vni: number): string[] {
  const order = nodesFor(vni, nodes)
  return order.slice(0, order.indexOf(asked)).flatMap((node) => (watches.has(watchPortOf(nodes, node.host)!) ? [node.host] : []))
}

/** Hosts that a node sends copies of a frame to that came from one of them, by the network's VNI, in the order of their names. */
export function membersBehind(index: NetworkIndex, vni: number, sender: string): string[] {
  const network = index.input.network.networks.find((one) => one.vni === vni)
  const hosts = new Set(network ? hostsOf(index, network) : [])
  return [...hosts].filter((host) => host !== sender && index.ends.has(host)).sort()
}

interface NodePassage extends WirePassage {
  node: BroadcastNode
  vni: number
  members: readonly string[]
  /** Ports of the sender's switch that watch nodes in vain. */
  watches: ReadonlySet<number>
}

/** The way to a broadcast node and into its replicator. Answers what stops it, or null; where no node replicates, that names them all. */
export function passToNode(world: World, passage: NodePassage, hops: HopList): Stop | TraceDrop | null {
  const { node, vni, members, watches } = passage
  const stop = passage.from === node.host ? null : passWire(world, passage, hops)
  const network = world.index.input.network.networks.find((one) => one.vni === vni)
  const { nodes } = world.index
  const nobody = nodes.every((one) => watches.has(watchPortOf(nodes, one.host)!))
  if (nobody && stop?.host !== passage.from) return nobodyReplicates(world.index, node)
  if (stop) return stop
  const nic = world.hosts.get(node.host)?.nic?.name ?? 'tenant'
  const copies = members.length === 1 ? '1 copy' : `${members.length} copies`
  hops.add({
    ...{ kind: 'virtual', host: node.host, device: 'replicator', in: nic, out: nic, action: 'replicated' },
    detail: `VNI ${vni}, ${copies}${members.length === 0 ? ': no other host has a port in it' : `, to ${members.join(', ')}`}`,
    objects: [...(network ? [`network/${network.name}`] : []), `broadcastNode/${node.host}`],
    replication: { vni, members: [...members], copies: members.length },
  })
  return null
}

/** That a node has nobody to copy a frame to. */
export function nobodyElse(index: NetworkIndex, vni: number, host: string): TraceDrop {
  const name = index.input.network.networks.find((one) => one.vni === vni)?.name
  const hint = 'No other host has a port in this network.'
  return { host, device: 'replicator', reason: 'unknown-destination', object: name === undefined ? null : `network/${name}`, hint }
}

function nobodyReplicates({ nodes }: NetworkIndex, { host }: BroadcastNode): TraceDrop {
  const names = nodes.map((node) => node.host).join(', ')
  const hint = `No broadcast node replicates: ${names}. Bring one of them back, give another host the role, or set the network's broadcast to source.`
  return { host, device: 'replicator', reason: 'host-down', object: `broadcastNode/${host}`, hint }
}

/** The same from what `ofproto/trace` (ovs-vswitchd(8)) says of a frame that met a group of them; null where it met none. */
export function toldWatches(text: string): ReadonlySet<number> | null {
  if (!/^\s*group:\d+/m.test(text)) return null
  return new Set(Array.from(text.matchAll(/bucket \d+: not live due to port (\d+)/g), ([, port]) => Number(port)))
}
