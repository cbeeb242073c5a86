import type { VirtualNetwork } from '../../model/network.ts'
import { networkKinds, type Declaration, type NetworkKind } from './schema.ts'

/**
 * The part of a network that a declaration which deletes nothing can have made wrong: the VPCs of what it names, as they were and as they would
 * be, all that is peered with them, and what it names where that belongs to no VPC. What speaks of an object outside of it is wrong, or looks so.
 */
export function touchedPart(current: VirtualNetwork, merged: VirtualNetwork, declaration: Declaration): VirtualNetwork {
  const namesOf = (kind: NetworkKind): Set<string> => new Set(declaration[`${kind}s`].map(({ name }) => name))
  const named = Object.fromEntries(networkKinds.map((kind) => [kind, namesOf(kind)])) as unknown as Named
  const [before, after] = [new Places(current), new Places(merged)]
  const touched = new Set([...before.vpcsOf(named), ...after.vpcsOf(named)])
  while (before.spread(touched) || after.spread(touched));
  const isTouched = (vpc: string | undefined): boolean => vpc !== undefined && touched.has(vpc)
  return {
    vpcs: merged.vpcs.filter(({ name }) => isTouched(name)),
    networks: merged.networks.filter(({ vpc }) => isTouched(vpc)),
    routers: merged.routers.filter(({ vpc }) => isTouched(vpc)),
    peerings: merged.peerings.filter((peering) => named.peering.has(peering.name) || after.ofPeering(peering).some(isTouched)),
    acls: merged.acls.filter((acl) => named.acl.has(acl.name) || after.ofAcl(acl).some(isTouched)),
    ports: merged.ports.filter((port) => named.port.has(port.name) || isTouched(after.ofPort(port))),
    hosts: merged.hosts,
    vips: merged.vips.filter((vip) => named.vip.has(vip.name) || isTouched(after.ofPort(vip))),
    last: merged.last,
  }
}

type Named = Readonly<Record<NetworkKind, ReadonlySet<string>>>

/** Which VPC each object of a network is in; undefined where it names something that is not there. */
class Places {
  readonly #network: VirtualNetwork
  readonly #ofNetwork: ReadonlyMap<string, string>
  readonly #ofRouter: ReadonlyMap<string, string>
  /** Of ports that ACLs hold for: of all others nobody asks by name. */
  readonly #ofPort = new Map<string, string | undefined>()

  constructor(network: VirtualNetwork) {
    this.#network = network
    this.#ofNetwork = new Map(network.networks.map(({ name, vpc }) => [name, vpc]))
    this.#ofRouter = new Map(network.routers.map(({ name, vpc }) => [name, vpc]))
    const asked = new Set(network.acls.flatMap(({ port }) => port ?? []))
    if (asked.size > 0) for (const port of network.ports) if (asked.has(port.name)) this.#ofPort.set(port.name, this.ofPort(port))
  }

  /** Of a port or VIP. */
  ofPort({ network }: { network: string }): string | undefined {
    return this.#ofNetwork.get(network)
  }

  ofAcl({ network, port }: { network?: string | undefined; port?: string | undefined }): (string | undefined)[] {
    return [network === undefined ? undefined : this.#ofNetwork.get(network), port === undefined ? undefined : this.#ofPort.get(port)]
  }

  ofPeering({ routers }: { routers: readonly string[] }): (string | undefined)[] {
    return routers.map((router) => this.#ofRouter.get(router))
  }

  /** VPCs that the named objects are in; of a host, those of its ports. */
  vpcsOf(named: Named): string[] {
    const { networks, routers, peerings, acls, ports, vips } = this.#network
    const vpcs = [
      ...named.vpc,
      ...networks.filter(({ name }) => named.network.has(name)).map(({ vpc }) => vpc),
      ...routers.filter(({ name }) => named.router.has(name)).map(({ vpc }) => vpc),
      ...peerings.filter(({ name }) => named.peering.has(name)).flatMap((peering) => this.ofPeering(peering)),
      ...acls.filter(({ name }) => named.acl.has(name)).flatMap((acl) => this.ofAcl(acl)),
      ...ports.filter(({ name, host }) => named.port.has(name) || named.host.has(host)).map((port) => this.ofPort(port)),
      ...vips.filter(({ name }) => named.vip.has(name)).map((vip) => this.ofPort(vip)),
    ]
    return vpcs.filter((vpc) => vpc !== undefined)
  }

  /** Adds what is peered with these VPCs. Answers whether there was any. */
  spread(vpcs: Set<string>): boolean {
    const before = vpcs.size
    for (const peering of this.#network.peerings) {
      const ends = this.ofPeering(peering)
      if (ends.some((vpc) => vpc !== undefined && vpcs.has(vpc))) for (const vpc of ends) if (vpc !== undefined) vpcs.add(vpc)
    }
    return vpcs.size > before
  }
}
