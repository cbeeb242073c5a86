import type { Network, Router } from '../../model/network.ts'
import { cidrContains, cidrsOverlap, parseCidr, parseIp } from '../address.ts'
import { cookieOf, type OwnerKind } from './cookie.ts'
import { drop, goOn, join, set, type Emit } from './emit.ts'
import { sendError } from './errors.ts'
import { peerOf, type HostView } from './view.ts'

/** Longest prefix first; at the same length what is attached comes before what is declared. */
const priorityOf = (cidr: string, attached: boolean): number => 1000 + 2 * parseCidr(cidr)!.prefixLength + Number(attached)

/** What two prefixes share: the longer one where one holds the other, else nothing. */
function shared(a: string, b: string): string | null {
  const [first, second] = [parseCidr(a)!, parseCidr(b)!]
  if (!cidrsOverlap(first, second)) return null
  return cidrContains(first, second) ? b : a
}

/** An address as a register holds it. */
export const hexOf = (ip: string): string => `0x${parseIp(ip)!.value.toString(16)}`

/** Distributed routing: every host routes what its own ports send, straight into the network of the destination. */
export function emitRouting(view: HostView, emit: Emit): void {
  const { index } = view
  for (const network of view.localNetworks) {
    const router = index.routerOf.get(network.name)
    const cookie = cookieOf('none', 'network', network.name)
    const mtu = network.mtuBytes + 14
    if (router)
      emit(
        'gateway',
        100,
        cookieOf('none', 'router', router.name),
        `reg0=${network.vni},dl_dst=${router.mac}`,
        join(set('reg3', router.number), goOn('routing')),
      )
    for (const family of ['ip', 'ipv6'])
      emit('gateway', 50, cookie, `${family},reg0=${network.vni}`, join(`check_pkt_larger(${mtu})->NXM_NX_REG8[0]`, goOn('fdb')))
    emit('gateway', 1, cookie, `reg0=${network.vni}`, goOn('fdb'))
  }
  for (const router of view.routers) emitRouter(view, router, emit)
  const pipeline = cookieOf('ttl', 'pipeline', '')
  if (view.routers.length === 0) return
  for (const family of ['ip', 'ipv6']) {
    emit('routing', 60_000, pipeline, `${family},nw_ttl=1`, sendError('ttl'))
    emit('routing', 60_000, pipeline, `${family},nw_ttl=0`, drop)
  }
}

function emitRouter(view: HostView, router: Router, emit: Emit): void {
  const { index } = view
  const cookie = cookieOf('none', 'router', router.name)
  const lost = cookieOf('no-route', 'router', router.name)
  const networks = router.networks.map((name) => index.networks.get(name)!)
  for (const network of networks) {
    emitGatewayAnswers(router, network, emit)
    for (const subnet of subnetsOf(network)) emitRoute(router, subnet, true, network, undefined, ['network', network.name], emit)
  }
  for (const route of router.routes) {
    const network = networkOf(view, networks, route.via)
    if (network) emitRoute(router, route.to, false, network, route.via, ['router', router.name], emit)
  }
  for (const peering of index.peeringsOf.get(router.name) ?? []) {
    const peer = peerOf(index, peering, router)
    const peerNetworks = peer.networks.map((name) => index.networks.get(name)!)
    // What the peer's own routes lead to, as far as the peering lets it through; not what it reaches by peerings of its own.
    for (const { on, to } of peering.routes) {
      if (on !== router.name) continue
      const owner: [OwnerKind, string] = ['peering', peering.name]
      for (const network of peerNetworks) {
        for (const subnet of subnetsOf(network)) {
          const prefix = shared(subnet, to)
          if (prefix) emitRoute(router, prefix, false, network, undefined, owner, emit)
        }
      }
      // Where the peering lets through less than several of its routes, they share a prefix: the longest one of them decides, as at the peer.
      for (const route of peer.routes.toSorted((a, b) => parseCidr(b.to)!.prefixLength - parseCidr(a.to)!.prefixLength)) {
        const prefix = shared(route.to, to)
        const network = networkOf(view, peerNetworks, route.via)
        if (prefix && network) emitRoute(router, prefix, false, network, route.via, owner, emit)
      }
    }
  }
  emit('routing', 10, lost, `ip,reg3=${router.number}`, sendError('no-route'))
  emit('routing', 10, lost, `ipv6,reg3=${router.number}`, sendError('no-route'))
  emit('routing', 1, cookie, `reg3=${router.number}`, drop)
}

