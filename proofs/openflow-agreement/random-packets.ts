import { buildFrame } from '../../core/net/packet/build.ts'
import { concatBytes, ip6Bytes, macBytes, write16 } from '../../core/net/packet/bytes.ts'
import { buildIcmpError } from '../../core/net/packet/icmp-error.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import {
  etherTypes,
  extensionTypes,
  protocols,
  type Icmp,
  type Ipv6Extension,
  type Packet,
  type Tcp,
  type Udp,
} from '../../core/net/packet/packet.ts'
import type { Chance } from '../chance.ts'
import { groupMacs, ip4s, ip6s, l4Ports, macs, tcpFlagSets, ttls, vlanIds } from './universe.ts'

/** A random frame, sound more often than not. `earlier` ones may be answered or complained about. */
export function randomFrame(chance: Chance, earlier: readonly Uint8Array[]): Uint8Array {
  const frame = chance.weighted(
    [14, () => buildFrame(ipPacket(chance))],
    [3, () => buildFrame(arpPacket(chance))],
    [3, () => buildFrame(neighbourPacket(chance))],
    [2, () => icmpError(chance, earlier)],
    [1, () => oddFrame(chance)],
    [12, () => goneOn(chance, earlier)],
  )
  return damaged(chance, frame)
}

function ethernet(chance: Chance): Pick<Packet, 'dst' | 'src' | 'vlans'> {
  const vlan = (tpid: number) => ({ tpid, vid: chance.pick(vlanIds), pcp: chance.int(0, 7), dei: chance.is(0.2) })
  const vlans = chance.is(0.85) ? [] : chance.is(0.8) ? [vlan(chance.pick([0x8100, 0x88a8]))] : [vlan(0x88a8), vlan(0x8100)]
  return { dst: chance.is(0.1) ? chance.pick(groupMacs) : chance.pick(macs), src: chance.pick(macs), vlans }
}

function arpPacket(chance: Chance): Packet {
  const arp = {
    op: chance.weighted([5, () => 1], [3, () => 2], [1, () => chance.pick([0, 3, 255, 256, 0x0102])]),
    sha: chance.pick(macs),
    spa: chance.pick(ip4s),
    tha: chance.pick([...macs, '00:00:00:00:00:00']),
    tpa: chance.pick(ip4s),
  }
  return { ...ethernet(chance), etherType: chance.is(0.95) ? etherTypes.arp : etherTypes.rarp, arp, payload: new Uint8Array() }
}

function ipPacket(chance: Chance): Packet {
  const six = chance.is(0.4)
  const payload = chance.bytes(chance.pick([0, 0, 1, 8, 30, 101, 1300]))
  const transport = chance.is(0.93) ? randomTransport(chance, six) : undefined
  const protocol = transport ? protocols[transport.kind] : chance.pick([0, 2, 47, 58, 1, 132, 200])
  const shared = { protocol, ttl: chance.pick(ttls), tos: chance.is(0.7) ? 0 : chance.int(0, 255) }
  if (six) {
    const ip = {
      version: 6 as const,
      ...shared,
      src: chance.pick(ip6s),
      dst: chance.pick(ip6s),
      label: chance.is(0.8) ? 0 : 0x12345,
      extensions: extensions(chance),
    }
    return { ...ethernet(chance), etherType: etherTypes.ip6, ip, ...(transport && { transport }), payload }
  }
  const fragment = chance.is(0.08)
  const ip = {
    version: 4 as const,
    ...shared,
    src: chance.pick(ip4s),
    dst: chance.pick(ip4s),
    id: chance.int(0, 0xffff),
    dontFragment: chance.is(0.6),
    moreFragments: fragment && chance.is(0.7),
    fragmentOffsetBytes: fragment ? chance.pick([0, 8, 1480]) : 0,
    options: chance.is(0.9) ? new Uint8Array() : Uint8Array.of(1, 1, 1, 0),
  }
  return { ...ethernet(chance), etherType: etherTypes.ip4, ip, ...(transport && { transport }), payload }
}

