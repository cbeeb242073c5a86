import type { TraceRequest } from '../../model/trace.ts'
import { HoldfastError } from '../../errors.ts'
import { arpRequest, icmpEcho, neighbourSolicitation, tcpSegment, udpDatagram, type End } from '../packet/compose.ts'
import { buildFrame } from '../packet/build.ts'
import { fromHex } from '../packet/bytes.ts'
import { parseFrame } from '../packet/parse.ts'
import { etherTypes, protocols, tcpFlags, type Packet } from '../packet/packet.ts'
import { addressLike, type GuestPort } from './guest-system.ts'

/** Identifiers and sequence numbers of a traced packet: fixed in simulation, drawn for each live trace, so that it is known again. */
export interface Marks {
  id: number
  seq: number
}

export const simulatedMarks: Marks = { id: 0x4846, seq: 1 }

/** Where none is said: one that systems choose by themselves, the same in every trace, because ACLs may ask for it. */
const defaultSport = 40_000

/** Smallest packets have a payload to be known by; larger ones are filled up to `sizeBytes`. */
export const payloadBytes = 16

/**
 * The packet that a request describes, as the sender's own system would make it. `mac`: of the next hop; `payload`: what its payload begins
 * with, so that it is known again, but not in a SYN, which carries none.
 */
export function requestedFrame(request: TraceRequest, from: GuestPort, to: string, mac: string, marks: Marks, payload?: Uint8Array): Uint8Array {
  const source = { mac: request.sourceMac ?? from.port.mac, ip: request.sourceIp ?? addressLike(from.port, to)! }
  return frameBetween(request, source, { mac, ip: to }, marks, payload)
}

/** The same between any two ends. */
export function frameBetween(request: TraceRequest, source: End, target: End, marks: Marks, payload?: Uint8Array): Uint8Array {
  const kind = kindOf(request.proto, target.ip)
  const options = { ...(request.ttl !== undefined && { ttl: request.ttl }), payload: payloadOf(request, kind, target.ip, payload) }
  const ports = { sport: request.sport ?? defaultSport, dport: request.dport ?? 0 }
  switch (kind) {
    case 'icmp':
      return icmpEcho(source, target, { id: marks.id, seq: marks.seq }, options)
    case 'tcp':
      return tcpSegment(source, target, { ...ports, flags: tcpFlags.syn, seq: marks.id * 0x1_0000 + marks.seq }, options)
    case 'udp':
      return udpDatagram(source, target, ports, options)
    case 'arp':
      return target.ip.includes(':') ? neighbourSolicitation(source, target.ip) : arpRequest(source, target.ip)
    case 'raw':
      return rawFrame(source, target, Number(request.proto), options)
  }
}

type Kind = 'icmp' | 'tcp' | 'udp' | 'arp' | 'raw'

function kindOf(proto: TraceRequest['proto'], to: string): Kind {
  if (typeof proto === 'string') return proto
  if (proto === (to.includes(':') ? protocols.icmp6 : protocols.icmp)) return 'icmp'
  return proto === protocols.tcp ? 'tcp' : proto === protocols.udp ? 'udp' : 'raw'
}

/** The frame that a request gives, and the address that it is for (empty: none); null where it describes a packet instead. */
export function givenFrame({ frame }: TraceRequest): { frame: Uint8Array; to: string } | null {
  if (frame === undefined) return null
  const bytes = fromHex(frame)
  const packet = parseFrame(bytes)!
  return { frame: bytes, to: packet.ip?.dst ?? packet.arp?.tpa ?? '' }
}

/** Bytes behind the IP header that switches read of a protocol which is not read here, e.g. the ports of SCTP: no mark lies there. */
const unreadBytes = 8

/** The payload of a packet: zeros, and what it is known by. A SYN carries none unless a size is asked for. */
function payloadOf({ sizeBytes }: TraceRequest, kind: Kind, to: string, mark: Uint8Array = new Uint8Array()): Uint8Array {
  const headers = (to.includes(':') ? 40 : 20) + { icmp: 8, tcp: 20, udp: 8, arp: 0, raw: 0 }[kind]
  if (sizeBytes !== undefined && sizeBytes < headers)
    throw new HoldfastError(
      'bad-input',
      `${sizeBytes} bytes do not hold the headers of such a packet, ${headers} bytes`,
      `Ask for ${headers} bytes or more.`,
    )
  const payload = new Uint8Array(sizeBytes === undefined ? (kind === 'tcp' ? 0 : payloadBytes) : sizeBytes - headers)
  const room = payload.subarray(kind === 'raw' ? unreadBytes : 0)
  room.set(mark.subarray(0, room.length))
  return payload
}

function rawFrame(
  source: { mac: string; ip: string },
  target: { mac: string; ip: string },
  protocol: number,
  options: { ttl?: number; payload: Uint8Array },
): Uint8Array {
  const shared = { src: source.ip, dst: target.ip, protocol, ttl: options.ttl ?? 64, tos: 0 }
  const six = target.ip.includes(':')
  return buildFrame({
    ...{ dst: target.mac, src: source.mac, vlans: [], etherType: six ? etherTypes.ip6 : etherTypes.ip4, payload: options.payload },
    ip: six
      ? { version: 6, ...shared, label: 0, extensions: [] }
      : { version: 4, ...shared, id: 0, dontFragment: true, moreFragments: false, fragmentOffsetBytes: 0, options: new Uint8Array() },
  })
}

/** A packet in a few words: `tcp 10.20.1.11:40000 → 10.20.2.11:22`. */
export function describe({ arp, ip, transport, etherType, src, dst }: Packet): string {
  if (arp) return arp.op === 1 ? `arp who has ${arp.tpa}` : `arp ${arp.spa} is at ${arp.sha}`
  if (!ip) return `ethertype 0x${etherType.toString(16)} ${src} → ${dst}`
  const ports = transport?.kind === 'tcp' || transport?.kind === 'udp' ? transport : null
  const end = (address: string, number: number | undefined): string =>
    number === undefined ? address : address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`
  return `${transport?.kind ?? `protocol ${ip.protocol}`} ${end(ip.src, ports?.sport)} → ${end(ip.dst, ports?.dport)}`
}
