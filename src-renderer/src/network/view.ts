import type { Acl, Forwarding, Network, NetworkHost, Peering, Port, Router, VirtualNetwork, Vip, Vpc } from '../../../core/model/network.ts'
import type { SummaryState } from '../../../core/status/summary.ts'
import { byName } from '../format.ts'

/** The virtual network with what belongs together at hand. All lists are in natural order. */
export interface NetworkView extends Pick<VirtualNetwork, 'vpcs' | 'networks' | 'routers' | 'peerings' | 'acls' | 'ports' | 'hosts' | 'vips'> {
  /** Revision that these documents are of; null before anything was reported. */
  revision: number | null
  network: ReadonlyMap<string, Network>
  router: ReadonlyMap<string, Router>
  acl: ReadonlyMap<string, Acl>
  port: ReadonlyMap<string, Port>
  /** What is declared of hosts. */
  host: ReadonlyMap<string, NetworkHost>
  vip: ReadonlyMap<string, Vip>
  networksOf(vpc: string): readonly Network[]
  routersOf(vpc: string): readonly Router[]
  peeringsOf(router: string): readonly Peering[]
  portsOf(network: string): readonly Port[]
  portsOn(host: string): readonly Port[]
  vipsOf(network: string): readonly Vip[]
  /** VIPs that a port may have. */
  vipsFor(port: string): readonly Vip[]
  aclsOf(target: { network: string } | { port: string }): readonly Acl[]
  /** The router that a network is attached to. */
  routerOf(network: string): Router | undefined
}

export interface NetworkDocs {
  revision: number | null
  vpcs: Vpc[]
  networks: Network[]
  routers: Router[]
  peerings: Peering[]
  acls: Acl[]
  ports: Port[]
  hosts: NetworkHost[]
  vips: Vip[]
}

const sorted = <T extends { name: string }>(docs: readonly T[]): T[] => docs.toSorted((a, b) => byName(a.name, b.name))
const named = <T extends { name: string }>(docs: readonly T[]): Map<string, T> => new Map(docs.map((doc) => [doc.name, doc]))

export function viewOf(docs: NetworkDocs): NetworkView {
  const [vpcs, networks, routers] = [sorted(docs.vpcs), sorted(docs.networks), sorted(docs.routers)]
  const [peerings, acls, ports] = [
    sorted(docs.peerings),
    docs.acls.toSorted((a, b) => b.priority - a.priority || byName(a.name, b.name)),
    sorted(docs.ports),
  ]
  const [hosts, vips] = [sorted(docs.hosts), sorted(docs.vips)]
  const vipsOf = Map.groupBy(vips, ({ network }) => network)
  const networksOf = Map.groupBy(networks, ({ vpc }) => vpc)
  const routersOf = Map.groupBy(routers, ({ vpc }) => vpc)
  const portsOf = Map.groupBy(ports, ({ network }) => network)
  const portsOn = Map.groupBy(ports, ({ host }) => host)
  const aclsOf = Map.groupBy(acls, ({ network, port }) => (network !== undefined ? `network/${network}` : `port/${port}`))
  const routerOf = new Map(routers.flatMap((router) => router.networks.map((network) => [network, router] as const)))
  return {
    ...{ revision: docs.revision, vpcs, networks, routers, peerings, acls, ports, hosts, vips },
    network: named(networks),
    router: named(routers),
    acl: named(acls),
    port: named(ports),
    host: named(hosts),
    vip: named(vips),
    networksOf: (vpc) => networksOf.get(vpc) ?? [],
    routersOf: (vpc) => routersOf.get(vpc) ?? [],
    peeringsOf: (router) => peerings.filter((peering) => peering.routers.includes(router)),
    portsOf: (network) => portsOf.get(network) ?? [],
    portsOn: (host) => portsOn.get(host) ?? [],
    vipsOf: (network) => vipsOf.get(network) ?? [],
    vipsFor: (port) => vips.filter(({ ports }) => ports.includes(port)),
    aclsOf: (target) => aclsOf.get('network' in target ? `network/${target.network}` : `port/${target.port}`) ?? [],
    routerOf: (network) => routerOf.get(network),
  }
}

/**
 * Whose documents of the virtual network count: of those who report it the one with the latest revision, among equals the one heard last.
 * What a former leader said before counts no more.
 */
export function overlayReporter(
  overlays: readonly { reporter: string; doc: { revision: number } }[],
  seenAtMs: (reporter: string) => number,
): string | undefined {
  return overlays.toSorted((a, b) => b.doc.revision - a.doc.revision || seenAtMs(b.reporter) - seenAtMs(a.reporter))[0]?.reporter
}

/** Why a host, or a port on it, is in the state that it is in. */
export type PlacementWhy = 'placed' | 'host-down' | 'host-unknown' | 'not-reported' | 'switch-down' | 'port-down' | 'late' | 'degraded' | 'no-agent'

export interface Placement {
  state: SummaryState
  why: PlacementWhy
}

/** How far a host is with the virtual network, by what is known now. `fresh`: its network module was heard lately. */
export function placementOf(input: {
  hostState: 'up' | 'down' | 'unknown'
  fresh: boolean
  forwarding: Pick<Forwarding, 'state' | 'revision'> | undefined
  revision: number | null
}): Placement {
  const { hostState, fresh, forwarding, revision } = input
  if (hostState === 'down') return { state: 'down', why: 'host-down' }
  if (hostState === 'unknown') return { state: 'unknown', why: 'host-unknown' }
  if (!forwarding || !fresh) return { state: 'unknown', why: 'not-reported' }
  if (forwarding.state === 'down') return { state: 'down', why: 'switch-down' }
  if (revision !== null && (forwarding.revision ?? -1) < revision) return { state: 'degraded', why: 'late' }
  return forwarding.state === 'degraded' ? { state: 'degraded', why: 'degraded' } : { state: 'up', why: 'placed' }
}

/** Of a host without our agent nobody reports anything. */
export const withoutAgent: Placement = { state: 'unknown', why: 'no-agent' }

/** How a port fares: as its host does, unless its own device is gone. */
export function portPlacement(onHost: Placement, port: string, forwarding: Pick<Forwarding, 'portsDown'> | undefined): Placement {
  const known = onHost.state === 'up' || onHost.state === 'degraded'
  return known && forwarding?.portsDown.includes(port) ? { state: 'down', why: 'port-down' } : onHost
}

/** Several ports at once: their state, and how many of how many are in it where not all are. */
export interface PortsSummary {
  state: SummaryState
  /** Ports in trouble, of which kind; 0 where none are. */
  count: number
  of: 'down' | 'degraded' | 'unknown' | null
  all: number
}

/** What is wrong with some of them makes the whole degraded, what is wrong with all of them is its state. */
export function summarisePorts(states: readonly SummaryState[]): PortsSummary {
  const all = states.length
  for (const of of ['down', 'degraded', 'unknown'] as const) {
    const count = states.filter((state) => state === of).length
    if (count > 0) return { state: count === all ? of : of === 'unknown' ? 'unknown' : 'degraded', count, of, all }
  }
  return { state: 'up', count: 0, of: null, all }
}
