import type { VirtualNetwork } from '../../model/network.ts'
import { inOrder, type Flow } from '../openflow/flow.ts'

/**
 * Parts of a virtual network that have nothing to do with each other: VPCs that are joined by peerings are one. The flows of the whole are
 * those of its parts, so that only the parts that change need be compiled anew. By a name that stays as long as its first VPC does.
 */
export function islandsOf(network: VirtualNetwork): Map<string, VirtualNetwork> {
  const { vpcs, networks, routers, peerings, acls, ports, last } = network
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
  const networkOfPort = new Map(ports.map((port) => [port.name, port.network]))
  const islands = new Map<string, VirtualNetwork>()
  const at = (vpc: string): VirtualNetwork => {
    const name = find(vpc)
    const island = islands.get(name) ?? { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], last }
    islands.set(name, island)
    return island
  }
  for (const vpc of vpcs) at(vpc.name).vpcs.push(vpc)
  for (const one of networks) at(one.vpc).networks.push(one)
  for (const router of routers) at(router.vpc).routers.push(router)
  for (const peering of peerings) at(vpcOfRouter.get(peering.routers[0])!).peerings.push(peering)
  for (const acl of acls) at(vpcOfNetwork.get(acl.network ?? networkOfPort.get(acl.port!)!)!).acls.push(acl)
  for (const port of ports) at(vpcOfNetwork.get(port.network)!).ports.push(port)
  return islands
}

/** The flows of the whole from those of its islands; what several of them have, e.g. the pipeline's own, is there once. */
export function joinIslands(parts: Iterable<readonly Flow[]>): Flow[] {
  const all = [...parts].flat().sort(inOrder)
  return all.filter((flow, index) => index === 0 || inOrder(all[index - 1]!, flow) !== 0)
}
