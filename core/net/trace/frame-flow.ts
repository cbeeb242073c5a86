import { parseFrame } from '../packet/parse.ts'
import { ip6At, macAt } from '../packet/bytes.ts'
import { tcpFlags, type Packet } from '../packet/packet.ts'

/**
 * A frame as a flow in the words of ovs-fields(7), for `ofproto/trace`: told of a flow it only thinks; told of the frame itself, Open
 * vSwitch 3.1 in user space sends it on, to whoever it is for.
 */
export function frameFlow(frame: Uint8Array): string {
  const packet = parseFrame(frame)
  if (!packet) return ''
  const { src, dst, vlans, etherType, arp, ip } = packet
  const [vlan] = vlans
  const link = [`dl_src=${src}`, `dl_dst=${dst}`, ...(vlan ? [`dl_vlan=${vlan.vid}`, `dl_vlan_pcp=${vlan.pcp}`] : [])]
  if (arp) {
    const { op, spa, tpa, sha, tha } = arp
    return [...link, 'arp', `arp_op=${op}`, `arp_spa=${spa}`, `arp_tpa=${tpa}`, `arp_sha=${sha}`, `arp_tha=${tha}`].join(',')
  }
  if (!ip) return [...link, `dl_type=0x${etherType.toString(16)}`].join(',')
  const six = ip.version === 6
  const ends = six ? [`ipv6_src=${ip.src}`, `ipv6_dst=${ip.dst}`] : [`nw_src=${ip.src}`, `nw_dst=${ip.dst}`]
  const network = [six ? 'ipv6' : 'ip', `nw_proto=${ip.protocol}`, ...ends, `nw_ttl=${ip.ttl}`, `nw_tos=${ip.tos & 0xfc}`, `nw_ecn=${ip.tos & 3}`]
  return [...link, ...network, ...transportFields(packet)].join(',')
}

function transportFields({ transport, payload }: Packet): string[] {
  if (!transport) return []
  if (transport.kind === 'udp') return [`udp_src=${transport.sport}`, `udp_dst=${transport.dport}`]
  if (transport.kind === 'tcp') {
    const flags = Object.entries(tcpFlags).map(([name, bit]) => `${transport.flags & bit ? '+' : '-'}${name}`)
    return [`tcp_src=${transport.sport}`, `tcp_dst=${transport.dport}`, `tcp_flags=${flags.join('')}`]
  }
  const { kind, type, code } = transport
  if (kind === 'icmp') return [`icmp_type=${type}`, `icmp_code=${code}`]
  const fields = [`icmpv6_type=${type}`, `icmpv6_code=${code}`]
  // Neighbour discovery: the target, and the one option that gives a MAC, RFC 4861 §4.3 and §4.4.
  if ((type !== 135 && type !== 136) || payload.length < 16) return fields
  const option = payload.length >= 24 ? [`nd_${type === 135 ? 'sll' : 'tll'}=${macAt(payload, 18)}`] : []
  return [...fields, `nd_target=${ip6At(payload, 0)}`, ...option]
}
