import { Document, isMap, isSeq } from 'yaml'
import { defaultBroadcastMode, defaultMtuBytes, type VirtualNetwork } from '../../model/network.ts'
import type { Declaration } from './schema.ts'

/**
 * Writes a network as a declaration in YAML, one object a line. VNIs and MACs are written, so that applied anywhere it makes the same network;
 * numbers are not, and neither are defaults.
 */
export function exportDeclaration(network: VirtualNetwork): string {
  const document = new Document(declarationOf(network), { aliasDuplicateObjects: false })
  if (!isMap(document.contents)) throw new TypeError('A declaration is a map')
  for (const { value: list } of document.contents.items) {
    if (isSeq(list)) for (const object of list.items) if (isMap(object)) object.flow = true
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** A network in the form in which administrators write it; kinds of which there is nothing are left out. */
function declarationOf({ vpcs, networks, routers, peerings, acls, ports, hosts, vips }: VirtualNetwork): Partial<Declaration> {
  const named = new Set([...networks, ...routers].map(({ vpc }) => vpc))
  const declaration: Declaration = {
    vpcs: vpcs.filter(({ name }) => !named.has(name)).map(({ name }) => ({ name })),
    networks: networks.map(({ name, vpc, vni, subnet, gateway, subnet6, gateway6, tunnel, broadcast, mtuBytes }) => ({
      ...{ name, vpc, vni, subnet },
      ...(gateway !== undefined && { gateway }),
      ...(subnet6 !== undefined && { subnet6 }),
      ...(gateway6 !== undefined && { gateway6 }),
      ...(tunnel !== 'vxlan' && { tunnel }),
      ...(broadcast !== defaultBroadcastMode && { broadcast }),
      ...(mtuBytes !== defaultMtuBytes && { mtu: mtuBytes }),
    })),
    routers: routers.map(({ name, vpc, mac, networks, routes }) => ({
      ...{ name, vpc, mac, networks },
      ...(routes.length > 0 && { routes }),
    })),
    peerings: peerings.map(({ name, routers, routes }) => ({ name, routers, ...(routes.length > 0 && { routes }) })),
    acls: acls.map(({ name, network, port, direction, priority, match, action, stateful, log }) => ({
      name,
      ...(network !== undefined && { network }),
      ...(port !== undefined && { port }),
      ...{ direction, priority, match, action },
      ...(!stateful && { stateful }),
      ...(log && { log }),
    })),
    ports: ports.map(({ name, network, mac, ip, ip6, allow, host, attach }) => ({
      ...{ name, network, mac, ip },
      ...(ip6 !== undefined && { ip6 }),
      ...(allow.length > 0 && { allow }),
      ...{ host, attach },
    })),
    hosts: hosts.map(({ name, roles, tunnelEnd }) => ({ name, ...(roles.length > 0 && { roles }), ...(tunnelEnd && { tunnelEnd }) })),
    vips: vips.map(({ name, network, ip, ports, healthCheck, priorities }) => ({
      ...{ name, network, ip, ports },
      ...(healthCheck && { healthCheck }),
      ...(priorities && { priorities }),
    })),
  }
  return Object.fromEntries(Object.entries(declaration).filter(([, list]) => list.length > 0))
}
