import koffi from 'koffi'
import { HoldfastError } from '../../core/errors.ts'
import { loadLibc, sockCloexec, sockRaw } from '../cluster/libc.ts'

/** linux/socket.h. */
const afPacket = 17

/** Sends a frame, Ethernet header first, out of a NIC, past the kernel's own network: packet(7). Throws `internal` with the errno. */
export function sendFrame(nic: string, frame: Buffer): void {
  const libc = loadLibc()
  const index = libc.if_nametoindex(nic)
  if (index === 0) throw new HoldfastError('not-found', `There is no NIC ${nic}`, 'See what its NICs are called now.', { nic })
  // Protocol 0 receives nothing.
  const descriptor = libc.socket(afPacket, sockRaw | sockCloexec, 0)
  if (descriptor < 0) throw new HoldfastError('internal', `No packet socket: errno ${koffi.errno()}`, 'The agent must run as root.')
  try {
    // sockaddr_ll of linux/if_packet.h.
    const target = Buffer.alloc(20)
    target.writeUInt16LE(afPacket, 0)
    target.writeInt32LE(index, 4)
    target.writeUInt8(6, 11)
    frame.copy(target, 12, 0, 6)
    if (libc.sendto(descriptor, frame, frame.length, 0, target, target.length) !== frame.length)
      throw new HoldfastError('internal', `A frame could not be sent by ${nic}: errno ${koffi.errno()}`, 'Look at the link of that NIC.', { nic })
  } finally {
    libc.close(descriptor)
  }
}
