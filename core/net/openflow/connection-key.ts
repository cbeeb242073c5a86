import { read16, toHex } from '../packet/bytes.ts'
import { checksum, upperChecksum } from '../packet/checksum.ts'
import { etherTypes, protocols } from '../packet/packet.ts'
import type { Frame } from './commit.ts'
import { skipExtensions } from './extract.ts'

/**
 * By what conntrack knows a connection, and which packets it takes for invalid, as conn_key_extract() of OVS's lib/conntrack.c: bad
 * checksums (IPv4 header, TCP, UDP, ICMP), wrong lengths, TCP or UDP port 0, fragments, ICMP that is neither an echo, timestamp or
 * information message of code 0 nor an error about a packet that has a key itself and was sent by whom the error is for.
 */

/** One side of a connection. For ICMP `port` is the identifier and `type` that of the messages this side sends. */
interface Side {
  address: string
  port: number
  type: number
}

export interface ConnectionKey {
  etherType: number
  protocol: number
  src: Side
  dst: Side
}

export interface FoundKey {
  key: ConnectionKey
  /** The key is of the packet that an ICMP error is about, seen from the error's direction. */
  related: boolean
}

const icmpReplies: Record<number, number> = { 8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15 }
const icmpErrors = [3, 4, 5, 11, 12]
const icmp6Replies: Record<number, number> = { 128: 129, 129: 128 }
const icmp6Errors = [1, 2, 3, 4]

export function reversed({ src, dst, ...rest }: ConnectionKey): ConnectionKey {
  return { ...rest, src: dst, dst: src }
}

/** A text that is the same for the same key in the same zone. */
export function keyText(zone: number, { etherType, protocol, src, dst }: ConnectionKey): string {
  return `${zone} ${etherType} ${protocol} ${src.address} ${src.port} ${src.type} ${dst.address} ${dst.port} ${dst.type}`
}

/** Null for a packet that is invalid to conntrack. */
export function connectionKey(frame: Frame, etherType: number): FoundKey | null {
  const { bytes, l3, l4, paddingBytes } = frame
  if (l3 < 0 || l4 < 0) return null
  const end = bytes.length - paddingBytes
  const l3Key = etherType === etherTypes.ip4 ? ipv4Key(bytes, l3, end, true) : etherType === etherTypes.ip6 ? ipv6Key(bytes, l3, end) : null
  return l3Key && upperKey({ bytes, l3, from: l4, end }, l3Key.key)
}

function side(bytes: Uint8Array, from: number, length: number): Side {
  return { address: toHex(bytes.subarray(from, from + length)), port: 0, type: 0 }
}

interface L3Key {
  key: ConnectionKey
  /** Where the transport header begins. */
  l4: number
}

function ipv4Key(bytes: Uint8Array, l3: number, end: number, checked: boolean): L3Key | null {
  if (end - l3 < 20) return null
  const headerBytes = (bytes[l3]! & 15) * 4
  if (headerBytes < 20 || end - l3 < headerBytes || (read16(bytes, l3 + 6) & 0x3fff) !== 0) return null
  if (checked && checksum(bytes, l3, l3 + headerBytes) !== 0) return null
  const key = { etherType: etherTypes.ip4, protocol: bytes[l3 + 9]!, src: side(bytes, l3 + 12, 4), dst: side(bytes, l3 + 16, 4) }
  return { key, l4: l3 + headerBytes }
}

function ipv6Key(bytes: Uint8Array, l3: number, end: number): L3Key | null {
  if (end - l3 < 40) return null
  const last = skipExtensions(bytes, l3 + 40, end, bytes[l3 + 6]!)
  if (!last || last.fragment !== 0) return null
  return { key: { etherType: etherTypes.ip6, protocol: last.protocol, src: side(bytes, l3 + 8, 16), dst: side(bytes, l3 + 24, 16) }, l4: last.at }
}

/** A transport header: `l3` is the IP header before it, for the pseudo-header. */
interface Upper {
  bytes: Uint8Array
  l3: number
  from: number
  end: number
  /** Set for what is quoted in an ICMP error: bytes of it that must be there; checksums are not looked at. */
  quotedBytes?: number
}

function upperKey(upper: Upper, key: ConnectionKey): FoundKey | null {
  const { protocol } = key
  const icmp = protocol === (key.etherType === etherTypes.ip4 ? protocols.icmp : protocols.icmp6)
  if (protocol === protocols.tcp || protocol === protocols.udp) return portsKey(upper, key)
  return icmp ? icmpKey(upper, key) : { key, related: false }
}

function portsKey({ bytes, l3, from, end, quotedBytes }: Upper, key: ConnectionKey): FoundKey | null {
  const size = end - from
  const tcp = key.protocol === protocols.tcp
  if (size < (quotedBytes ?? (tcp ? 20 : 8))) return null
  if (quotedBytes === undefined) {
    const length = tcp ? (bytes[from + 12]! >> 4) * 4 : read16(bytes, from + 4)
    if (length < (tcp ? 20 : 8) || length > size) return null
    const unchecked = !tcp && key.etherType === etherTypes.ip4 && read16(bytes, from + 6) === 0
    if (!unchecked && upperChecksum(bytes, key.etherType === etherTypes.ip4 ? 4 : 6, l3, key.protocol, from, end) !== 0) return null
  }
  const src = { ...key.src, port: read16(bytes, from) }
  const dst = { ...key.dst, port: read16(bytes, from + 2) }
  return src.port === 0 || dst.port === 0 ? null : { key: { ...key, src, dst }, related: false }
}

function icmpKey(upper: Upper, key: ConnectionKey): FoundKey | null {
  const { bytes, l3, from, end, quotedBytes } = upper
  const four = key.etherType === etherTypes.ip4
  if (quotedBytes === undefined && (four ? checksum(bytes, from, end) : upperChecksum(bytes, 6, l3, protocols.icmp6, from, end)) !== 0) return null
  if (end - from < 8) return null
  const type = bytes[from]!
  if ((four ? icmpErrors : icmp6Errors).includes(type)) return quotedBytes === undefined ? errorKey(upper, key) : null
  const reply = (four ? icmpReplies : icmp6Replies)[type]
  if (reply === undefined || bytes[from + 1] !== 0) return null
  const port = read16(bytes, from + 4)
  return { key: { ...key, src: { ...key.src, port, type }, dst: { ...key.dst, port, type: reply } }, related: false }
}

/** The key of the packet quoted in an ICMP error. */
function errorKey({ bytes, from, end }: Upper, key: ConnectionKey): FoundKey | null {
  const quoted = from + 8
  const four = key.etherType === etherTypes.ip4
  const inner = four ? ipv4Key(bytes, quoted, end, false) : ipv6Key(bytes, quoted, end)
  if (!inner || inner.key.src.address !== key.dst.address) return null
  // RFC 792 promises 8 bytes of the quoted packet's payload; RFC 4443 much more.
  const quotedBytes = four ? 8 : inner.key.protocol === protocols.tcp ? 20 : 8
  const found = upperKey({ bytes, l3: quoted, from: inner.l4, end, quotedBytes }, inner.key)
  return found && { key: reversed(found.key), related: true }
}
