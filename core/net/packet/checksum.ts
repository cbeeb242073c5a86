import { read16, write16 } from './bytes.ts'

/** The Internet checksum: RFC 1071, and its update in place as RFC 1624 (eqn. 3) has it. */

/** Folds carries into 16 bits and complements. */
function finish(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000)
  return ~folded & 0xffff
}

function add(sum: number, bytes: Uint8Array, from: number, to: number): number {
  let total = sum
  let at = from
  for (; at + 1 < to; at += 2) total += read16(bytes, at)
  return at < to ? total + (bytes[at]! << 8) : total
}

/** Checksum of bytes `from` to `to` (not included); 0 if they hold their own right checksum. */
export function checksum(bytes: Uint8Array, from = 0, to = bytes.length): number {
  return finish(add(0, bytes, from, to))
}

/**
 * Checksum of an upper-layer packet from `from` to `to` with the pseudo-header of the IP header at `l3` (RFC 793, RFC 8200 §8.1).
 * `protocol` is the upper layer's number. The family is not read from the header, which may be wrong about itself.
 */
export function upperChecksum(bytes: Uint8Array, family: 4 | 6, l3: number, protocol: number, from: number, to: number): number {
  const addresses = family === 4 ? l3 + 12 : l3 + 8
  const pseudo = add(protocol + (to - from), bytes, addresses, addresses + (family === 4 ? 8 : 32))
  return finish(add(pseudo, bytes, from, to))
}

/** The checksum after a 16-bit word that it covers changed. */
export function updateChecksum(sum: number, before: number, after: number): number {
  return finish((~sum & 0xffff) + (~before & 0xffff) + after)
}

/** The checksum after the bytes at `at` become `after`, an even number of bytes; nothing is written. */
export function updateChecksumOver(sum: number, bytes: Uint8Array, at: number, after: Uint8Array): number {
  let updated = sum
  for (let index = 0; index < after.length; index += 2) updated = updateChecksum(updated, read16(bytes, at + index), read16(after, index))
  return updated
}

/** Puts the checksum of `from` to `to` at `at`, where zero counts for the field itself. */
export function writeChecksum(bytes: Uint8Array, at: number, from: number, to: number): void {
  write16(bytes, at, 0)
  write16(bytes, at, checksum(bytes, from, to))
}
