import koffi from 'koffi'
import { macBytes } from '../../../../core/net/packet/bytes.ts'
import { updateChecksumOver, writeChecksum } from '../../../../core/net/packet/checksum.ts'
import { ip4Bytes, type Member } from '../members.ts'

/** Outer headers and that of VXLAN, the longer one. */
const headerBytes = 50
/** sendmmsg(2): `struct mmsghdr`, and two `struct iovec` each: its header, and what all copies share. */
const messageBytes = 64
const vectorBytes = 32

/** Sends a frame to members that take one kind of tunnel by as few calls as can be. */
export class CopySender {
  readonly #members: readonly Member[]
  readonly #addresses: readonly Buffer[]
  readonly #headers: Buffer
  readonly #vectors: Buffer
  readonly #messages: Buffer

  constructor(members: readonly Member[]) {
    this.#members = members
    // MAC and IP of each, as they stand in the header.
    this.#addresses = members.map(({ ip, mac }) => Buffer.concat([macBytes(mac), ip4Bytes(ip)]))
    // At least one, for memory of no bytes has no address.
    const count = Math.max(1, members.length)
    this.#headers = Buffer.alloc(count * headerBytes)
    this.#vectors = Buffer.alloc(count * vectorBytes)
    this.#messages = Buffer.alloc(count * messageBytes)
    const [headersAt, vectorsAt] = [koffi.address(this.#headers), koffi.address(this.#vectors)]
    for (let index = 0; index < count; index++) {
      this.#vectors.writeBigUInt64LE(headersAt + BigInt(index * headerBytes), index * vectorBytes)
      this.#messages.writeBigUInt64LE(vectorsAt + BigInt(index * vectorBytes), index * messageBytes + 16)
      this.#messages.writeBigUInt64LE(2n, index * messageBytes + 24)
    }
  }

  /** One copy to each member but that with the address `except`. `header`: up to the guest's frame, right but for whom it goes to. */
  send(descriptor: number, header: Buffer, payload: Buffer, except: string): { copies: number; failed: number } {
    const payloadAt = koffi.address(payload)
    let skipped = this.#members.length
    const checked = header[23] === 17 && header.readUInt16BE(40) !== 0
    for (const [index, address] of this.#addresses.entries()) {
      if (this.#members[index]!.ip === except) skipped = index
      const copy = this.#headers.subarray(index * headerBytes, index * headerBytes + header.length)
      copy.set(header)
      copy.set(address.subarray(0, 6), 0)
      if (checked) copy.writeUInt16BE(updateChecksumOver(header.readUInt16BE(40), header, 30, address.subarray(6)) || 0xffff, 40)
      copy.set(address.subarray(6), 30)
      writeChecksum(copy, 24, 14, 34)
      const vector = index * vectorBytes
      this.#vectors.writeBigUInt64LE(BigInt(header.length), vector + 8)
      this.#vectors.writeBigUInt64LE(payloadAt, vector + 16)
      this.#vectors.writeBigUInt64LE(BigInt(payload.length), vector + 24)
    }
    const before = this.#sendRange(descriptor, 0, skipped)
    const after = this.#sendRange(descriptor, skipped + 1, this.#members.length)
    return { copies: before.copies + after.copies, failed: before.failed + after.failed }
  }

  #sendRange(descriptor: number, from: number, to: number): { copies: number; failed: number } {
    let failed = 0
    for (let next = from; next < to;) {
      const sent = sendMany()(descriptor, this.#messages.subarray(next * messageBytes), to - next, 0)
      if (sent > 0) next += sent
      else {
        failed++
        next++
      }
    }
    return { copies: Math.max(0, to - from) - failed, failed }
  }
}

let sendmmsg: ((descriptor: number, messages: Buffer, count: number, flags: number) => number) | undefined

function sendMany(): NonNullable<typeof sendmmsg> {
  sendmmsg ??= koffi.load(null).func('int sendmmsg(int, void *, uint, int)') as unknown as NonNullable<typeof sendmmsg>
  return sendmmsg
}
