import { randomBytes } from 'node:crypto'
import { buildFrame } from '../../../core/net/packet/build.ts'
import { etherTypes, protocols, type Ipv4 } from '../../../core/net/packet/packet.ts'
import { watchVni } from '../../../core/net/broadcast/nodes.ts'
import type { UnderlayAddress } from './members.ts'

/** `is_bfd` of program/answers.h. */
const bfdMac = '00:23:20:00:00:01'
/** IPv4, UDP and VXLAN (RFC 7348), from behind the Ethernet header. */
const tunnelBytes = 20 + 8 + 8
const bfdBytes = 14 + 20 + 8 + 24

/** A question that every replicator answers, BFD in VXLAN, before it is copied; `discriminator` comes back with each answer. */
export interface ProbeFrame {
  bytes: Buffer
  discriminator: Buffer
}

/** `outerBytes`: of the outer IP packet, at least 102. `copies`: that are to be made of it, for program/fast.h in place of a destination. */
export function probeFrame(own: UnderlayAddress, copies: number, outerBytes = tunnelBytes + bfdBytes): ProbeFrame {
  const discriminator = randomBytes(4)
  // Version 1, state Down, detection after 3 lost ones, a second between them (RFC 5880 §4.1).
  const control = Buffer.concat([Buffer.from([0x20, 0x40, 3, 24]), discriminator, Buffer.alloc(16 + outerBytes - tunnelBytes - bfdBytes)])
  control.writeUInt32BE(1_000_000, 12)
  control.writeUInt32BE(1_000_000, 16)
  const question = udpFrame(own, { ip: own.ip, mac: bfdMac }, 255, 3784, control)
  const vxlan = Buffer.alloc(8)
  vxlan[0] = 8
  vxlan.writeUInt32BE(watchVni * 256, 4)
  const bytes = udpFrame(own, { ip: '0.0.0.0', mac: '00:00:00:00:00:00' }, 64, 4789, Buffer.concat([vxlan, question]))
  bytes.writeUInt32LE(copies, 30)
  bytes.writeUInt16BE(0, 40)
  return { bytes, discriminator }
}

function udpFrame(from: UnderlayAddress, to: UnderlayAddress, ttl: number, port: number, payload: Buffer): Buffer {
  const whole = { id: 0, dontFragment: true, moreFragments: false, fragmentOffsetBytes: 0, options: new Uint8Array() }
  const ip: Ipv4 = { version: 4, src: from.ip, dst: to.ip, protocol: protocols.udp, ttl, tos: 0, ...whole }
  const transport = { kind: 'udp', sport: 49_152, dport: port } as const
  return Buffer.from(buildFrame({ dst: to.mac, src: from.mac, vlans: [], etherType: etherTypes.ip4, ip, transport, payload }))
}
