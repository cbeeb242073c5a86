import type { Network, Port, Vip } from '../../model/network.ts'
import { cookieOf } from './cookie.ts'
import { arpReply, advertisement, advertisedOptions } from './answer.ts'
import { emitToPort } from './fdb.ts'
import { drop, goOn, join, set, type Emit } from './emit.ts'
import { hexOf } from './routing.ts'
import { familyOf, vrrpMacs } from './floating-macs.ts'
import type { HostView, VipPlace } from './view.ts'

const noMac = '00:00:00:00:00:00'

/**
 * Floating addresses. The ports that may have one may send from it, under their own MAC or that of a virtual router; what another port says of
 * it is dropped. Who asks for it by ARP is answered by whoever has it, unless the network knows where it is: then here.
 */
export function emitVips(view: HostView, emit: Emit): void {
  for (const network of view.localNetworks) {
    for (const vip of view.index.vipsOf.get(network.name) ?? []) {
      for (const port of view.localPorts) if (port.network === network.name) emitClaims(vip, port, emit)
      const place = ownerOf(view, network, vip)
      if (place) emitAnswer(network, vip, place, emit)
    }
  }
  for (const network of view.reachedNetworks) {
    for (const vip of view.index.vipsOf.get(network.name) ?? []) emitPlace(view, network, vip, emit)
  }
}

/** Who has announced it, where that is asked. */
function ownerOf({ index }: HostView, network: Network, vip: Vip): VipPlace | undefined {
  const owner = network.broadcast === 'cluster+garp' || vip.healthCheck ? index.input.owners?.get(vip.name) : undefined
  return owner && vip.ports.includes(owner.port) && index.ports.has(owner.port) ? owner : undefined
}

function emitClaims(vip: Vip, port: Port, emit: Emit): void {
  const { ip } = vip
  const family = familyOf(vip)
  const from = `reg1=${port.number}`
  if (!vip.ports.includes(port.name)) {
    const refuse = cookieOf('vip-claim', 'port', port.name)
    const claim = family === 4 ? `arp,arp_spa=${ip}` : `icmp6,icmp_type=136,nd_target=${ip}`
    emit('portSecurity', 110, refuse, `${claim},${from}`, drop)
    return
  }
  const pass = cookieOf('none', 'vip', vip.name)
  const may = (priority: number, match: string): void => emit('portSecurity', priority, pass, `${match},${from}`, goOn('trackOut'))
  for (const mac of [port.mac, vrrpMacs[family]]) {
    const sender = `dl_src=${mac}`
    if (family === 4) {
      may(100, `arp,arp_spa=${ip},arp_sha=${mac},${sender}`)
      may(100, `ip,nw_src=${ip},${sender}`)
      may(100, `ip,nw_src=${port.ip},nw_proto=112,${sender}`)
      continue
    }
    may(50, `ipv6,ipv6_src=${ip},${sender}`)
    may(50, `ipv6,ipv6_src=fe80::/10,nw_proto=112,${sender}`)
    for (const link of [mac, noMac]) {
      may(100, `icmp6,icmp_type=135,icmp_code=0,ipv6_src=${ip},nd_sll=${link},${sender}`)
      for (const source of [ip, 'fe80::/10', ...(port.ip6 === undefined ? [] : [port.ip6])])
        may(100, `icmp6,icmp_type=136,icmp_code=0,ipv6_src=${source},nd_target=${ip},nd_tll=${link},${sender}`)
    }
  }
  // What it says of the address is for the others.
  const own = family === 4 ? `arp,arp_tpa=${ip}` : `icmp6,icmp_type=135,icmp_code=0,nd_target=${ip}`
  emit('arpAnswer', 110, pass, `${own},${from}`, goOn('gateway'))
}

function emitAnswer(network: Network, vip: Vip, { mac }: VipPlace, emit: Emit): void {
  const cookie = cookieOf('none', 'vip', vip.name)
  if (familyOf(vip) === 4) {
    emit('arpAnswer', 100, cookie, `arp,reg0=${network.vni},arp_tpa=${vip.ip},arp_op=1`, arpReply(vip.ip, mac))
    return
  }
  emit('arpAnswer', 100, cookie, `icmp6,reg0=${network.vni},icmp_type=135,icmp_code=0,nd_target=${vip.ip}`, advertisement(vip.ip, mac))
  emit('ndAnswer', 100, cookie, `icmp6,reg0=${network.vni},icmp_type=136,icmp_code=0,nd_target=${vip.ip}`, advertisedOptions(mac))
}

/** Layer 3, and the way to a virtual router's MAC. A network that does not learn has the address where it is declared first, for good. */
function emitPlace(view: HostView, network: Network, vip: Vip, emit: Emit): void {
  const { index } = view
  const learns = network.broadcast === 'cluster+garp' || vip.healthCheck !== undefined
  const owner = ownerOf(view, network, vip)
  const port = index.ports.get((learns ? owner?.port : vip.ports[0]) ?? '')
  if (!port) return
  const mac = owner?.mac ?? port.mac
  if (mac !== port.mac) emitToPort(view, network, port, `reg0=${network.vni},dl_dst=${mac}`, emit)
  const router = index.routerOf.get(network.name)
  if (!router) return
  const actions = join(set('eth_src', router.mac), set('eth_dst', mac), 'dec_ttl', goOn('fdb'))
  const hop = familyOf(vip) === 4 ? `ip,reg0=${network.vni},reg4=${hexOf(vip.ip)}` : `ipv6,reg0=${network.vni},xxreg1=${hexOf(vip.ip)}`
  emit('nextHop', 100, cookieOf('none', 'vip', vip.name), hop, actions)
}
