/**
 * The fields of ovs-fields(7) that are known here, and where each lies in a packet's key. Fields that OVS stores in one place
 * (struct flow) share one here too: ARP's addresses and IPv4's, ICMP's type and a TCP port, the link-layer addresses of ARP and of ND.
 */

/** A packet's fields in 32-bit words; fields of several words have the most significant one first. */
export type Key = Uint32Array

/** Index of a field's first word in a key. */
export const at = {
  inPort: 0,
  etherType: 1,
  ethDst: 2,
  ethSrc: 4,
  /** TPID in the upper half, TCI in the lower, with bit 12 set for a tag that is there. */
  vlan: 6,
  vlanInner: 7,
  ip4Src: 8,
  ip4Dst: 9,
  ip6Src: 10,
  ip6Dst: 14,
  ip6Label: 18,
  /** IP protocol, or ARP operation. */
  protocol: 19,
  tos: 20,
  ttl: 21,
  /** Bit 0: a fragment; bit 1: not the first one. */
  fragment: 22,
  /** Source port, or ICMP type. */
  l4Src: 23,
  /** Destination port, or ICMP code. */
  l4Dst: 24,
  /** TCP flags, or the type of the first ND link-layer option. */
  flags: 25,
  arpSha: 26,
  arpTha: 28,
  ndTarget: 30,
  ndReserved: 34,
  tunId: 35,
  tunSrc: 37,
  tunDst: 38,
  metadata: 39,
  registers: 41,
  ctState: 57,
  ctZone: 58,
  ctMark: 59,
  ctLabel: 60,
  pktMark: 64,
} as const

export const keyWords = 65

/** Bit of a TCI that says that there is a tag. */
export const vlanPresent = 0x1000

/** What a packet must be for it to have a field; names of OVS's MFP_ constants. */
export type Prerequisite = 'none' | 'arp' | 'ip4' | 'ip6' | 'ip' | 'tcp' | 'udp' | 'sctp' | 'ports' | 'icmp4' | 'icmp6' | 'nd' | 'ns' | 'na' | 'vlan'

/** How values are written. */
export type Form = 'integer' | 'mac' | 'ip4' | 'ip6' | 'ct-state' | 'tcp-flags' | 'fragment' | 'port'

export interface Field {
  name: string
  /** First word in the key, and how many words it covers. */
  word: number
  words: number
  /** Lowest bit within those words, and width. */
  low: number
  bits: number
  form: Form
  needs: Prerequisite
  /** `ct`: written by ct(exec(…)) only. */
  access: 'read-write' | 'read-only' | 'ct'
  /** Bits that are compared and written, where that is not all of them or one more. */
  mask?: number
  /** Writing it makes sure of a VLAN tag. */
  tags?: true
}

const byName = new Map<string, Field>()

type Options = Partial<Pick<Field, 'low' | 'needs' | 'access' | 'mask' | 'tags'>>

function define(names: string, word: number, bits: number, form: Form, options: Options = {}): void {
  const [name = '', ...aliases] = names.split(' ')
  const low = options.low ?? 0
  const field: Field = { name, word, words: Math.ceil((low + bits) / 32), bits, form, needs: 'none', access: 'read-write', ...options, low }
  for (const known of [name, ...aliases]) byName.set(known, field)
}

