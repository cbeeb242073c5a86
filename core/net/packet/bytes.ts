import { HoldfastError } from '../../errors.ts'
import { formatIpv4, formatIpv6, parseIpv6 } from '../address.ts'

/** Reading and writing network byte order in byte arrays, and the texts of bytes. Nothing here checks bounds: callers do. */

export function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** Unsigned. */
export function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function write32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower case, without separators. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += hexPairs[byte]!
  return text
}

/** Reads pairs of hexadecimal digits, without separators. Throws `bad-input`. */
export function fromHex(text: string): Uint8Array {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) {
    throw new HoldfastError('bad-input', 'Bytes are not pairs of hexadecimal digits', 'Write each byte with two digits, without separators.')
  }
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => parseInt(text.slice(index * 2, index * 2 + 2), 16))
}

/** `aa:bb:cc:dd:ee:ff`, of the 6 bytes at an offset. */
export function macAt(bytes: Uint8Array, at: number): string {
  let text = hexPairs[bytes[at]!]!
  for (let index = 1; index < 6; index++) text += `:${hexPairs[bytes[at + index]!]!}`
  return text
}

export function ip4At(bytes: Uint8Array, at: number): string {
  return formatIpv4(read32(bytes, at))
}

export function ip6At(bytes: Uint8Array, at: number): string {
  let value = 0n
  for (let word = 0; word < 4; word++) value = (value << 32n) | BigInt(read32(bytes, at + word * 4))
  return formatIpv6(value)
}

/** The 16 bytes of an IPv6 address. Throws `bad-input` for any other text. */
export function ip6Bytes(text: string): Uint8Array {
  const value = parseIpv6(text)
  if (value === null) throw new HoldfastError('bad-input', `'${text}' is no IPv6 address`, 'Write the address as RFC 4291 says.', { text })
  const bytes = new Uint8Array(16)
  for (let word = 0; word < 4; word++) write32(bytes, word * 4, Number((value >> BigInt(96 - word * 32)) & 0xffff_ffffn))
  return bytes
}

/** The 6 bytes of a MAC such as `0a:00:00:00:00:01`. Throws `bad-input` for any other text. */
export function macBytes(text: string): Uint8Array {
  if (/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return fromHex(text.replaceAll(':', ''))
  throw new HoldfastError('bad-input', `'${text}' is no MAC`, 'Write the MAC as six pairs of hexadecimal digits with colons.', { text })
}
