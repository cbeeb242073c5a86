import { linkId, type Topology } from '../../../core/topology/topology.ts'
import type { Plane } from '../../../core/model/index.ts'
import type { NetworkView } from '../network/view.ts'
import type { Ref } from '../state/place.ts'

export interface RelatedInput {
  view: Pick<NetworkView, 'port' | 'acl' | 'portsOf' | 'portsOn' | 'networksOf' | 'routersOf' | 'routerOf' | 'router' | 'vip' | 'vipsOf' | 'host'>
  /** The port that has a VIP. */
  ownerOf: (vip: string) => string | undefined
  topology: Pick<Topology, 'links'>
  /** The plane whose NIC carries the tunnels of a host. */
  tunnelPlaneOf: (host: string) => Plane
}

/**
 * What belongs to an object on the other layer, by ids of the picture: the cable of a port, the ports of a network on each host, the
 * networks of a host, what runs over a cable.
 */
export function relatedOf(ref: Ref | undefined, input: RelatedInput): Set<string> {
  return new Set(ref ? idsOf(ref, input) : [])
}

function idsOf(ref: Ref, input: RelatedInput): string[] {
  const { view, topology, tunnelPlaneOf } = input
  const { kind, id } = ref
  const cableOf = (host: string): string[] => {
    const link = topology.links.find((known) => known.host === host && known.plane === tunnelPlaneOf(host))
    return link ? [`nic/${host}/${link.nic}`, `link/${linkId(link)}`, `socket/${link.switch}/${link.port}`] : []
  }
  const networksOn = (host: string): string[] => [...new Set(view.portsOn(host).map(({ network }) => network))]
  const ofHost = (host: string): string[] =>
    networksOn(host).length === 0 ? [] : [`stem/${host}`, ...networksOn(host).map((network) => `tap/${host}/${network}`)]
  const carries = (host: string, nic: string): boolean =>
    topology.links.some((link) => link.host === host && link.nic === nic && link.plane === tunnelPlaneOf(host))

  switch (kind) {
    case 'port': {
      const port = view.port.get(id)
      if (!port) return []
      return [
        `network/${port.network}`,
        `tap/${port.host}/${port.network}`,
        `stem/${port.host}`,
        `${view.host.get(port.host)?.tunnelEnd ? 'networkHost' : 'host'}/${port.host}`,
        ...cableOf(port.host),
      ]
    }
    case 'network': {
      const router = view.routerOf(id)
      return [
        ...view.vipsOf(id).map(({ name }) => `vip/${name}`),
        ...view.portsOf(id).flatMap(({ name, host }) => [`port/${name}`, `tap/${host}/${id}`]),
        ...(router ? [`router/${router.name}`, `join/${router.name}/${id}`] : []),
      ]
    }
    case 'vip': {
      const vip = view.vip.get(id)
      const owner = input.ownerOf(id)
      if (!vip) return []
      return [
        `network/${vip.network}`,
        `held/${id}`,
        `moved/${id}`,
        ...(owner === undefined ? [] : [`port/${owner}`, ...idsOf({ kind: 'port', id: owner }, input)]),
      ]
    }
    case 'networkHost':
      return ofHost(id)
    case 'router':
      return (view.router.get(id)?.networks ?? []).flatMap((network) => [`network/${network}`, `join/${id}/${network}`])
    case 'vpc':
      return [...view.networksOf(id).map(({ name }) => `network/${name}`), ...view.routersOf(id).map(({ name }) => `router/${name}`)]
    case 'acl': {
      const acl = view.acl.get(id)
      if (!acl) return []
      const target = acl.port !== undefined ? { kind: 'port', id: acl.port } : { kind: 'network', id: acl.network ?? '' }
      return [`${target.kind}/${target.id}`, ...idsOf(target, input)]
    }
    case 'host':
      return ofHost(id)
    case 'nic': {
      const [host = '', nic = ''] = id.split('/')
      return carries(host, nic) ? ofHost(host) : []
    }
    case 'link': {
      const link = topology.links.find((known) => linkId(known) === id)
      return link && carries(link.host, link.nic) ? ofHost(link.host) : []
    }
    default:
      return []
  }
}