function extensions(chance: Chance): Ipv6Extension[] {
  if (chance.is(0.85)) return []
  const one = (): Ipv6Extension =>
    chance.weighted<Ipv6Extension>(
      [3, () => ({ type: chance.pick([extensionTypes.hopByHop, extensionTypes.destination]), body: Uint8Array.of(0, 1, 4, 0, 0, 0, 0) })],
      [2, () => ({ type: extensionTypes.routing, body: Uint8Array.of(0, 0, chance.int(0, 1), 0, 0, 0, 0) })],
      // An offset of 0 or 8 bytes, with more to come or not.
      [3, () => ({ type: extensionTypes.fragment, body: Uint8Array.of(0, 0, chance.pick([0, 1, 8, 9]), 0, 0, 0, 7) })],
    )
  return chance.is(0.7) ? [one()] : [one(), one()]
}

function randomTransport(chance: Chance, six: boolean): Tcp | Udp | Icmp {
  const ports = { sport: chance.is(0.03) ? 0 : chance.pick(l4Ports), dport: chance.pick(l4Ports) }
  return chance.weighted<Tcp | Udp | Icmp>(
    [5, () => tcp(chance, ports)],
    [3, () => ({ kind: 'udp', ...ports })],
    [
      3,
      () => ({
        kind: six ? 'icmp6' : 'icmp',
        type: six ? chance.pick([128, 128, 129, 129, 1, 3, 133]) : chance.pick([8, 8, 0, 0, 3, 11, 13, 14, 15, 16, 5, 40]),
        code: chance.pick([0, 0, 0, 0, 1]),
        rest: chance.pick([0x10001, 0x10002, 0x20001]),
      }),
    ],
  )
}

function tcp(chance: Chance, ports: { sport: number; dport: number }): Tcp {
  const near = (): number => chance.weighted([6, () => chance.int(100, 140)], [1, () => chance.int(0, 0xffff_ffff)], [1, () => 0], [1, () => 70_000])
  return {
    kind: 'tcp',
    ...ports,
    seq: near(),
    ack: near(),
    flags: chance.is(0.95) ? chance.pick(tcpFlagSets) : chance.int(0, 0xfff),
    window: chance.pick([0, 1, 100, 1000, 0xffff]),
    urgent: 0,
    options: chance.weighted(
      [6, () => new Uint8Array()],
      // Window scale, alone and behind others; a length that makes no sense.
      [3, () => Uint8Array.of(3, 3, chance.pick([0, 2, 7, 14, 15]), 0)],
      [1, () => Uint8Array.of(2, 4, 5, 180, 1, 3, 3, chance.int(0, 14))],
      [1, () => Uint8Array.of(1, 9, 0, 0)],
    ),
  }
}

/** RFC 4861 §4.3, §4.4, with options that are there, not there, doubled or cut off. */
function neighbourPacket(chance: Chance): Packet {
  const option = (): Uint8Array =>
    chance.weighted(
      [4, () => concatBytes(Uint8Array.of(1, 1), macBytes(chance.pick(macs)))],
      [4, () => concatBytes(Uint8Array.of(2, 1), macBytes(chance.pick(macs)))],
      [1, () => Uint8Array.of(14, 1, 1, 2, 3, 4, 5, 6)],
      [1, () => Uint8Array.of(1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)],
      [1, () => Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)],
      [1, () => Uint8Array.of(1, 1, 2)],
    )
  const options = Array.from({ length: chance.pick([0, 1, 1, 1, 1, 2, 3]) }, option)
  return {
    ...ethernet(chance),
    etherType: etherTypes.ip6,
    ip: { version: 6, src: chance.pick([...ip6s, '::']), dst: chance.pick(ip6s), protocol: 58, ttl: 255, tos: 0, label: 0, extensions: [] },
    transport: { kind: 'icmp6', type: chance.pick([135, 135, 136]), code: chance.is(0.95) ? 0 : 1, rest: chance.pick([0, 0x6000_0000, 0x1234_5678]) },
    payload: chance.is(0.95) ? concatBytes(ip6Bytes(chance.pick(ip6s)), ...options) : chance.bytes(chance.int(0, 15)),
  }
}

