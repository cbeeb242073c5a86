import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'

/** linux/if_packet.h, sys/socket.h, netinet/in.h; architecture-independent where Holdfast runs. */
const AF_INET = 2
const AF_INET6 = 10
const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SO_SNDBUFFORCE = 32
const IPPROTO_RAW = 255
const ETH_P_ALL = 3
const PACKET_OUTGOING = 4
const CLONE_NEWNET = 0x4000_0000
const MSG_DONTWAIT = 0x40

const libc = koffi.load(null)
const socket = libc.func('int socket(int, int, int)') as (family: number, type: number, protocol: number) => number
const bind = libc.func('int bind(int, void *, uint)') as (descriptor: number, address: Buffer, length: number) => number
const setns = libc.func('int setns(int, int)') as (descriptor: number, type: number) => number
const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint)') as (
  fd: number,
  level: number,
  name: number,
  value: Buffer,
  n: number,
) => number
const sendto = libc.func('long sendto(int, void *, size_t, int, void *, uint)') as (
  descriptor: number,
  bytes: Buffer,
  length: number,
  flags: number,
  address: Buffer | null,
  addressLength: number,
) => number
const recvfrom = libc.func('long recvfrom(int, _Out_ void *, size_t, int, _Out_ void *, _Inout_ void *)') as (
  descriptor: number,
  bytes: Buffer,
  length: number,
  flags: number,
  address: Buffer,
  addressLength: Buffer,
) => number

const frameBytes = 16 * 1024
const bufferBytes = 4 << 20

/** Sockets in the network namespace of a guest: packets are sent as its own system sends them, and all that comes to its eth0 is read. */
export class GuestSockets {
  readonly #raw4: number
  readonly #raw6: number
  readonly #packet: number
  readonly #frame = Buffer.alloc(frameBytes)

  /** `namespace`: file of the namespace; `deviceIndex`: of eth0 in there. */
  constructor(namespace: string, deviceIndex: number) {
    const [there, home] = [openSync(namespace, 'r'), openSync('/proc/thread-self/ns/net', 'r')]
    // A call that does not wait runs on this very thread, and a socket belongs to the namespace that its maker was in.
    checked(setns(there, CLONE_NEWNET), 'setns')
    try {
      this.#raw4 = checked(socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW), 'socket')
      this.#raw6 = checked(socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW), 'socket')
      this.#packet = checked(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), 'socket')
      const size = Buffer.alloc(4)
      size.writeInt32LE(bufferBytes)
      checked(setsockopt(this.#packet, SOL_SOCKET, SO_RCVBUFFORCE, size, 4), 'setsockopt')
      // Packets that wait for a MAC count against the sender's buffer.
      for (const one of [this.#raw4, this.#raw6]) checked(setsockopt(one, SOL_SOCKET, SO_SNDBUFFORCE, size, 4), 'setsockopt')
      const address = Buffer.alloc(20)
      address.writeUInt16LE(AF_PACKET, 0)
      address.writeUInt16BE(ETH_P_ALL, 2)
      address.writeInt32LE(deviceIndex, 4)
      checked(bind(this.#packet, address, address.length), 'bind')
    } finally {
      checked(setns(home, CLONE_NEWNET), 'setns')
      closeSync(there)
      closeSync(home)
    }
  }

  /** Has the guest's system send an IP packet, header and all; it finds the next hop itself. Without a route, or a cable, it takes none. */
  sendPacket(packet: Buffer): void {
    const six = packet[0]! >> 4 === 6
    const address = Buffer.alloc(six ? 28 : 16)
    address.writeUInt16LE(six ? AF_INET6 : AF_INET, 0)
    packet.copy(address, six ? 8 : 4, six ? 24 : 16, six ? 40 : 20)
    taken(sendto(six ? this.#raw6 : this.#raw4, packet, packet.length, MSG_DONTWAIT, address, address.length))
  }

  /** Sends a frame as it is. */
  sendFrame(frame: Buffer): void {
    taken(sendto(this.#packet, frame, frame.length, MSG_DONTWAIT, null, 0))
  }

  /** Frames that have come in and were not read yet. */
  *received(): Generator<Buffer> {
    for (;;) {
      const [address, length] = [Buffer.alloc(20), Buffer.alloc(4)]
      length.writeUInt32LE(address.length)
      const count = recvfrom(this.#packet, this.#frame, frameBytes, MSG_DONTWAIT, address, length)
      if (count < 0) return
      if (address[10] !== PACKET_OUTGOING) yield Buffer.from(this.#frame.subarray(0, count))
    }
  }
}

/** ENETDOWN, ENETUNREACH, EHOSTUNREACH, errno(3): what a system says that has nowhere to send to. */
const nowhere = [100, 101, 113]

function taken(result: number): void {
  if (result < 0 && !nowhere.includes(koffi.errno())) checked(result, 'sendto')
}

function checked(result: number, call: string): number {
  if (result < 0) throw new Error(`${call}: errno ${koffi.errno()}`)
  return result
}
