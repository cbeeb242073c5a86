import koffi from 'koffi'
import { HoldfastError } from '../../core/errors.ts'
import { loadLibc, msgDontwait, sockCloexec, sockDgram } from './libc.ts'

const afInet = 2
const solSocket = 1
const soBindtodevice = 25
const ipprotoIp = 0
const ipTtl = 2
const addressBytes = 16

/** Where a datagram goes: a sockaddr_in, made once for each peer. */
export type Target = Buffer

/** ip(7)'s sockaddr_in. */
export function targetOf(address: string, port: number): Target {
  const target = Buffer.alloc(addressBytes)
  target.writeUInt16LE(afInet, 0)
  target.writeUInt16BE(port, 2)
  Buffer.from(address.split('.').map(Number)).copy(target, 4)
  return target
}

/**
 * A UDP socket on one plane that is asked for datagrams instead of calling back for each. Not `node:dgram`, because that wakes the
 * process for every datagram, which a flood turns into all of a core and three planes of peers into most of what the module costs at rest;
 * asked ten times a second, the work has a bound and happens in the same breath as sending. Bound to its NIC (SO_BINDTODEVICE, socket(7)),
 * with a TTL of 1: what comes another way or over a router says nothing about the plane.
 */
export class PlaneSocket implements Disposable {
  readonly #libc = loadLibc()
  readonly #descriptor: number
  readonly #buffer = Buffer.alloc(2048)
  readonly #from = Buffer.alloc(addressBytes)
  readonly #fromLength: [number] = [addressBytes]

  /** Throws `port-taken` or `internal` when the address cannot be used, as while the NIC is missing. */
  constructor(options: { nic: string; address: string; port: number }) {
    this.#descriptor = this.#libc.socket(afInet, sockDgram | sockCloexec, 0)
    if (this.#descriptor < 0)
      throw new HoldfastError('internal', `No UDP socket: errno ${koffi.errno()}`, 'See whether the agent may open more files.')
    const nic = Buffer.from(`${options.nic}\0`)
    const ttl = Buffer.from([1, 0, 0, 0])
    const own = targetOf(options.address, options.port)
    const done =
      this.#libc.setsockopt(this.#descriptor, solSocket, soBindtodevice, nic, nic.length) === 0 &&
      this.#libc.setsockopt(this.#descriptor, ipprotoIp, ipTtl, ttl, ttl.length) === 0 &&
      this.#libc.bind(this.#descriptor, own, own.length) === 0
    if (done) return
    const errno = koffi.errno()
    this.#libc.close(this.#descriptor)
    if (errno === 98)
      throw new HoldfastError('port-taken', `UDP port ${options.port} of ${options.address} is taken`, 'End the program that has it (ss -ulp).')
    throw new HoldfastError(
      'internal',
      `${options.address} cannot be used on ${options.nic}: errno ${errno}`,
      'Look whether that NIC has this address.',
      { errno },
    )
  }

  /** Sends one datagram. False when the kernel refuses, as without a link; then it is lost like one on the way. */
  send(bytes: Uint8Array, target: Target): boolean {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Number(this.#libc.sendto(this.#descriptor, buffer, buffer.length, msgDontwait, target, target.length)) === buffer.length
  }

  /** Hands over what has come, at most `limit` datagrams; the bytes are valid during the call only. Answers an errno, 0 when all is well. */
  receive(limit: number, take: (bytes: Uint8Array, fromAddress: string) => void): number {
    for (let count = 0; count < limit; count++) {
      this.#fromLength[0] = addressBytes
      const length = Number(this.#libc.recvfrom(this.#descriptor, this.#buffer, this.#buffer.length, msgDontwait, this.#from, this.#fromLength))
      if (length < 0) {
        const errno = koffi.errno()
        return errno === 11 ? 0 : errno
      }
      take(this.#buffer.subarray(0, length), `${this.#from[4]}.${this.#from[5]}.${this.#from[6]}.${this.#from[7]}`)
    }
    return 0
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#descriptor)
  }
}