function icmpError(chance: Chance, earlier: readonly Uint8Array[]): Uint8Array {
  const kind = chance.pick(['ttl', 'no-route', 'unreachable', 'port', 'too-big', 'prohibited'] as const)
  const about = earlier.length > 0 ? chance.pick(earlier) : buildFrame(ipPacket(chance))
  const from = { mac: chance.pick(macs), ip4: chance.pick(ip4s), ip6: chance.pick(ip6s) }
  return buildIcmpError(about, { kind, mtuBytes: 1400 }, from) ?? buildFrame(ipPacket(chance))
}

/** The next packet of an earlier one's conversation, from either side. */
function goneOn(chance: Chance, earlier: readonly Uint8Array[]): Uint8Array {
  const before = earlier.length > 0 ? parseFrame(chance.pick(earlier)) : null
  const { ip, transport } = before ?? {}
  if (!before || !ip || !transport) return buildFrame(ipPacket(chance))
  const back = chance.is(0.6)
  const ends = <T extends { src: string; dst: string }>(from: T): T => (back ? { ...from, src: from.dst, dst: from.src } : from)
  return buildFrame({ ...ends(before), ip: ends(ip), transport: answered(chance, transport, back) })
}

function answered(chance: Chance, before: Tcp | Udp | Icmp, back: boolean): Tcp | Udp | Icmp {
  if ('type' in before) {
    const types: Record<number, number> = { 8: 0, 0: 8, 128: 129, 129: 128, 13: 14, 15: 16 }
    return { ...before, type: back ? (types[before.type] ?? before.type) : before.type }
  }
  const ports = back ? { sport: before.dport, dport: before.sport } : {}
  if (before.kind === 'udp') return { ...before, ...ports }
  const near = (number: number): number => (number + chance.pick([0, 0, 0, 1, 1, 2, 100, -1, 70_000])) >>> 0
  const flags = before.flags === 2 && back && chance.is(0.7) ? 18 : chance.pick(tcpFlagSets)
  const [seq, ack] = back ? [near(before.ack), near(before.seq)] : [near(before.seq), near(before.ack)]
  return { ...before, ...ports, seq, ack, flags, window: chance.pick([0, 1, 100, 1000, 0xffff]) }
}

/** Frames of other types: IEEE 802.3 with and without SNAP, LLDP, experimental. */
function oddFrame(chance: Chance): Uint8Array {
  const inner = buildFrame(ipPacket(chance)).subarray(14)
  const snap = Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0)
  const [etherType, payload] = chance.weighted<[number, Uint8Array]>(
    [1, () => [0x88b5, chance.bytes(20)]],
    [1, () => [60, chance.bytes(60)]],
    [2, () => [Math.min(inner.length + 8, 1500), concatBytes(snap, Uint8Array.of(0x08, 0x00), inner)]],
    [1, () => [20, concatBytes(snap, Uint8Array.of(0x00, 0x10), chance.bytes(12))]],
  )
  return buildFrame({ ...ethernet(chance), etherType, payload })
}

/** Now and then padded, cut off, or with a byte changed. */
function damaged(chance: Chance, frame: Uint8Array): Uint8Array {
  return chance.weighted(
    [70, () => frame],
    [12, () => concatBytes(frame, chance.bytes(chance.int(1, 20)))],
    [4, () => frame.slice(0, chance.int(14, frame.length))],
    [
      6,
      () => {
        const changed = frame.slice()
        changed[chance.int(12, Math.min(frame.length, 80) - 1)] = chance.int(0, 255)
        return changed
      },
    ],
    [2, () => withoutChecksum(frame)],
  )
}

/** UDP over IPv4 without a checksum (RFC 768), where it is one. */
function withoutChecksum(frame: Uint8Array): Uint8Array {
  const changed = frame.slice()
  if (changed.length >= 42 && changed[12] === 8 && changed[13] === 0 && changed[23] === protocols.udp) write16(changed, 40, 0)
  return changed
}
