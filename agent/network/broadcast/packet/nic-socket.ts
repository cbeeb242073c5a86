import koffi from 'koffi'
import { HoldfastError } from '../../../../core/errors.ts'
import { loadLibc, msgDontwait, sockCloexec, sockRaw } from '../../../cluster/libc.ts'

/** packet(7), socket(7), linux/if_packet.h. */
const afPacket = 17
const everyProtocol = 0x0300
const solSocket = 1
const socketOptions = { attachFilter: 26, receiveBufferForce: 33 } as const
const receiveBufferBytes = 8 * 1024 * 1024
const addressBytes = 20
const largestFrameBytes = 65_536
/** Frames in one turn, so that others have theirs. */
const framesATurn = 256

/** Classic BPF of a packet socket: opcodes of linux/bpf_common.h, `[code, jump if true, jump if false, k]`. */
const vlanTagPresent = 0xffff_f000 + 48
const filter = [
  [0x20, 0, 0, vlanTagPresent],
  [0x15, 0, 10, 0],
  [0x28, 0, 0, 12],
  [0x15, 7, 0, 0x0806],
  [0x15, 0, 7, 0x0800],
  [0x30, 0, 0, 23],
  [0x15, 4, 0, 47],
  [0x15, 0, 4, 17],
  [0x28, 0, 0, 36],
  [0x15, 1, 0, 4789],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, largestFrameBytes],
  [0x06, 0, 0, 0],
] as const

/** A socket at a NIC that hears ARP and tunnels, those that the host itself sends too; the kernel hears them as well. */
export class NicSocket implements Disposable {
  readonly descriptor: number
  readonly #libc = loadLibc()
  readonly #poll: ReturnType<typeof koffi.node.poll>
  readonly #buffer = Buffer.alloc(largestFrameBytes)
  readonly #address = Buffer.alloc(addressBytes)
  readonly #addressLength: [number] = [addressBytes]

  /** The bytes of a frame are valid during the call only. Throws `not-supported` where the agent may not have such a socket. */
  constructor(ifindex: number, onFrame: (frame: Buffer) => void) {
    // Bound before it hears anything.
    this.descriptor = this.#libc.socket(afPacket, sockRaw | sockCloexec, 0)
    if (this.descriptor < 0) throw refused('be opened')
    const program = Buffer.alloc(filter.length * 8)
    filter.forEach(([code, yes, no, value], index) => {
      program.writeUInt16LE(code, index * 8)
      program.set([yes, no], index * 8 + 2)
      program.writeUInt32LE(value, index * 8 + 4)
    })
    const attached = Buffer.alloc(16)
    attached.writeUInt16LE(filter.length, 0)
    attached.writeBigUInt64LE(koffi.address(program), 8)
    const size = Buffer.alloc(4)
    size.writeInt32LE(receiveBufferBytes)
    const bound = Buffer.alloc(addressBytes)
    bound.writeUInt16LE(afPacket, 0)
    bound.writeUInt16LE(everyProtocol, 2)
    bound.writeInt32LE(ifindex, 4)
    const set = (option: number, value: Buffer): boolean => this.#libc.setsockopt(this.descriptor, solSocket, option, value, value.length) === 0
    set(socketOptions.receiveBufferForce, size)
    if (!set(socketOptions.attachFilter, attached) || this.#libc.bind(this.descriptor, bound, bound.length) !== 0) {
      const error = refused('hear at the NIC')
      this.#libc.close(this.descriptor)
      throw error
    }
    this.#poll = koffi.node.poll(this.descriptor, { readable: true }, () => this.#drain(onFrame))
    this.#poll.unref()
  }

  send(frame: Buffer): boolean {
    return Number(this.#libc.send(this.descriptor, frame, frame.length, msgDontwait)) === frame.length
  }

  #drain(onFrame: (frame: Buffer) => void): void {
    for (let count = 0; count < framesATurn; count++) {
      this.#addressLength[0] = addressBytes
      const { descriptor } = this
      const length = Number(this.#libc.recvfrom(descriptor, this.#buffer, largestFrameBytes, msgDontwait, this.#address, this.#addressLength))
      if (length < 0) return
      onFrame(this.#buffer.subarray(0, length))
    }
  }

  [Symbol.dispose](): void {
    this.#poll.close()
    this.#libc.close(this.descriptor)
  }
}

function refused(what: string): HoldfastError {
  return new HoldfastError(
    'not-supported',
    `A packet socket cannot ${what}: errno ${koffi.errno()}`,
    'The agent must run as root, with CAP_NET_RAW (capabilities(7)).',
    { reason: 'no-rights', errno: koffi.errno() },
  )
}
