import type { Port } from '../../model/network.ts'
import { cookieOf } from './cookie.ts'
import { drop, goOn, type Emit } from './emit.ts'
import type { HostView } from './view.ts'

/** IPv6 link-local addresses (RFC 4291 §2.5.6): a guest gives itself one, of which nothing is known here. */
const linkLocal = 'fe80::/10'

/** Listener reports (RFC 3810), and a router solicitation, may come before there is an address. */
const withoutSource = [131, 132, 133, 143]

/** Neighbour solicitation and advertisement, redirect, router advertisement (RFC 4861): what may be forged to draw traffic away. */
const neighbourDiscovery = [134, 135, 136, 137]

/**
 * What a port may send: its own MAC, and in IP, ARP and neighbour discovery its own addresses, those that it is allowed beside, and what
 * address configuration needs: an ARP probe (RFC 5227: sender 0.0.0.0) and duplicate address detection (RFC 4862: source ::).
 */
export function emitPortSecurity(view: HostView, emit: Emit): void {
  for (const port of view.localPorts) {
    const pass = cookieOf('none', 'port', port.name)
    const refuse = cookieOf('port-security', 'port', port.name)
    const from = `reg1=${port.number},dl_src=${port.mac}`
    for (const match of [...sources4(port), ...discovery6(port)]) emit('portSecurity', 100, pass, `${match},${from}`, goOn('trackOut'))
    if (port.ip6 !== undefined) {
      for (const type of neighbourDiscovery) emit('portSecurity', 60, refuse, `icmp6,icmp_type=${type},reg1=${port.number}`, drop)
      for (const source of own6(port)) emit('portSecurity', 50, pass, `ipv6,ipv6_src=${source},${from}`, goOn('trackOut'))
    }
    emit('portSecurity', 1, refuse, `reg1=${port.number}`, drop)
  }
}

function sources4({ ip, mac, allow }: Port): string[] {
  const sources = [ip, ...allow.filter((cidr) => !cidr.includes(':'))]
  return [
    ...sources.flatMap((source) => [`ip,nw_src=${source}`, `arp,arp_spa=${source},arp_sha=${mac}`]),
    `arp,arp_op=1,arp_spa=0.0.0.0,arp_sha=${mac}`,
  ]
}

function own6({ ip6, allow }: Port): string[] {
  return ip6 === undefined ? [] : [ip6, ...allow.filter((cidr) => cidr.includes(':')), linkLocal]
}

function discovery6(port: Port): string[] {
  const none = '00:00:00:00:00:00'
  const own = own6(port)
  if (own.length === 0) return []
  const matches = [`icmp6,icmp_type=135,icmp_code=0,ipv6_src=::,nd_sll=${none}`]
  for (const source of own) {
    // A probe of reachability may come without the link-layer option (RFC 4861 §4.3, §4.4).
    for (const mac of [port.mac, none]) {
      matches.push(`icmp6,icmp_type=135,icmp_code=0,ipv6_src=${source},nd_sll=${mac}`)
      for (const target of own) matches.push(`icmp6,icmp_type=136,icmp_code=0,ipv6_src=${source},nd_target=${target},nd_tll=${mac}`)
    }
  }
  for (const type of withoutSource) matches.push(`icmp6,icmp_type=${type},ipv6_src=::`)
  return matches
}
