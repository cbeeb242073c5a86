import type { Network, Port } from '../../model/network.ts'
import type { TraceRequest } from '../../model/trace.ts'
import { HoldfastError } from '../../errors.ts'
import { cidrHasIp, parseCidr, parseIp } from '../address.ts'
import {
  arpReply,
  arpRequest,
  icmpEcho,
  neighbourAdvertisement,
  neighbourSolicitation,
  tcpSegment,
  udpDatagram,
  type End,
} from '../packet/compose.ts'
import { buildFrame } from '../packet/build.ts'
import { fromHex, ip6At } from '../packet/bytes.ts'
import { parseFrame } from '../packet/parse.ts'
import { etherTypes, protocols, tcpFlags, type Packet } from '../packet/packet.ts'

/** A port with the network that it is in. */
export interface GuestPort {
  port: Port
  network: Network
}

/** The port's address of the family that another address has; undefined where it has none. */
export function addressLike(port: Port, ip: string): string | undefined {
  return ip.includes(':') ? port.ip6 : port.ip
}

/** What a guest asks for by ARP or neighbour discovery before it sends: the address itself on its own subnet, else its gateway; null: it has none. */
export function askedFor({ network }: GuestPort, ip: string): string | null {
  const six = ip.includes(':')
  const subnet = six ? network.subnet6 : network.subnet
  if (subnet !== undefined && cidrHasIp(parseCidr(subnet)!, parseIp(ip)!)) return ip
  return (six ? network.gateway6 : network.gateway) ?? null
}

/** The question that finds the MAC of an address. */
export function questionFor({ port }: GuestPort, ip: string): Uint8Array {
  return ip.includes(':') ? neighbourSolicitation({ mac: port.mac, ip: port.ip6 ?? '::' }, ip) : arpRequest({ mac: port.mac, ip: port.ip }, ip)
}

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

/** Whether something answers such a packet by itself: ICMP echo, a TCP SYN, and questions for a MAC. */
export function asksForAnswer({ arp, transport }: Packet): boolean {
  if (arp) return arp.op === 1
  if (transport?.kind === 'tcp') return transport.flags === tcpFlags.syn
  return (transport?.kind === 'icmp' && transport.type === 8) || (transport?.kind === 'icmp6' && [128, 135].includes(transport.type))
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

/** What a guest's own system answers to a packet that reached it, but for the MAC of the next hop; null: it says nothing, as to UDP. */
export function answerTo(packet: Packet, { port }: GuestPort, mac: string): Uint8Array | null {
  const { ip, transport, payload } = packet
  if (!ip || !transport || addressLike(port, ip.dst) !== ip.dst) return null
  const [source, target] = [
    { mac: port.mac, ip: ip.dst },
    { mac, ip: ip.src },
  ]
  if (transport.kind === 'tcp' && transport.flags === tcpFlags.syn) {
    const { sport, dport, seq } = transport
    return tcpSegment(source, target, { sport: dport, dport: sport, flags: tcpFlags.syn | tcpFlags.ack, seq: 1, ack: (seq + 1) >>> 0 })
  }
  if ((transport.kind === 'icmp' && transport.type === 8) || (transport.kind === 'icmp6' && transport.type === 128)) {
    return icmpEcho(source, target, { id: transport.rest >>> 16, seq: transport.rest & 0xffff, reply: true }, { payload })
  }
  return null
}

/** The address that an ARP request or a neighbour solicitation (RFC 4861) asks for; null for any other packet. */
export function solicitedBy({ arp, transport, payload }: Packet): string | null {
  if (arp) return arp.op === 1 ? arp.tpa : null
  return transport?.kind === 'icmp6' && transport.type === 135 && payload.length >= 16 ? ip6At(payload, 0) : null
}

/** What a guest whose address is asked for answers; null for who is not asked. */
export function solicitedAnswer(question: Packet, { port }: GuestPort): Uint8Array | null {
  const asked = solicitedBy(question)
  if (asked === null || addressLike(port, asked) !== asked) return null
  const { arp, ip, src } = question
  const self = { mac: port.mac, ip: asked }
  return arp ? arpReply(self, { mac: arp.sha, ip: arp.spa }) : neighbourAdvertisement(self, { mac: src, ip: ip!.src })
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
