import { read16, read32 } from '../packet/bytes.ts'
import { etherTypes, protocols } from '../packet/packet.ts'

/** A frame out of a tunnel: of which network, how it was wrapped, and the frame itself. */
export interface Tunnelled {
  type: 'vxlan' | 'gre'
  /** VXLAN network identifier, or GRE key. */
  vni: number
  frame: Uint8Array
}

/** UDP port of VXLAN, RFC 7348. */
const vxlanPort = 4789
/** IP protocol of GRE. */
const gre = 47
/** Transparent Ethernet bridging, RFC 1701. */
const greEthernet = 0x6558

/**
 * Takes the frame out of an Ethernet frame with VXLAN (RFC 7348) or keyed GRE (RFC 2784, RFC 2890) over IPv4, which may be cut behind that;
 * null when there is none.
 */
export function unwrapTunnel(frame: Uint8Array): Tunnelled | null {
  if (frame.length < 34 || read16(frame, 12) !== etherTypes.ip4) return null
  const header = 14 + (frame[14]! & 15) * 4
  // Later fragments begin with something else.
  if (header < 34 || frame.length < header + 16 || (read16(frame, 20) & 0x1fff) !== 0) return null
  const protocol = frame[23]
  if (protocol === protocols.udp && read16(frame, header + 2) === vxlanPort && (frame[header + 8]! & 8) !== 0) {
    return { type: 'vxlan', vni: read32(frame, header + 12) >>> 8, frame: frame.subarray(header + 16) }
  }
  const flags = read16(frame, header)
  if (protocol !== gre || read16(frame, header + 2) !== greEthernet || (flags & 0x2000) === 0) return null
  // Checksum, key and sequence number are 4 bytes each, in this order.
  const key = header + 4 + (flags & 0x8000 ? 4 : 0)
  return { type: 'gre', vni: read32(frame, key), frame: frame.subarray(key + 4 + (flags & 0x1000 ? 4 : 0)) }
}

/** How many bytes a tunnel puts around a frame at most: Ethernet, IPv4, UDP and VXLAN. GRE takes less. */
export const tunnelHeaderBytes = 50

/** Packets that may carry a frame in a tunnel, for pcap-filter(7). */
export const anyTunnelFilter = `udp dst port ${vxlanPort} or ip proto ${gre}`

/**
 * The packets that carry a network's frames between hosts, for pcap-filter(7). Their outer IPv4 header has no options: a switch writes none.
 */
export function tunnelFilter({ type, vni }: { type: 'vxlan' | 'gre'; vni: number }): string {
  return type === 'vxlan'
    ? `udp dst port ${vxlanPort} and udp[8] & 8 != 0 and udp[12:4] & 0xffffff00 = ${(vni << 8) >>> 0}`
    : `ip proto ${gre} and ip[20:4] & 0xb000ffff = 0x2000${greEthernet.toString(16)} and ip[24:4] = ${vni}`
}
