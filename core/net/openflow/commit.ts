import { read16, read32, write16, write32 } from '../packet/bytes.ts'
import { updateChecksum, updateChecksumOver, upperChecksum } from '../packet/checksum.ts'
import { etherTypes, extensionTypes, protocols } from '../packet/packet.ts'
import { isVlanType, type Offsets } from './extract.ts'
import { at, vlanPresent, type Key } from './fields.ts'

/**
 * Writes changed fields into a frame, as OVS's datapath does (lib/packets.c, lib/odp-execute.c): checksums are updated for what changed,
 * not computed anew, so that a wrong one stays wrong.
 */

/** A frame with the places of its headers. Its bytes are never changed in place. */
export interface Frame extends Offsets {
  bytes: Uint8Array
}

/** Words of a key that lie in a frame and can be written. */
const firstWord = at.ethDst
const endWord = at.tunId

/** Whether a frame of key `before` has to be changed to have the key `after`. */
export function differs(before: Key, after: Key): boolean {
  for (let word = firstWord; word < endWord; word++) if (before[word] !== after[word]) return true
  return false
}

/** The frame with the fields of `after`; it has those of `before`. */
export function commit(frame: Frame, before: Key, after: Key): Frame {
  const changed = (first: number, words = 1): boolean => {
    for (let word = first; word < first + words; word++) if (before[word] !== after[word]) return true
    return false
  }
  const written: Frame = { ...frame, bytes: frame.bytes.slice() }
  const { bytes, l4 } = written
  if (changed(at.ethDst, 2)) writeMac(bytes, 0, after, at.ethDst)
  if (changed(at.ethSrc, 2)) writeMac(bytes, 6, after, at.ethSrc)
  const type = before[at.etherType]!
  const protocol = after[at.protocol]!
  const ip = type === etherTypes.ip4 || type === etherTypes.ip6
  // OVS takes a packet whose protocol is 0 for one without an IP header.
  if (protocol !== 0) {
    if (type === etherTypes.ip4) {
      if (changed(at.ip4Src, 2) || changed(at.tos, 2)) writeIpv4(written, before, after)
    } else if (type === etherTypes.ip6) {
      if (changed(at.ip6Src, 9) || changed(at.tos, 2)) writeIpv6(written, before, after)
      if (before[at.protocol] === protocols.icmp6 && upperBytes(written) >= 24) {
        if (changed(at.ndReserved) || changed(at.flags)) writeNeighbourHeader(written, before, after)
        if (changed(at.ndTarget, 4) || changed(at.arpSha, 4)) writeNeighbour(written, before, after)
      }
    } else if (type === etherTypes.arp && (changed(at.ip4Src, 2) || changed(at.protocol) || changed(at.arpSha, 4))) writeArp(written, before, after)
    if (ip && changed(at.l4Src, 2)) writePorts(written, protocol, after)
  }
  if (ip && changed(at.l4Src, 2) && protocol === (type === etherTypes.ip4 ? protocols.icmp : protocols.icmp6) && upperBytes(written) >= 8) {
    const tied = (after[at.l4Src]! << 8) | after[at.l4Dst]!
    write16(bytes, l4 + 2, updateChecksum(read16(bytes, l4 + 2), read16(bytes, l4), tied))
    write16(bytes, l4, tied)
  }
  return changed(at.vlan, 2) ? writeVlans(written, before, after) : written
}

/** Bytes from the transport header to the end of the IP packet; 0 where there is none. */
function upperBytes({ bytes, l4, paddingBytes }: Frame): number {
  return l4 < 0 ? 0 : bytes.length - l4 - paddingBytes
}

function writeMac(bytes: Uint8Array, offset: number, key: Key, word: number): void {
  write16(bytes, offset, key[word]!)
  write32(bytes, offset + 2, key[word + 1]!)
}

function wordBytes(key: Key, word: number, words: number): Uint8Array {
  const bytes = new Uint8Array(words * 4)
  for (let index = 0; index < words; index++) write32(bytes, index * 4, key[word + index]!)
  return bytes
}

/** Where the checksum of a TCP, UDP or, for IPv6, ICMPv6 header is that covers the IP addresses; null where there is none to keep right. */
function addressedChecksum(frame: Frame, protocol: number): number | null {
  const size = upperBytes(frame)
  if (protocol === protocols.tcp && size >= 20) return frame.l4 + 16
  if (protocol === protocols.udp && size >= 8 && read16(frame.bytes, frame.l4 + 6) !== 0) return frame.l4 + 6
  return null
}

