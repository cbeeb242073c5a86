import type { Network, Port } from '../../model/network.ts'
import type { TraceRequest } from '../../model/trace.ts'
import { HoldfastError } from '../../errors.ts'
import { cidrHasIp, parseCidr, parseIp } from '../address.ts'
import { arpRequest, icmpEcho, neighbourSolicitation, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { buildFrame } from '../packet/build.ts'
import { etherTypes, tcpFlags, type Packet } from '../packet/packet.ts'

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

/** Ports, identifiers and sequence numbers of a traced packet: fixed in simulation, drawn for each live trace, so that it is known again. */
export interface Marks {
  id: number
  seq: number
  sport: number
}

export const simulatedMarks: Marks = { id: 0x4846, seq: 1, sport: 40_000 }

/** Smallest packets have a payload to be known by; larger ones are filled up to `sizeBytes`. */
const payloadBytes = 16

/**
 * The packet that a request describes, as the sender's own system would make it. `mac`: of the next hop; `payload`: by which it is known again,
 * but not in a SYN, which carries none.
 */
export function requestedFrame(request: TraceRequest, from: GuestPort, to: string, mac: string, marks: Marks, payload?: Uint8Array): Uint8Array {
  const { proto } = request
  const source = { mac: request.sourceMac ?? from.port.mac, ip: request.sourceIp ?? addressLike(from.port, to)! }
  const target = { mac, ip: to }
  const options = {
    ...(request.ttl !== undefined && { ttl: request.ttl }),
    payload: payload !== undefined && proto !== 'tcp' && proto !== 6 ? payload : payloadOf(request, to),
  }
  const ports = { sport: request.sport ?? marks.sport, dport: request.dport ?? 0 }
  if (proto === 'icmp' || (proto === 58 && to.includes(':')) || (proto === 1 && !to.includes(':')))
    return icmpEcho(source, target, { id: marks.id, seq: marks.seq }, options)
  if (proto === 'tcp' || proto === 6)
    return tcpSegment(source, target, { ...ports, flags: tcpFlags.syn, seq: marks.id * 0x1_0000 + marks.seq }, options)
  if (proto === 'udp' || proto === 17) return udpDatagram(source, target, ports, options)
  if (proto === 'arp') return to.includes(':') ? neighbourSolicitation(source, to) : arpRequest(source, to)
  return rawFrame(source, target, proto, options)
}

function payloadOf({ proto, sizeBytes }: TraceRequest, to: string): Uint8Array {
  // A SYN carries no data unless a size is asked for.
  const least = proto === 'tcp' || proto === 6 ? 0 : payloadBytes
  if (sizeBytes === undefined) return new Uint8Array(least)
  const headers =
    (to.includes(':') ? 40 : 20) +
    (proto === 'tcp' || proto === 6 ? 20 : typeof proto === 'number' && proto !== 17 && proto !== 1 && proto !== 58 ? 0 : 8)
  if (sizeBytes < headers)
    throw new HoldfastError(
      'bad-input',
      `${sizeBytes} bytes do not hold the headers of such a packet, ${headers} bytes`,
      `Ask for ${headers} bytes or more.`,
    )
  return new Uint8Array(sizeBytes - headers)
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

/** A packet in a few words: `tcp 10.20.1.11:40000 → 10.20.2.11:22`. */
export function describe({ arp, ip, transport, etherType, src, dst }: Packet): string {
  if (arp) return arp.op === 1 ? `arp who has ${arp.tpa}` : `arp ${arp.spa} is at ${arp.sha}`
  if (!ip) return `ethertype 0x${etherType.toString(16)} ${src} → ${dst}`
  const ports = transport?.kind === 'tcp' || transport?.kind === 'udp' ? transport : null
  const end = (address: string, number: number | undefined): string =>
    number === undefined ? address : address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`
  return `${transport?.kind ?? `protocol ${ip.protocol}`} ${end(ip.src, ports?.sport)} → ${end(ip.dst, ports?.dport)}`
}
