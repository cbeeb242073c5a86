import type { Acl, Network, Peering, Port, Router, TunnelEnd, Vip, VirtualNetwork } from '../../model/network.ts'
import { vlansOf, type Vlan } from './vlans.ts'
import { broadcastNodes, watchedHosts, type BroadcastNode } from '../broadcast/nodes.ts'

/** Where a floating address is. */
export interface VipPlace {
  port: string
  /** That it was announced with. */
  mac: string
}

/** What a compiler starts from. */
export interface CompileInput {
  network: VirtualNetwork
  /** Where the tunnels of each host with our agent end, by name. */
  hosts: ReadonlyMap<string, TunnelEnd>
  /** Where VIPs are, by name, as far as anybody has seen. */
  owners?: ReadonlyMap<string, VipPlace> | undefined
}

/** The virtual network in the maps that compiling for any host needs: made once, used for all. */
export interface NetworkIndex {
  input: CompileInput
  networks: ReadonlyMap<string, Network>
  routers: ReadonlyMap<string, Router>
  ports: ReadonlyMap<string, Port>
  /** The router of a network, by the network's name. */
  routerOf: ReadonlyMap<string, Router>
  portsOf: ReadonlyMap<string, readonly Port[]>
  portsOnHost: ReadonlyMap<string, readonly Port[]>
  peeringsOf: ReadonlyMap<string, readonly Peering[]>
  aclsOfNetwork: ReadonlyMap<string, readonly Acl[]>
  aclsOfPort: ReadonlyMap<string, readonly Acl[]>
  vipsOf: ReadonlyMap<string, readonly Vip[]>
  /** Where tunnels end, of all hosts. */
  ends: ReadonlyMap<string, TunnelEnd>
  /** Of the broadcast cluster. */
  nodes: readonly BroadcastNode[]
  /** The nodes, then other hosts that are watched. */
  watched: readonly BroadcastNode[]
  vlans: readonly Vlan[]
}

export function indexNetwork(input: CompileInput): NetworkIndex {
  const { network } = input
  const byName = <T extends { name: string }>(items: readonly T[]) => new Map(items.map((item) => [item.name, item]))
  const routerOf = new Map<string, Router>()
  for (const router of network.routers) for (const name of router.networks) routerOf.set(name, router)
  const vlans = vlansOf(network)
  const peeringsOf = new Map<string, Peering[]>()
  for (const peering of network.peerings) for (const router of peering.routers) push(peeringsOf, router, peering)
  return {
    input,
    networks: byName(network.networks),
    routers: byName(network.routers),
    ports: byName(network.ports),
    routerOf,
    portsOf: group(network.ports, (port) => port.network),
    portsOnHost: portsOnHost(network, vlans),
    peeringsOf,
    aclsOfNetwork: group(network.acls, (acl) => acl.network),
    aclsOfPort: group(network.acls, (acl) => acl.port),
    vipsOf: group(network.vips, (vip) => vip.network),
    ends: allEnds(network, input.hosts),
    nodes: broadcastNodes(network, input.hosts),
    watched: watchedHosts(network, input.hosts),
    vlans,
  }
}

/** Servers in a VLAN are at every gateway. */
function portsOnHost({ ports }: VirtualNetwork, vlans: readonly Vlan[]): Map<string, Port[]> {
  const found = group(ports, ({ attach, host }) => (attach.kind === 'vlan' ? undefined : host))
  for (const { gateways, ports: servers } of vlans) for (const host of gateways) for (const port of servers) push(found, host, port)
  return found
}

/** Where tunnels end: of hosts with our agent, which say it themselves, and of those without, of which it is declared. */
export function allEnds({ hosts }: Pick<VirtualNetwork, 'hosts'>, ends: ReadonlyMap<string, TunnelEnd>): ReadonlyMap<string, TunnelEnd> {
  return new Map([...hosts.flatMap(({ name, tunnelEnd }) => (tunnelEnd ? [[name, tunnelEnd] as const] : [])), ...ends])
}

/** What of the virtual network one host has to know: the networks of its ports, their routers, and every network that these reach. */
export interface HostView {
  index: NetworkIndex
  host: string
  localPorts: readonly Port[]
  /** Those that this host is a gateway of. */
  localVlans: readonly Vlan[]
  /** Networks that have a port here. */
  localNetworks: readonly Network[]
  /** Routers of those. */
  routers: readonly Router[]
  /** Networks that packets from here may be forwarded in: local ones and all that the routers reach, peers' included. */
  reachedNetworks: readonly Network[]
}

export function viewOf(index: NetworkIndex, host: string): HostView {
  const localPorts = index.portsOnHost.get(host) ?? []
  const localNetworks = distinct(localPorts.map((port) => index.networks.get(port.network)!))
  const routers = distinct(localNetworks.flatMap((network) => index.routerOf.get(network.name) ?? []))
  const reachedRouters = distinct(
    routers.flatMap((router) => [router, ...(index.peeringsOf.get(router.name) ?? []).map((peering) => peerOf(index, peering, router))]),
  )
  const routed = reachedRouters.flatMap((router) => router.networks.map((name) => index.networks.get(name)!))
  const localVlans = index.vlans.filter(({ gateways }) => gateways.includes(host))
  return { index, host, localPorts, localVlans, localNetworks, routers, reachedNetworks: distinct([...localNetworks, ...routed]) }
}

/** The router at the other end of a peering. */
export function peerOf(index: NetworkIndex, peering: Peering, router: Router): Router {
  return index.routers.get(peering.routers[0] === router.name ? peering.routers[1] : peering.routers[0])!
}

function distinct<T extends { name: string }>(items: readonly T[]): T[] {
  return [...new Set(items)].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function group<T>(items: readonly T[], keyOf: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    if (key !== undefined) push(groups, key, item)
  }
  return groups
}

function push<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const list = groups.get(key)
  if (list) list.push(item)
  else groups.set(key, [item])
}