/** Replaces an address at `offset` and updates the checksum at `sumAt`. RFC 768: a UDP checksum of zero would mean that there is none. */
function replaceAddress(bytes: Uint8Array, offset: number, address: Uint8Array, sumAt: number | null, protocol: number): void {
  if (sumAt !== null) {
    const sum = updateChecksumOver(read16(bytes, sumAt), bytes, offset, address)
    write16(bytes, sumAt, sum === 0 && protocol === protocols.udp ? 0xffff : sum)
  }
  bytes.set(address, offset)
}

function writeIpv4(frame: Frame, before: Key, after: Key): void {
  const { bytes, l3 } = frame
  const protocol = bytes[l3 + 9]!
  for (const [word, offset] of [
    [at.ip4Src, 12],
    [at.ip4Dst, 16],
  ] as const) {
    if (before[word] === after[word]) continue
    const address = wordBytes(after, word, 1)
    write16(bytes, l3 + 10, updateChecksumOver(read16(bytes, l3 + 10), bytes, l3 + offset, address))
    replaceAddress(bytes, l3 + offset, address, addressedChecksum(frame, protocol), protocol)
  }
  for (const [word, offset] of [
    [at.tos, 1],
    [at.ttl, 8],
  ] as const) {
    if (before[word] === after[word]) continue
    const even = offset - (offset % 2)
    const old = read16(bytes, l3 + even)
    bytes[l3 + offset] = after[word]!
    write16(bytes, l3 + 10, updateChecksum(read16(bytes, l3 + 10), old, read16(bytes, l3 + even)))
  }
}

function writeIpv6(frame: Frame, before: Key, after: Key): void {
  const { bytes, l3 } = frame
  const { protocol, rewritable } = upperOf(frame)
  const sumAt = (): number | null => (protocol === protocols.icmp6 && upperBytes(frame) >= 4 ? frame.l4 + 2 : addressedChecksum(frame, protocol))
  for (const [word, offset] of [
    [at.ip6Src, 8],
    [at.ip6Dst, 24],
  ] as const) {
    const address = wordBytes(after, word, 4)
    if (address.some((byte, index) => byte !== bytes[l3 + offset + index])) {
      replaceAddress(bytes, l3 + offset, address, rewritable ? sumAt() : null, protocol)
    }
  }
  const first = read32(bytes, l3)
  write32(bytes, l3, ((first & 0xf000_0000) | (after[at.tos]! << 20) | after[at.ip6Label]!) >>> 0)
  if (before[at.ttl] !== after[at.ttl]) bytes[l3 + 7] = after[at.ttl]!
}

/**
 * The protocol behind the extension headers, and whether its checksum is in this fragment. A routing header with segments left counts as
 * the last one, so that no checksum is touched: the destination is then not yet the one that it covers (RFC 8200 §8.1).
 */
function upperOf({ bytes, l3, l4 }: Frame): { protocol: number; rewritable: boolean } {
  const { hopByHop, routing, fragment, authentication, destination } = extensionTypes
  const found = { protocol: bytes[l3 + 6]!, rewritable: true }
  let offset = l3 + 40
  for (;;) {
    const type = found.protocol
    if (type !== hopByHop && type !== routing && type !== destination && type !== authentication && type !== fragment) return found
    if (l4 - offset < 8) return found
    if (type === routing && bytes[offset + 3]! > 0) return found
    if (type === fragment) found.rewritable = (read16(bytes, offset + 2) & 0xfff8) === 0 && (read16(bytes, offset + 2) & 1) !== 0
    const length = type === fragment ? 8 : type === authentication ? (bytes[offset + 1]! + 2) * 4 : (bytes[offset + 1]! + 1) * 8
    found.protocol = bytes[offset]!
    if (l4 - offset < length) return found
    offset += length
  }
}

function writeArp({ bytes, l3 }: Frame, before: Key, after: Key): void {
  if (before[at.protocol] !== after[at.protocol]) write16(bytes, l3 + 6, after[at.protocol]!)
  for (const [word, offset] of [
    [at.arpSha, 8],
    [at.arpTha, 18],
  ] as const) {
    if (before[word] !== after[word] || before[word + 1] !== after[word + 1]) writeMac(bytes, l3 + offset, after, word)
  }
  if (before[at.ip4Src] !== after[at.ip4Src]) write32(bytes, l3 + 14, after[at.ip4Src]!)
  if (before[at.ip4Dst] !== after[at.ip4Dst]) write32(bytes, l3 + 24, after[at.ip4Dst]!)
}

