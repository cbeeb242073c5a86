/** What a frame holds, header by header. Addresses are texts, numbers are as the RFC names them; lengths and checksums are computed when built. */
export interface Packet {
  dst: string
  src: string
  /** IEEE 802.1Q tags, outermost first. */
  vlans: Vlan[]
  /** Type of what follows the tags; below 0x0600 it is a length (IEEE 802.3). */
  etherType: number
  arp?: Arp
  ip?: Ipv4 | Ipv6
  /** Absent where `ip` is, in later fragments, and for protocols and truncated headers that are not read here: then `payload` holds it. */
  transport?: Tcp | Udp | Icmp
  /** All bytes behind the last header above, Ethernet padding not. */
  payload: Uint8Array
}

export interface Vlan {
  tpid: number
  vid: number
  pcp: number
  dei: boolean
}

/** RFC 826, for IPv4 over Ethernet. */
export interface Arp {
  op: number
  sha: string
  spa: string
  tha: string
  tpa: string
}

interface Ip {
  src: string
  dst: string
  protocol: number
  /** TTL, or IPv6 hop limit. */
  ttl: number
  /** DSCP and ECN: the whole octet. */
  tos: number
}

/** RFC 791. */
export interface Ipv4 extends Ip {
  version: 4
  id: number
  dontFragment: boolean
  moreFragments: boolean
  fragmentOffsetBytes: number
  /** A multiple of 4 bytes. */
  options: Uint8Array
}

/** RFC 8200. `protocol` is that of the last header, behind the extensions. */
export interface Ipv6 extends Ip {
  version: 6
  label: number
  extensions: Ipv6Extension[]
}

/** Hop-by-hop (0), routing (43), fragment (44), destination options (60). `body` is what follows the next-header octet. */
export interface Ipv6Extension {
  type: number
  body: Uint8Array
}

/** RFC 9293. `flags` are the low 12 bits beside the data offset. */
export interface Tcp {
  kind: 'tcp'
  sport: number
  dport: number
  seq: number
  ack: number
  flags: number
  window: number
  urgent: number
  /** A multiple of 4 bytes. */
  options: Uint8Array
}

export interface Udp {
  kind: 'udp'
  sport: number
  dport: number
}

/** RFC 792, RFC 4443. `rest` is the header's second word: identifier and sequence of an echo, MTU of a too-big, flags of an advertisement. */
export interface Icmp {
  kind: 'icmp' | 'icmp6'
  type: number
  code: number
  rest: number
}

export const etherTypes = { ip4: 0x0800, arp: 0x0806, vlan: 0x8100, rarp: 0x8035, ip6: 0x86dd, serviceVlan: 0x88a8 } as const
export const protocols = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const
export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

export const extensionTypes = { hopByHop: 0, routing: 43, fragment: 44, authentication: 51, destination: 60 } as const
