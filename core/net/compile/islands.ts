import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import type { Flow } from '../openflow/flow.ts'
import { ordered } from './ordered.ts'

/**
 * Parts of a virtual network that have nothing to do with each other: VPCs that are joined by peerings are one. The flows of the whole are
 * those of its parts, so that only the parts that change need be compiled anew. By a name that stays as long as its first VPC does. The hosts are
 * every part's. The numbers given last are the whole's, and no part's.
 */
export function islandsOf(network: VirtualNetwork): Map<string, VirtualNetwork> {
  const { vpcs, networks, routers, peerings, acls, ports, hosts, vips } = network
  const islandOf = new Map<string, string>()
  const find = (vpc: string): string => {
    const above = islandOf.get(vpc) ?? vpc
    return above === vpc ? vpc : find(above)
  }
  const vpcOfRouter = new Map(routers.map(({ name, vpc }) => [name, vpc]))
  for (const { routers: ends } of peerings) {
    const [a, b] = ends.map((name) => find(vpcOfRouter.get(name)!)).sort() as [string, string]
    islandOf.set(b, a)
  }
  const vpcOfNetwork = new Map(networks.map(({ name, vpc }) => [name, vpc]))
  const asked = new Set(acls.flatMap(({ port }) => port ?? []))
  const networkOfPort = new Map(ports.filter(({ name }) => asked.has(name)).map(({ name, network }) => [name, network]))
  const islands = new Map<string, VirtualNetwork>()
  const at = (vpc: string): VirtualNetwork => {
    const name = find(vpc)
    const { last } = emptyVirtualNetwork
    const island = islands.get(name) ?? { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], hosts, vips: [], last }
    islands.set(name, island)
    return island
  }
  for (const vpc of vpcs) at(vpc.name).vpcs.push(vpc)
  for (const one of networks) at(one.vpc).networks.push(one)
  for (const router of routers) at(router.vpc).routers.push(router)
  for (const peering of peerings) at(vpcOfRouter.get(peering.routers[0])!).peerings.push(peering)
  for (const acl of acls) at(vpcOfNetwork.get(acl.network ?? networkOfPort.get(acl.port!)!)!).acls.push(acl)
  const islandOfNetwork = new Map(networks.map(({ name, vpc }) => [name, at(vpc)]))
  for (const port of ports) islandOfNetwork.get(port.network)!.ports.push(port)
  for (const vip of vips) islandOfNetwork.get(vip.network)!.vips.push(vip)
  return islands
}

/** The flows of the whole from those of its islands; what several of them have, e.g. the pipeline's own, is there once. */
export function joinIslands(parts: Iterable<readonly Flow[]>): Flow[] {
  return ordered([...parts].flat())
}