function writePorts(frame: Frame, protocol: number, after: Key): void {
  const { bytes, l4 } = frame
  const size = upperBytes(frame)
  const header = protocol === protocols.tcp ? 20 : 8
  if (protocol === protocols.tcp) {
    const headerBytes = size < header ? 0 : (bytes[l4 + 12]! >> 4) * 4
    if (headerBytes < header || headerBytes > size) return
  } else if (protocol !== protocols.udp || size < header) return
  const sumAt = protocol === protocols.tcp ? l4 + 16 : l4 + 6
  const checked = protocol === protocols.tcp || read16(bytes, sumAt) !== 0
  for (const [word, offset] of [
    [at.l4Src, l4],
    [at.l4Dst, l4 + 2],
  ] as const) {
    const port = after[word]!
    const old = read16(bytes, offset)
    if (old === port) continue
    if (checked) write16(bytes, sumAt, updateChecksum(read16(bytes, sumAt), old, port))
    write16(bytes, offset, port)
  }
  if (protocol === protocols.udp && checked && read16(bytes, sumAt) === 0) write16(bytes, sumAt, 0xffff)
}

/** RFC 4861 §4.3, §4.4: flags, and the type of the first option; this alone computes the checksum anew. */
function writeNeighbourHeader(frame: Frame, before: Key, after: Key): void {
  const { bytes, l3, l4, paddingBytes } = frame
  if (before[at.ndReserved] !== after[at.ndReserved]) write32(bytes, l4 + 4, after[at.ndReserved]!)
  if (before[at.flags] !== after[at.flags]) bytes[l4 + 24] = after[at.flags]!
  write16(bytes, l4 + 2, 0)
  write16(bytes, l4 + 2, upperChecksum(bytes, 6, l3, protocols.icmp6, l4, bytes.length - paddingBytes))
}

function writeNeighbour(frame: Frame, before: Key, after: Key): void {
  const { bytes, l4 } = frame
  const sumAt = l4 + 2
  if (before.subarray(at.ndTarget, at.ndTarget + 4).some((word, index) => word !== after[at.ndTarget + index])) {
    replaceAddress(bytes, l4 + 8, wordBytes(after, at.ndTarget, 4), sumAt, protocols.icmp6)
  }
  const end = l4 + upperBytes(frame)
  let offset = l4 + 24
  while (end - offset >= 8 && bytes[offset + 1] !== 0) {
    const option = bytes[offset]
    if ((option === 1 || option === 2) && bytes[offset + 1] === 1) {
      const word = option === 1 ? at.arpSha : at.arpTha
      if (before[word] !== after[word] || before[word + 1] !== after[word + 1]) {
        replaceAddress(bytes, offset + 2, wordBytes(after, word, 2).subarray(2), sumAt, protocols.icmp6)
      }
      return
    }
    offset += bytes[offset + 1]! * 8
  }
}

function tags(key: Key): number[] {
  const outer = key[at.vlan]!
  const inner = key[at.vlanInner]!
  if ((outer & vlanPresent) === 0) return []
  return (inner & vlanPresent) === 0 ? [outer] : [outer, inner]
}

/** Takes off the tags that are not to be there any more, from the outside, and puts on new ones. */
function writeVlans(frame: Frame, before: Key, after: Key): Frame {
  const old = tags(before)
  const wanted = tags(after)
  while (old.length > 0 && wanted.length > 0 && old.at(-1) === wanted.at(-1)) {
    old.pop()
    wanted.pop()
  }
  let { bytes } = frame
  for (let count = old.length; count > 0 && bytes.length >= 18 && isVlanType(read16(bytes, 12)); count--) {
    const popped = new Uint8Array(bytes.length - 4)
    popped.set(bytes.subarray(0, 12))
    popped.set(bytes.subarray(16), 12)
    bytes = popped
  }
  for (const tag of wanted.reverse()) {
    const pushed = new Uint8Array(bytes.length + 4)
    pushed.set(bytes.subarray(0, 12))
    // OVS has bit 12 of a TCI for itself: the drop-eligible bit of a tag that it writes is never set.
    write32(pushed, 12, (tag & ~vlanPresent) >>> 0)
    pushed.set(bytes.subarray(12), 16)
    bytes = pushed
  }
  const moved = bytes.length - frame.bytes.length
  return { ...frame, bytes, l3: frame.l3 + moved, l4: frame.l4 < 0 ? -1 : frame.l4 + moved }
}