/** The network with the port that a route goes by. */
function networkOf({ index }: HostView, networks: readonly Network[], via: string): Network | undefined {
  return networks.find((network) => index.portsOf.get(network.name)?.some((port) => port.ip === via || port.ip6 === via))
}

function subnetsOf(network: Network): string[] {
  return [network.subnet, ...(network.subnet6 === undefined ? [] : [network.subnet6])]
}

function emitRoute(
  router: Router,
  to: string,
  attached: boolean,
  network: Network,
  via: string | undefined,
  [kind, name]: [OwnerKind, string],
  emit: Emit,
): void {
  const four = parseCidr(to)!.family === 4
  const hop = four ? 'move:NXM_OF_IP_DST[]->NXM_NX_REG4[]' : 'move:NXM_NX_IPV6_DST[]->NXM_NX_XXREG1[]'
  const nextHop = via === undefined ? hop : set(four ? 'reg4' : 'xxreg1', hexOf(via))
  const match = `${four ? 'ip' : 'ipv6'},reg3=${router.number},${four ? 'nw_dst' : 'ipv6_dst'}=${to}`
  const tooBig = `check_pkt_larger(${network.mtuBytes + 14})->NXM_NX_REG8[0]`
  emit('routing', priorityOf(to, attached), cookieOf('none', kind, name), match, join(set('reg0', network.vni), nextHop, tooBig, goOn('nextHop')))
}

/** The gateway's own address: echo is answered here (RFC 792, RFC 4443 §4.2), what asks for a service is told that there is none. */
function emitGatewayAnswers(router: Router, network: Network, emit: Emit): void {
  const cookie = cookieOf('none', 'router', router.name)
  const refused = cookieOf('unknown-destination', 'router', router.name)
  const back = join('move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]', set('eth_src', router.mac))
  const { gateway, gateway6 } = network
  if (gateway !== undefined) {
    const to = `reg3=${router.number},nw_dst=${gateway}`
    const echo = join(back, 'move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]', set('ip_src', gateway), set('icmp_type', 0), set('nw_ttl', 64), 'in_port')
    emit('routing', 62_000, cookie, `icmp,icmp_type=8,icmp_code=0,${to}`, echo)
    for (const proto of ['tcp', 'udp']) emit('routing', 61_500, refused, `${proto},${to}`, sendError('port'))
    emit('routing', 61_000, refused, `ip,${to}`, drop)
  }
  if (gateway6 !== undefined) {
    const to = `reg3=${router.number},ipv6_dst=${gateway6}`
    const echo = join(
      back,
      'move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]',
      set('ipv6_src', gateway6),
      set('icmpv6_type', 129),
      set('nw_ttl', 64),
      'in_port',
    )
    emit('routing', 62_000, cookie, `icmp6,icmp_type=128,icmp_code=0,${to}`, echo)
    for (const proto of ['tcp6', 'udp6']) emit('routing', 61_500, refused, `${proto},${to}`, sendError('port'))
    emit('routing', 61_000, refused, `ipv6,${to}`, drop)
  }
}

/** The MAC of whatever is next, once the network that it is in is known. Nobody answers for an address without a port: the sender is told. */
export function emitNextHops(view: HostView, emit: Emit): void {
  const { index } = view
  for (const network of view.reachedNetworks) {
    const router = index.routerOf.get(network.name)
    if (!router) continue
    const tooBig = cookieOf('mtu', 'network', network.name)
    const nobody = cookieOf('unknown-destination', 'network', network.name)
    for (const family of ['ip', 'ipv6']) {
      emit('nextHop', 200, tooBig, `${family},reg0=${network.vni},reg8=0x1/0x1`, sendError('too-big', network.mtuBytes))
      emit('nextHop', 10, nobody, `${family},reg0=${network.vni}`, sendError('unreachable'))
    }
    for (const port of index.portsOf.get(network.name) ?? []) {
      const cookie = cookieOf('none', 'port', port.name)
      const actions = join(set('eth_src', router.mac), set('eth_dst', port.mac), 'dec_ttl', goOn('fdb'))
      emit('nextHop', 100, cookie, `ip,reg0=${network.vni},reg4=${hexOf(port.ip)}`, actions)
      if (port.ip6 !== undefined) emit('nextHop', 100, cookie, `ipv6,reg0=${network.vni},xxreg1=${hexOf(port.ip6)}`, actions)
    }
  }
}