define('in_port in_port_oxm NXM_OF_IN_PORT OXM_OF_IN_PORT', at.inPort, 16, 'port')
define('eth_dst dl_dst NXM_OF_ETH_DST OXM_OF_ETH_DST', at.ethDst, 48, 'mac')
define('eth_src dl_src NXM_OF_ETH_SRC OXM_OF_ETH_SRC', at.ethSrc, 48, 'mac')
define('eth_type dl_type NXM_OF_ETH_TYPE OXM_OF_ETH_TYPE', at.etherType, 16, 'integer', { access: 'read-only' })
define('vlan_tci NXM_OF_VLAN_TCI', at.vlan, 16, 'integer')
define('dl_vlan', at.vlan, 12, 'integer', { tags: true })
define('dl_vlan_pcp', at.vlan, 3, 'integer', { low: 13, tags: true })
define('vlan_vid OXM_OF_VLAN_VID', at.vlan, 12, 'integer', { mask: 0xfff | vlanPresent })
define('vlan_pcp OXM_OF_VLAN_PCP', at.vlan, 3, 'integer', { low: 13, tags: true, needs: 'vlan' })
define('ip_src nw_src NXM_OF_IP_SRC OXM_OF_IPV4_SRC', at.ip4Src, 32, 'ip4', { needs: 'ip4' })
define('ip_dst nw_dst NXM_OF_IP_DST OXM_OF_IPV4_DST', at.ip4Dst, 32, 'ip4', { needs: 'ip4' })
define('ipv6_src NXM_NX_IPV6_SRC OXM_OF_IPV6_SRC', at.ip6Src, 128, 'ip6', { needs: 'ip6' })
define('ipv6_dst NXM_NX_IPV6_DST OXM_OF_IPV6_DST', at.ip6Dst, 128, 'ip6', { needs: 'ip6' })
define('ipv6_label NXM_NX_IPV6_LABEL OXM_OF_IPV6_FLABEL', at.ip6Label, 20, 'integer', { needs: 'ip6' })
define('nw_proto ip_proto NXM_OF_IP_PROTO OXM_OF_IP_PROTO', at.protocol, 8, 'integer', { needs: 'ip', access: 'read-only' })
define('nw_tos NXM_OF_IP_TOS', at.tos, 8, 'integer', { needs: 'ip', mask: 0xfc })
define('ip_dscp OXM_OF_IP_DSCP', at.tos, 6, 'integer', { low: 2, needs: 'ip' })
define('nw_ecn ip_ecn NXM_NX_IP_ECN OXM_OF_IP_ECN', at.tos, 2, 'integer', { needs: 'ip' })
define('nw_ttl NXM_NX_IP_TTL', at.ttl, 8, 'integer', { needs: 'ip' })
define('ip_frag nw_frag NXM_NX_IP_FRAG', at.fragment, 2, 'fragment', { needs: 'ip', access: 'read-only' })
define('arp_op NXM_OF_ARP_OP OXM_OF_ARP_OP', at.protocol, 16, 'integer', { needs: 'arp', mask: 0xff })
define('arp_spa NXM_OF_ARP_SPA OXM_OF_ARP_SPA', at.ip4Src, 32, 'ip4', { needs: 'arp' })
define('arp_tpa NXM_OF_ARP_TPA OXM_OF_ARP_TPA', at.ip4Dst, 32, 'ip4', { needs: 'arp' })
define('arp_sha NXM_NX_ARP_SHA OXM_OF_ARP_SHA', at.arpSha, 48, 'mac', { needs: 'arp' })
define('arp_tha NXM_NX_ARP_THA OXM_OF_ARP_THA', at.arpTha, 48, 'mac', { needs: 'arp' })
define('tp_src', at.l4Src, 16, 'integer', { needs: 'ports' })
define('tp_dst', at.l4Dst, 16, 'integer', { needs: 'ports' })
for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
  const upper = protocol.toUpperCase()
  // To write those of SCTP would take its CRC32c.
  const options: Options = { needs: protocol, access: protocol === 'sctp' ? 'read-only' : 'read-write' }
  define(`${protocol}_src NXM_OF_${upper}_SRC OXM_OF_${upper}_SRC`, at.l4Src, 16, 'integer', options)
  define(`${protocol}_dst NXM_OF_${upper}_DST OXM_OF_${upper}_DST`, at.l4Dst, 16, 'integer', options)
}
define('tcp_flags NXM_NX_TCP_FLAGS OXM_OF_TCP_FLAGS', at.flags, 12, 'tcp-flags', { needs: 'tcp', access: 'read-only' })
define('icmp_type NXM_OF_ICMP_TYPE OXM_OF_ICMPV4_TYPE', at.l4Src, 8, 'integer', { needs: 'icmp4' })
define('icmp_code NXM_OF_ICMP_CODE OXM_OF_ICMPV4_CODE', at.l4Dst, 8, 'integer', { needs: 'icmp4' })
define('icmpv6_type NXM_NX_ICMPV6_TYPE OXM_OF_ICMPV6_TYPE', at.l4Src, 8, 'integer', { needs: 'icmp6' })
define('icmpv6_code NXM_NX_ICMPV6_CODE OXM_OF_ICMPV6_CODE', at.l4Dst, 8, 'integer', { needs: 'icmp6' })
define('nd_target NXM_NX_ND_TARGET OXM_OF_IPV6_ND_TARGET', at.ndTarget, 128, 'ip6', { needs: 'nd' })
define('nd_sll NXM_NX_ND_SLL OXM_OF_IPV6_ND_SLL', at.arpSha, 48, 'mac', { needs: 'ns' })
define('nd_tll NXM_NX_ND_TLL OXM_OF_IPV6_ND_TLL', at.arpTha, 48, 'mac', { needs: 'na' })
define('nd_reserved ERICOXM_OF_ICMPV6_ND_RESERVED', at.ndReserved, 32, 'integer', { needs: 'nd' })
define('nd_options_type ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE', at.flags, 8, 'integer', { needs: 'nd' })
define('tun_id tunnel_id NXM_NX_TUN_ID OXM_OF_TUNNEL_ID', at.tunId, 64, 'integer')
define('tun_src NXM_NX_TUN_IPV4_SRC', at.tunSrc, 32, 'ip4')
define('tun_dst NXM_NX_TUN_IPV4_DST', at.tunDst, 32, 'ip4')
define('metadata OXM_OF_METADATA', at.metadata, 64, 'integer')
define('pkt_mark NXM_NX_PKT_MARK', at.pktMark, 32, 'integer')
define('ct_state NXM_NX_CT_STATE', at.ctState, 32, 'ct-state', { access: 'read-only' })
define('ct_zone NXM_NX_CT_ZONE', at.ctZone, 16, 'integer', { access: 'read-only' })
define('ct_mark NXM_NX_CT_MARK', at.ctMark, 32, 'integer', { access: 'ct' })
define('ct_label NXM_NX_CT_LABEL', at.ctLabel, 128, 'integer', { access: 'ct' })
for (let index = 0; index < 16; index++) define(`reg${index} NXM_NX_REG${index}`, at.registers + index, 32, 'integer')
for (let index = 0; index < 8; index++) define(`xreg${index} OXM_OF_PKT_REG${index}`, at.registers + index * 2, 64, 'integer')
for (let index = 0; index < 4; index++) define(`xxreg${index} NXM_NX_XXREG${index}`, at.registers + index * 4, 128, 'integer')

