import type { Network } from '../../model/network.ts'
import { cookieOf, type OwnerKind } from './cookie.ts'
import { goOn, join, set, type Emit } from './emit.ts'
import type { HostView } from './view.ts'

/**
 * Answers ARP requests and neighbour solicitations where they are sent, for the gateway and for every port of the network, so that they
 * cross no tunnel. What a port says of its own address (a GARP, a probe for duplicates) is left to go on to the others.
 */
export function emitAnswers(view: HostView, emit: Emit): void {
  for (const network of view.localNetworks) {
    for (const [kind, name, ip, ip6, mac] of known(view, network)) {
      const cookie = cookieOf('none', kind, name)
      if (ip !== undefined) emit('arpAnswer', 100, cookie, `arp,reg0=${network.vni},arp_tpa=${ip},arp_op=1`, arpReply(ip, mac))
      if (ip6 !== undefined) {
        emit('arpAnswer', 100, cookie, `icmp6,reg0=${network.vni},icmp_type=135,icmp_code=0,nd_target=${ip6}`, advertisement(ip6, mac))
        emit('ndAnswer', 100, cookie, `icmp6,reg0=${network.vni},icmp_type=136,icmp_code=0,nd_target=${ip6}`, advertisedOptions(mac))
      }
    }
  }
  for (const port of view.localPorts) {
    const cookie = cookieOf('none', 'port', port.name)
    emit('arpAnswer', 110, cookie, `arp,reg1=${port.number},arp_tpa=${port.ip}`, goOn('gateway'))
    if (port.ip6 !== undefined)
      emit('arpAnswer', 110, cookie, `icmp6,reg1=${port.number},icmp_type=135,icmp_code=0,nd_target=${port.ip6}`, goOn('gateway'))
  }
  emit('arpAnswer', 0, cookieOf('none', 'pipeline', ''), '', goOn('gateway'))
}

/** Everybody in a network whose MAC is known: its router and its ports. */
function known(view: HostView, network: Network): [OwnerKind, string, string | undefined, string | undefined, string][] {
  const router = view.index.routerOf.get(network.name)
  const ports = (view.index.portsOf.get(network.name) ?? []).map((port): [OwnerKind, string, string, string | undefined, string] => [
    'port',
    port.name,
    port.ip,
    port.ip6,
    port.mac,
  ])
  return router ? [['router', router.name, network.gateway, network.gateway6, router.mac], ...ports] : ports
}

export function arpReply(ip: string, mac: string): string {
  return join(
    'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
    set('eth_src', mac),
    set('arp_op', 2),
    'move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]',
    'move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]',
    set('arp_sha', mac),
    set('arp_spa', ip),
    'in_port',
  )
}

/** RFC 4861 §4.4; its options can be set in the next table only, where the packet is known to be an advertisement. */
export function advertisement(ip6: string, mac: string): string {
  return join(
    'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
    set('eth_src', mac),
    'move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]',
    set('ipv6_src', ip6),
    set('icmpv6_type', 136),
    goOn('ndAnswer'),
  )
}

/** Solicited, override (RFC 4861 §4.4: flags S and O), with the target's link-layer address (option type 2). */
export function advertisedOptions(mac: string): string {
  return join(set('nd_options_type', 2), set('nd_reserved', '0x60000000'), set('nd_tll', mac), 'in_port')
}
