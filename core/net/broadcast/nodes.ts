import type { TunnelEnd, VirtualNetwork } from '../../model/network.ts'
import { ranked } from '../rendezvous.ts'
import { tunnelMacOf } from '../tunnel-mac.ts'

/** A node of the broadcast cluster. */
export interface BroadcastNode {
  host: string
  /** Where hosts send what it is to replicate: an address of its own on the plane that carries tunnels. */
  replicator: TunnelEnd
}

/** Of the nodes where no host is declared to be one. */
const defaultNodes = 2

/** VNI of the tunnels by which a host asks a replicator, with BFD, whether it lives. Networks cannot have it. */
export const watchVni = 0xff_ffff

/** Prefix of all replicators' addresses: link-local (RFC 3927), so that no plan of addresses has to make room for them; and one in it that nobody has. */
export const replicatorRoute = { prefix: '169.254.0.0/16', source: '169.254.255.254/16' } as const

/** The nodes, in the natural order of their names: the hosts with that role or, where none is declared, the first two. `ends`: of hosts with our agent. */
export function broadcastNodes({ hosts }: Pick<VirtualNetwork, 'hosts'>, ends: ReadonlyMap<string, TunnelEnd>): BroadcastNode[] {
  const declared = hosts.filter(({ roles }) => roles.includes('broadcast')).map(({ name }) => name)
  const names = naturally(declared.length > 0 ? declared : [...ends.keys()])
  return (declared.length > 0 ? names : names.slice(0, defaultNodes)).flatMap((host) => atHost(host, ends))
}

/** All that other hosts watch: the nodes, and gateways beside. What answers is the same program. */
export function watchedHosts(network: Pick<VirtualNetwork, 'hosts'>, ends: ReadonlyMap<string, TunnelEnd>): BroadcastNode[] {
  const nodes = broadcastNodes(network, ends)
  const others = network.hosts.filter(({ name, roles }) => roles.includes('gateway') && !nodes.some((node) => node.host === name))
  return [...nodes, ...naturally(others.map(({ name }) => name)).flatMap((host) => atHost(host, ends))]
}

function atHost(host: string, ends: ReadonlyMap<string, TunnelEnd>): BroadcastNode[] {
  const end = ends.get(host)
  return end ? [{ host, replicator: replicatorOf(end) }] : []
}

function naturally(names: readonly string[]): string[] {
  return names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** The replicator of a host: link-local, with the last two bytes of where its tunnels end, so that everybody knows it. */
function replicatorOf({ ip }: TunnelEnd): TunnelEnd {
  return endAt(`169.254.${ip.split('.').slice(2).join('.')}`)
}

function endAt(ip: string): TunnelEnd {
  return { ip, mac: tunnelMacOf(ip) }
}

/** The address of the cluster itself, for hosts that know no nodes: one of them answers for it. The first from 169.254.255.250 downwards that is no node's. */
export function clusterEnd(nodes: readonly BroadcastNode[]): TunnelEnd {
  const taken = new Set(nodes.map(({ replicator }) => replicator.ip))
  let last = 250
  while (taken.has(`169.254.255.${last}`)) last--
  return endAt(`169.254.255.${last}`)
}

/** Nodes by how much a VNI prefers them: each replicates its share of the networks, and a node that comes or goes moves only what it takes or had. */
export function nodesFor(vni: number, nodes: readonly BroadcastNode[]): BroadcastNode[] {
  const order = ranked(
    String(vni),
    nodes.map(({ host }) => host),
  )
  return order.map((host) => nodes.find((node) => node.host === host)!)
}
