import type { Network, Port } from '../../model/network.ts'
import type { NetworkIndex } from '../compile/view.ts'
import { cidrHasIp, parseCidr, parseIp } from '../address.ts'
import {
  arpReply,
  arpRequest,
  broadcastMac,
  groupMac,
  icmpEcho,
  neighbourAdvertisement,
  neighbourSolicitation,
  tcpSegment,
} from '../packet/compose.ts'
import { ip6At } from '../packet/bytes.ts'
import { tcpFlags, type Packet } from '../packet/packet.ts'

/* What the own system of a guest does by itself: whom it asks for a MAC, and what it answers. */

/** A port with the network that it is in, and the floating addresses that it has now, each with the MAC that it has announced. */
export interface GuestPort {
  port: Port
  /** Where it meets a switch: of a server in a VLAN the gateway that forwards for it. */
  host: string
  network: Network
  vips: readonly { ip: string; mac: string }[]
}

export function guestAt({ networks, vipsOf, input }: NetworkIndex, port: Port, host = port.host): GuestPort {
  const vips = (vipsOf.get(port.network) ?? []).flatMap(({ name, ip }) => {
    const owner = input.owners?.get(name)
    return owner?.port === port.name ? [{ ip, mac: owner.mac }] : []
  })
  return { port, host, network: networks.get(port.network)!, vips }
}

/** The MAC under which a guest has an address; undefined: it has not. */
export function macFor({ port, vips }: GuestPort, ip: string): string | undefined {
  return addressLike(port, ip) === ip ? port.mac : vips.find((vip) => vip.ip === ip)?.mac
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

/** The MAC of a multicast or broadcast address, the subnet's own included; null for an address of one system. */
export function groupOf({ network }: GuestPort, ip: string): string | null {
  const last = ip.includes(':') ? null : parseCidr(network.subnet)!.last
  return last !== null && parseIp(ip)!.value === last ? broadcastMac : groupMac(ip)
}

/** Whether a guest forwards for an address, by what its port may send. */
export function routesFor({ port }: GuestPort, ip: string): boolean {
  return port.allow.some((cidr) => cidrHasIp(parseCidr(cidr)!, parseIp(ip)!))
}

/** Whether something answers such a packet by itself: ICMP echo, a TCP SYN, and questions for a MAC. */
export function asksForAnswer(packet: Packet): boolean {
  const { arp, transport } = packet
  if (arp) return solicitedBy(packet) !== null
  if (transport?.kind === 'tcp') return transport.flags === tcpFlags.syn
  return (transport?.kind === 'icmp' && transport.type === 8) || (transport?.kind === 'icmp6' && [128, 135].includes(transport.type))
}

/** What a guest's own system answers to a packet that reached it, but for the MAC of the next hop; null: it says nothing, as to UDP. */
export function answerTo(packet: Packet, guest: GuestPort, mac: string): Uint8Array | null {
  const { ip, transport, payload } = packet
  const own = ip && macFor(guest, ip.dst)
  if (!own || !transport) return null
  const [source, target] = [
    { mac: own, ip: ip.dst },
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

/** The address that an ARP request or a neighbour solicitation (RFC 4861) asks for; null for any other packet, and for who announces its own. */
export function solicitedBy({ arp, transport, payload }: Packet): string | null {
  if (arp) return arp.op === 1 && arp.spa !== arp.tpa ? arp.tpa : null
  return transport?.kind === 'icmp6' && transport.type === 135 && payload.length >= 16 ? ip6At(payload, 0) : null
}

/** What a guest whose address is asked for answers; null for who is not asked. */
export function solicitedAnswer(question: Packet, guest: GuestPort): Uint8Array | null {
  const asked = solicitedBy(question)
  const mac = asked === null ? undefined : macFor(guest, asked)
  if (asked === null || mac === undefined) return null
  const { arp, ip, src } = question
  const self = { mac, ip: asked }
  return arp ? arpReply(self, { mac: arp.sha, ip: arp.spa }) : neighbourAdvertisement(self, { mac: src, ip: ip!.src })
}
