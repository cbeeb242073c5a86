import { networkInterfaces } from 'node:os'
import koffi from 'koffi'
import { HoldfastError } from '../../core/errors.ts'
import { loadLibc, sockCloexec, sockRaw } from './libc.ts'

const afPacket = 17
const etherArp = 0x0806

/**
 * Tells everybody on the NIC's segment that the address is here now (gratuitous ARP, RFC 5227, 3), once as request and once as answer,
 * since some only learn from the one or the other. Through an AF_PACKET socket of its own that is closed again: packet(7).
 * Throws `internal` with the errno when that cannot be done.
 */
export function announceAddress(nic: string, address: string): void {
  const libc = loadLibc()
  const mac = networkInterfaces()[nic]?.[0]?.mac
  const index = libc.if_nametoindex(nic)
  if (!mac || index === 0) throw new HoldfastError('internal', `The NIC ${nic} is gone`, 'Look why it went, or correct agent.json.')
  // Protocol 0 receives nothing.
  const descriptor = libc.socket(afPacket, sockRaw | sockCloexec, 0)
  if (descriptor < 0) throw new HoldfastError('internal', `No packet socket: errno ${koffi.errno()}`, 'The agent must run as root.')
  try {
    // sockaddr_ll of linux/if_packet.h.
    const target = Buffer.alloc(20)
    target.writeUInt16LE(afPacket, 0)
    target.writeUInt16BE(etherArp, 2)
    target.writeInt32LE(index, 4)
    target.writeUInt8(6, 11)
    target.fill(0xff, 12, 18)
    for (const operation of [1, 2] as const) {
      const frame = arpFrame(mac, address, operation)
      if (libc.sendto(descriptor, frame, frame.length, 0, target, target.length) !== frame.length)
        throw new HoldfastError('internal', `${address} could not be announced on ${nic}: errno ${koffi.errno()}`, 'Look at the link of that NIC.')
    }
  } finally {
    libc.close(descriptor)
  }
}

/** An Ethernet frame with an ARP packet (RFC 826) whose sender and target are the same address. */
export function arpFrame(mac: string, address: string, operation: 1 | 2): Buffer {
  const source = Buffer.from(mac.replaceAll(':', ''), 'hex')
  const octets = Buffer.from(address.split('.').map(Number))
  const broadcast = Buffer.alloc(6, 0xff)
  const head = Buffer.from([0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4, 0, operation])
  return Buffer.concat([broadcast, source, head, source, octets, operation === 1 ? Buffer.alloc(6) : broadcast, octets])
}
