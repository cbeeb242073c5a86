import { read16, read32 } from '../packet/bytes.ts'
import { etherTypes, extensionTypes, protocols } from '../packet/packet.ts'
import { at, vlanPresent, type Key } from './fields.ts'

/**
 * A frame's fields as OVS sees them: what miniflow_extract() of its lib/flow.c does, with `other_config:vlan-limit` at its default of 1
 * (a second tag is not looked into). Malformed headers leave the fields that they would fill at zero.
 */

/** Where a frame's headers begin, in bytes; -1 where there is none that is sound. */
export interface Offsets {
  /** IP or ARP header; anything behind the Ethernet header. */
  l3: number
  /** What follows a sound IP header with its extensions. */
  l4: number
  /** Bytes behind the end of the IP packet. */
  paddingBytes: number
}

const noEtherType = 0x05ff
/** LLC and SNAP headers of an Ethernet type in an IEEE 802.3 frame (RFC 1042). */
const snap = [0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00]

/** Fills the key's packet fields from a frame of any bytes; those of metadata are left as they are. */
export function extract(frame: Uint8Array, key: Key): Offsets {
  key.fill(0, at.etherType, at.tunId)
  const offsets: Offsets = { l3: -1, l4: -1, paddingBytes: 0 }
  if (frame.length < 14) return offsets
  key[at.ethDst] = read16(frame, 0)
  key[at.ethDst + 1] = read32(frame, 2)
  key[at.ethSrc] = read16(frame, 6)
  key[at.ethSrc + 1] = read32(frame, 8)
  const l3 = extractEtherType(frame, key)
  offsets.l3 = l3
  const etherType = key[at.etherType]!
  if (etherType === etherTypes.ip4) extractIpv4(frame, key, offsets)
  else if (etherType === etherTypes.ip6) extractIpv6(frame, key, offsets)
  else if (etherType === etherTypes.arp || etherType === etherTypes.rarp) extractArp(frame, l3, key)
  return offsets
}

export function isVlanType(type: number): boolean {
  return type === etherTypes.vlan || type === etherTypes.serviceVlan
}

/** Answers where the payload begins. */
function extractEtherType(frame: Uint8Array, key: Key): number {
  let from = 12
  if (isVlanType(read16(frame, 12)) && frame.length >= 18) {
    key[at.vlan] = (read32(frame, 12) | vlanPresent) >>> 0
    from = 16
  }
  const type = read16(frame, from)
  const body = from + 2
  key[at.etherType] = noEtherType
  if (type >= 0x0600) key[at.etherType] = type
  else if (frame.length >= body + 8 && snap.every((byte, index) => frame[body + index] === byte)) {
    const inner = read16(frame, body + 6)
    if (inner >= 0x0600) key[at.etherType] = inner
    return body + 8
  }
  return body
}

function extractArp(frame: Uint8Array, l3: number, key: Key): void {
  if (frame.length < l3 + 28 || read32(frame, l3) !== 0x0001_0800 || read16(frame, l3 + 4) !== 0x0604) return
  key[at.ip4Src] = read32(frame, l3 + 14)
  key[at.ip4Dst] = read32(frame, l3 + 24)
  const op = read16(frame, l3 + 6)
  if (op <= 0xff) key[at.protocol] = op
  key[at.arpSha] = read16(frame, l3 + 8)
  key[at.arpSha + 1] = read32(frame, l3 + 10)
  key[at.arpTha] = read16(frame, l3 + 18)
  key[at.arpTha + 1] = read32(frame, l3 + 20)
}

function extractIpv4(frame: Uint8Array, key: Key, offsets: Offsets): void {
  const { l3 } = offsets
  const size = frame.length - l3
  if (size < 20) return
  const headerBytes = (frame[l3]! & 15) * 4
  const totalBytes = read16(frame, l3 + 2)
  if (headerBytes < 20 || size < headerBytes || totalBytes > size || headerBytes > totalBytes) return
  offsets.paddingBytes = size - totalBytes
  key[at.ip4Src] = read32(frame, l3 + 12)
  key[at.ip4Dst] = read32(frame, l3 + 16)
  key[at.tos] = frame[l3 + 1]!
  key[at.ttl] = frame[l3 + 8]!
  key[at.protocol] = frame[l3 + 9]!
  const fragment = read16(frame, l3 + 6)
  if ((fragment & 0x3fff) !== 0) key[at.fragment] = (fragment & 0x1fff) === 0 ? 1 : 3
  offsets.l4 = l3 + headerBytes
  extractTransport(frame, l3 + totalBytes, key, offsets)
}