/** A field by any of its names: of ovs-fields(7), its older alias, or its NXM or OXM name. */
export function fieldByName(name: string): Field | undefined {
  return byName.get(name)
}

/** Whether a packet has what a field needs; see mf_are_prereqs_ok() of OVS. */
export function meets(key: Key, needs: Prerequisite): boolean {
  const etherType = key[at.etherType]!
  const ip = etherType === 0x0800 || etherType === 0x86dd
  const protocol = key[at.protocol]!
  const first = key[at.fragment]! < 2
  const nd = etherType === 0x86dd && protocol === 58 && key[at.l4Dst] === 0
  const type = key[at.l4Src]!
  switch (needs) {
    case 'none':
      return true
    case 'arp':
      return etherType === 0x0806 || etherType === 0x8035
    case 'ip4':
      return etherType === 0x0800
    case 'ip6':
      return etherType === 0x86dd
    case 'ip':
      return ip
    case 'tcp':
      return ip && protocol === 6 && first
    case 'udp':
      return ip && protocol === 17 && first
    case 'sctp':
      return ip && protocol === 132 && first
    case 'ports':
      return ip && (protocol === 6 || protocol === 17) && first
    case 'icmp4':
      return etherType === 0x0800 && protocol === 1
    case 'icmp6':
      return etherType === 0x86dd && protocol === 58
    case 'nd':
      return nd && (type === 135 || type === 136)
    case 'ns':
      return nd && type === 135
    case 'na':
      return nd && type === 136
    case 'vlan':
      return (key[at.vlan]! & vlanPresent) !== 0
  }
}
