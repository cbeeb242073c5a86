import { ip4At, ip6At, macAt, read16, read32 } from './bytes.ts'
import {
  etherTypes,
  extensionTypes,
  protocols,
  type Arp,
  type Icmp,
  type Ipv4,
  type Ipv6,
  type Ipv6Extension,
  type Packet,
  type Tcp,
  type Udp,
} from './packet.ts'

/**
 * Reads the headers of a frame as far as they are whole; what is not, is in `payload`. Never throws; null for less than an Ethernet
 * header. Inverse of `buildFrame`. Checksums are not verified.
 */
export function parseFrame(bytes: Uint8Array): Packet | null {
  if (bytes.length < 14) return null
  const vlans = []
  let at = 12
  while (isVlan(read16(bytes, at)) && bytes.length >= at + 6) {
    const tci = read16(bytes, at + 2)
    vlans.push({ tpid: read16(bytes, at), vid: tci & 0xfff, pcp: tci >> 13, dei: (tci & 0x1000) !== 0 })
    at += 4
  }
  const packet: Packet = { dst: macAt(bytes, 0), src: macAt(bytes, 6), vlans, etherType: read16(bytes, at), payload: bytes.subarray(at + 2) }
  const body = packet.payload
  if (packet.etherType === etherTypes.arp) {
    const arp = parseArp(body)
    // Ethernet pads a short frame (IEEE 802.3); ARP says no length, so what is behind it is padding.
    return arp ? { ...packet, arp, payload: body.subarray(28, 28) } : packet
  }
  const read = packet.etherType === etherTypes.ip4 ? parseIpv4(body) : packet.etherType === etherTypes.ip6 ? parseIpv6(body) : null
  if (!read) return packet
  const { ip, upper, fragment } = read
  const transport = fragment ? null : parseTransport(ip, upper)
  return transport ? { ...packet, ip, transport: transport.header, payload: upper.subarray(transport.bytes) } : { ...packet, ip, payload: upper }
}

function isVlan(type: number): boolean {
  return type === etherTypes.vlan || type === etherTypes.serviceVlan
}

function parseArp(bytes: Uint8Array): Arp | null {
  if (bytes.length < 28 || read32(bytes, 0) !== 0x0001_0800 || read16(bytes, 4) !== 0x0604) return null
  return { op: read16(bytes, 6), sha: macAt(bytes, 8), spa: ip4At(bytes, 14), tha: macAt(bytes, 18), tpa: ip4At(bytes, 24) }
}

/** `fragment`: not the first one, so that no transport header is there. */
interface ReadIp {
  ip: Ipv4 | Ipv6
  upper: Uint8Array
  fragment: boolean
}

function parseIpv4(bytes: Uint8Array): ReadIp | null {
  if (bytes.length < 20 || bytes[0]! >> 4 !== 4) return null
  const headerBytes = (bytes[0]! & 15) * 4
  const totalBytes = read16(bytes, 2)
  if (headerBytes < 20 || totalBytes < headerBytes || totalBytes > bytes.length) return null
  const fragment = read16(bytes, 6)
  const fragmentOffsetBytes = (fragment & 0x1fff) * 8
  const ip: Ipv4 = {
    version: 4,
    src: ip4At(bytes, 12),
    dst: ip4At(bytes, 16),
    protocol: bytes[9]!,
    ttl: bytes[8]!,
    tos: bytes[1]!,
    id: read16(bytes, 4),
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffsetBytes,
    options: bytes.subarray(20, headerBytes),
  }
  return { ip, upper: bytes.subarray(headerBytes, totalBytes), fragment: fragmentOffsetBytes > 0 }
}

function parseIpv6(bytes: Uint8Array): ReadIp | null {
  if (bytes.length < 40 || bytes[0]! >> 4 !== 6) return null
  const end = 40 + read16(bytes, 4)
  if (end > bytes.length) return null
  const extensions: Ipv6Extension[] = []
  let protocol = bytes[6]!
  let at = 40
  let fragment = false
  while (!fragment && isExtension(protocol) && at + 8 <= end) {
    const length = protocol === extensionTypes.fragment ? 8 : (bytes[at + 1]! + 1) * 8
    if (at + length > end) break
    fragment = protocol === extensionTypes.fragment && (read16(bytes, at + 2) & 0xfff8) !== 0
    extensions.push({ type: protocol, body: bytes.subarray(at + 1, at + length) })
    protocol = bytes[at]!
    at += length
  }
  const flow = read32(bytes, 0)
  const ip: Ipv6 = {
    version: 6,
    src: ip6At(bytes, 8),
    dst: ip6At(bytes, 24),
    protocol,
    ttl: bytes[7]!,
    tos: (flow >>> 20) & 0xff,
    label: flow & 0xf_ffff,
    extensions,
  }
  return { ip, upper: bytes.subarray(at, end), fragment }
}

function isExtension(protocol: number): boolean {
  const { hopByHop, routing, fragment, destination } = extensionTypes
  return protocol === hopByHop || protocol === routing || protocol === fragment || protocol === destination
}

function parseTransport(ip: Ipv4 | Ipv6, bytes: Uint8Array): { header: Tcp | Udp | Icmp; bytes: number } | null {
  if (bytes.length < 8) return null
  if (ip.protocol === protocols.tcp) return parseTcp(bytes)
  if (ip.protocol === protocols.udp) {
    if (read16(bytes, 4) !== bytes.length) return null
    return { header: { kind: 'udp', sport: read16(bytes, 0), dport: read16(bytes, 2) }, bytes: 8 }
  }
  const kind = ip.version === 4 && ip.protocol === protocols.icmp ? 'icmp' : ip.version === 6 && ip.protocol === protocols.icmp6 ? 'icmp6' : null
  return kind && { header: { kind, type: bytes[0]!, code: bytes[1]!, rest: read32(bytes, 4) }, bytes: 8 }
}

function parseTcp(bytes: Uint8Array): { header: Tcp; bytes: number } | null {
  const headerBytes = bytes.length < 20 ? 0 : (bytes[12]! >> 4) * 4
  if (headerBytes < 20 || headerBytes > bytes.length) return null
  const header: Tcp = {
    kind: 'tcp',
    sport: read16(bytes, 0),
    dport: read16(bytes, 2),
    seq: read32(bytes, 4),
    ack: read32(bytes, 8),
    flags: read16(bytes, 12) & 0xfff,
    window: read16(bytes, 14),
    urgent: read16(bytes, 18),
    options: bytes.subarray(20, headerBytes),
  }
  return { header, bytes: headerBytes }
}
