import { checksum, writeChecksum } from '../../../../core/net/packet/checksum.ts'
import type { DropReason } from '../counters.ts'

/** What replicate.bpf.c does with a frame, in TypeScript: the same checks in the same order. Addresses are numbers, MACs and frames bytes. */
export interface KnownAddresses {
  /** Those that this replicator answers for. */
  local: ReadonlyMap<number, Uint8Array>
  others: ReadonlySet<number>
}

export type Verdict =
  | { kind: 'pass' }
  | { kind: 'drop'; reason: DropReason }
  | { kind: 'answer'; to: 'arp' | 'bfd'; frame: Buffer }
  /** To be replicated if its VNI is known; `loop`: not even then. `innerAt` is where the frame of the guest begins. */
  | { kind: 'tunnel'; tunnel: 'vxlan' | 'gre'; vni: number; from: number; to: number; innerAt: number; loop: boolean }

const pass: Verdict = { kind: 'pass' }
const drop = (reason: DropReason): Verdict => ({ kind: 'drop', reason })
const etherTypes = { arp: 0x0806, ip: 0x0800, bridging: 0x6558 } as const
const protocols = { udp: 17, gre: 47 } as const
const ipAt = 14
const tunnelAt = 34
const ethernetBytes = 14
export const tunnelBytes = { vxlan: 16, gre: 8 } as const
const bfdBytes = 66
/** ANY_INTERVAL_US of program/answers.h. */
const anyIntervalUs = 1000

export function judge(frame: Buffer, addresses: KnownAddresses): Verdict {
  if (frame.length < tunnelAt) return pass
  const type = frame.readUInt16BE(12)
  if (type === etherTypes.arp) return judgeArp(frame, addresses)
  const protocol = frame[23]!
  if (type !== etherTypes.ip || (protocol !== protocols.udp && protocol !== protocols.gre)) return pass
  const to = frame.readUInt32BE(30)
  const mac = addresses.local.get(to)
  if (!mac || frame.compare(mac, 0, 6, 0, 6) !== 0) return pass

  if (frame[ipAt] !== 0x45 || frame.readUInt16BE(20) & 0x3fff || checksum(frame, ipAt, tunnelAt) !== 0) return drop('badHeader')
  const tunnel = protocol === protocols.udp ? 'vxlan' : 'gre'
  const innerAt = tunnelAt + tunnelBytes[tunnel]
  const length = frame.readUInt16BE(16)
  if (length + ethernetBytes > frame.length || length < innerAt) return drop('truncated')
  if (tunnel === 'vxlan') {
    if (frame.readUInt16BE(36) !== 4789) return pass
    if (!(frame[42]! & 0x08) || frame.readUInt16BE(38) !== length - 20) return drop('badHeader')
  } else if (frame.readUInt16BE(34) !== 0x2000 || frame.readUInt16BE(36) !== etherTypes.bridging) {
    return drop('badHeader')
  }
  const from = frame.readUInt32BE(26)
  const loop = addresses.local.has(from) || addresses.others.has(from)
  if (!loop && isBfd(frame, innerAt)) return answerBfd(frame, innerAt, mac)
  const vni = tunnel === 'vxlan' ? frame.readUIntBE(46, 3) : frame.readUInt32BE(38)
  return { kind: 'tunnel', tunnel, vni, from, to, innerAt, loop }
}

function judgeArp(frame: Buffer, { local }: KnownAddresses): Verdict {
  if (frame.length < 42 || frame.toString('hex', 14, 22) !== '0001080006040001') return pass
  const mac = local.get(frame.readUInt32BE(38))
  if (!mac || frame.compare(frame, 28, 32, 38, 42) === 0) return pass
  const answer = Buffer.from(frame)
  answer.set(frame.subarray(22, 28), 0)
  answer.set(mac, 6)
  answer[21] = 2
  answer.set(mac, 22)
  answer.set(frame.subarray(38, 42), 28)
  answer.set(frame.subarray(22, 32), 32)
  return { kind: 'answer', to: 'arp', frame: answer }
}

function isBfd(frame: Buffer, innerAt: number): boolean {
  return frame.toString('hex', innerAt, innerAt + 6) === '002320000001' && frame.readUInt16BE(innerAt + 12) === etherTypes.ip
}

/** RFC 5880 without a state of its own: see `answer_bfd`. */
function answerBfd(frame: Buffer, innerAt: number, mac: Uint8Array): Verdict {
  if (innerAt + bfdBytes > frame.length) return drop('truncated')
  const inner = frame.subarray(innerAt)
  const [flags, theirs] = [inner[43]!, inner[43]! >> 6]
  if (inner[14] !== 0x45 || inner[23] !== protocols.udp || inner.readUInt16BE(36) !== 3784 || inner[22] !== 255) return drop('badHeader')
  if (inner[42]! >> 5 !== 1 || flags & 0x05 || inner[45] !== 24 || inner.readUInt32BE(46) === 0 || inner[44] === 0) return drop('badHeader')

  const answer = Buffer.from(frame)
  swap(answer, 0, 6, 6)
  answer.set(mac, 6)
  swap(answer, 26, 30, 4)
  answer[22] = 64
  writeChecksum(answer, 24, ipAt, tunnelAt)
  if (frame[23] === protocols.udp) answer.writeUInt16BE(0, 40)
  const out = answer.subarray(innerAt)
  swap(out, 0, 6, 6)
  swap(out, 26, 30, 4)
  out.writeUInt16BE(0, 40)
  out[42] = 1 << 5
  out[43] = ([1, 2, 3, 3][theirs]! << 6) | (flags & 0x20 ? 0x10 : 0)
  out.set(inner.subarray(46, 50), 50)
  out.set(frame.subarray(30, 34), 46)
  out.writeUInt32BE(anyIntervalUs, 58)
  out.writeUInt32BE(0, 62)
  return { kind: 'answer', to: 'bfd', frame: answer }
}

function swap(bytes: Buffer, one: number, other: number, length: number): void {
  const first = Buffer.from(bytes.subarray(one, one + length))
  bytes.copyWithin(one, other, other + length)
  bytes.set(first, other)
}

/** The address that a guest's frame announces, and from which MAC: see `sniff_arp` and `sniff_advertisement`. Null: none. */
export function announced(inner: Buffer): { family: 4 | 6; address: Buffer; mac: Buffer } | null {
  if (inner.length < ethernetBytes + 28) return null
  const type = inner.readUInt16BE(12)
  if (type === etherTypes.arp) {
    const [op, mac, address] = [inner.readUInt16BE(20), inner.subarray(22, 28), inner.subarray(28, 32)]
    if (inner.toString('hex', 14, 20) !== '000108000604' || (op !== 1 && op !== 2)) return null
    if (!address.equals(inner.subarray(38, 42)) || address.readUInt32BE(0) === 0 || mac[0]! & 1) return null
    return { family: 4, address, mac }
  }
  if (type !== 0x86dd || inner.length < ethernetBytes + 72) return null
  const [address, mac] = [inner.subarray(62, 78), inner.subarray(80, 86)]
  if (inner[20] !== 58 || inner[21] !== 255 || inner[38] !== 0xff || inner.readUInt16BE(18) < 32) return null
  if (inner[54] !== 136 || inner[55] !== 0 || inner[58]! & 0x40 || address[0] === 0xff) return null
  return inner[78] === 2 && inner[79] === 1 && !(mac[0]! & 1) ? { family: 6, address, mac } : null
}