function extractIpv6(frame: Uint8Array, key: Key, offsets: Offsets): void {
  const { l3 } = offsets
  if (frame.length < l3 + 40) return
  const end = l3 + 40 + read16(frame, l3 + 4)
  if (end > frame.length) return
  offsets.paddingBytes = frame.length - end
  for (let word = 0; word < 8; word++) key[at.ip6Src + word] = read32(frame, l3 + 8 + word * 4)
  const last = skipExtensions(frame, l3 + 40, end, frame[l3 + 6]!)
  if (!last) return
  const flow = read32(frame, l3)
  key[at.ip6Label] = flow & 0xf_ffff
  key[at.tos] = (flow >>> 20) & 0xff
  key[at.ttl] = frame[l3 + 7]!
  key[at.protocol] = last.protocol
  key[at.fragment] = last.fragment
  offsets.l4 = last.at
  extractTransport(frame, end, key, offsets)
}

/** What follows IPv6 extension headers: `fragment` as in `at.fragment`. */
export interface LastHeader {
  protocol: number
  at: number
  fragment: number
  /** More fragments follow. */
  more: boolean
}

/** Goes over extension headers from `from`, the first of type `protocol`. Null if one is cut off. A later fragment ends the search. */
export function skipExtensions(frame: Uint8Array, from: number, end: number, protocol: number): LastHeader | null {
  const { hopByHop, routing, fragment, authentication, destination } = extensionTypes
  const last = { protocol, at: from, fragment: 0, more: false }
  for (;;) {
    const type = last.protocol
    if (type !== hopByHop && type !== routing && type !== destination && type !== authentication && type !== fragment) return last
    if (end - last.at < 8) return null
    const unit = frame[last.at + 1]!
    const length = type === fragment ? 8 : type === authentication ? (unit + 2) * 4 : (unit + 1) * 8
    if (end - last.at < length) return null
    const offset = read16(frame, last.at + 2)
    last.protocol = frame[last.at]!
    last.at += length
    if (type === fragment && offset !== 0) {
      last.fragment = 1
      last.more = (offset & 1) !== 0
      if ((offset & 0xfff8) !== 0) return { ...last, protocol: fragment, fragment: 3 }
    }
  }
}

/** As in OVS, the protocol alone decides, be it in IPv4 or IPv6. */
function extractTransport(frame: Uint8Array, end: number, key: Key, { l4 }: Offsets): void {
  if (key[at.fragment]! >= 2) return
  const size = end - l4
  const protocol = key[at.protocol]!
  if (protocol === protocols.tcp) {
    const headerBytes = size < 20 ? 0 : (frame[l4 + 12]! >> 4) * 4
    if (headerBytes < 20 || headerBytes > size) return
    key[at.flags] = read16(frame, l4 + 12) & 0xfff
    extractPorts(frame, l4, key)
  } else if (protocol === protocols.udp) {
    if (size >= 8) extractPorts(frame, l4, key)
  } else if (protocol === protocols.sctp) {
    if (size >= 12) extractPorts(frame, l4, key)
  } else if ((protocol === protocols.icmp || protocol === protocols.igmp) && size >= 8) {
    extractType(frame, l4, key)
    if (protocol === protocols.igmp) key[at.ndReserved] = read32(frame, l4 + 4)
  } else if (protocol === protocols.icmp6 && size >= 8) {
    extractType(frame, l4, key)
    extractNeighbour(frame, end, l4, key)
  }
}

function extractPorts(frame: Uint8Array, l4: number, key: Key): void {
  key[at.l4Src] = read16(frame, l4)
  key[at.l4Dst] = read16(frame, l4 + 2)
}

function extractType(frame: Uint8Array, l4: number, key: Key): void {
  key[at.l4Src] = frame[l4]!
  key[at.l4Dst] = frame[l4 + 1]!
}

/** Neighbour solicitations and advertisements (RFC 4861 §4.3, §4.4); one that says a link-layer address twice has neither target nor addresses. */
function extractNeighbour(frame: Uint8Array, end: number, l4: number, key: Key): void {
  const type = frame[l4]
  if (frame[l4 + 1] !== 0 || (type !== 135 && type !== 136)) return
  key[at.ndReserved] = read32(frame, l4 + 4)
  let from = l4 + 24
  if (end < from) return
  for (let word = 0; word < 4; word++) key[at.ndTarget + word] = read32(frame, l4 + 8 + word * 4)
  while (end - from >= 8) {
    const option = frame[from]
    const length = frame[from + 1]! * 8
    if (length === 0 || length > end - from) return
    if ((option === 1 || option === 2) && length === 8) {
      const into = option === 1 ? at.arpSha : at.arpTha
      if (key[into] !== 0 || key[into + 1] !== 0) {
        key.fill(0, at.ndTarget, at.ndTarget + 4)
        key.fill(0, at.arpSha, at.arpTha + 2)
        return
      }
      key[into] = read16(frame, from + 2)
      key[into + 1] = read32(frame, from + 4)
      if (key[at.flags] === 0) key[at.flags] = option
    }
    from += length
  }
}
