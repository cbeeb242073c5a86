import { buildFrame } from './build.ts'
import { concatBytes, ip6At, ip6Bytes, macAt, macBytes } from './bytes.ts'
import { etherTypes, protocols, type Icmp, type Packet, type Tcp, type Udp } from './packet.ts'

/** Frames that hosts send, made of as little as has to be said. */

export const broadcastMac = 'ff:ff:ff:ff:ff:ff'
const noMac = '00:00:00:00:00:00'
const defaultTtl = 64

/** An end of a packet: a MAC and an IPv4 or IPv6 address. */
export interface End {
  mac: string
  ip: string
}

/** Broadcast: who has `ip`? */
export function arpRequest(from: End, ip: string): Uint8Array {
  return arp(broadcastMac, { op: 1, sha: from.mac, spa: from.ip, tha: noMac, tpa: ip }, from.mac)
}

/** `from` says to `to` that it has its address. */
export function arpReply(from: End, to: End): Uint8Array {
  return arp(to.mac, { op: 2, sha: from.mac, spa: from.ip, tha: to.mac, tpa: to.ip }, from.mac)
}

function arp(dst: string, header: NonNullable<Packet['arp']>, src: string): Uint8Array {
  return buildFrame({ dst, src, vlans: [], etherType: etherTypes.arp, arp: header, payload: new Uint8Array() })
}

/** What may be said of any IP packet; `ttl` is 64 unless said, and IPv4 packets have the bit that forbids to fragment them. */
export interface IpOptions {
  ttl?: number
  payload?: Uint8Array
}

/** Echo request, or reply (RFC 792, RFC 4443 §4), of the family of the addresses. */
export function icmpEcho(from: End, to: End, echo: { id: number; seq: number; reply?: boolean }, options: IpOptions = {}): Uint8Array {
  const rest = ((echo.id << 16) | echo.seq) >>> 0
  const six = from.ip.includes(':')
  const type = six ? (echo.reply ? 129 : 128) : echo.reply ? 0 : 8
  return ipFrame(from, to, { kind: six ? 'icmp6' : 'icmp', type, code: 0, rest }, options)
}

/** A TCP segment without options. `flags` as in `tcpFlags`. */
export function tcpSegment(
  from: End,
  to: End,
  tcp: { sport: number; dport: number; flags: number; seq?: number; ack?: number; window?: number },
  options: IpOptions = {},
): Uint8Array {
  const { seq = 0, ack = 0, window = 64_240 } = tcp
  return ipFrame(from, to, { kind: 'tcp', urgent: 0, options: new Uint8Array(), ...tcp, seq, ack, window }, options)
}

export function udpDatagram(from: End, to: End, udp: { sport: number; dport: number }, options: IpOptions = {}): Uint8Array {
  return ipFrame(from, to, { kind: 'udp', ...udp }, options)
}

/** RFC 4861 §4.3, to the target's solicited-node address (RFC 4291 §2.7.1), with the source link-layer option. */
export function neighbourSolicitation(from: End, target: string): Uint8Array {
  const group = solicitedNode(target)
  const body = concatBytes(ip6Bytes(target), linkLayerOption(1, from.mac))
  return ipFrame(from, { mac: multicastMac(group), ip: group }, { kind: 'icmp6', type: 135, code: 0, rest: 0 }, { ttl: 255, payload: body })
}

/** RFC 4861 §4.4: solicited and override, with the target link-layer option. */
export function neighbourAdvertisement(from: End, to: End): Uint8Array {
  const body = concatBytes(ip6Bytes(from.ip), linkLayerOption(2, from.mac))
  return ipFrame(from, to, { kind: 'icmp6', type: 136, code: 0, rest: 0x6000_0000 }, { ttl: 255, payload: body })
}

/** RFC 4861 §7.2.6, to all nodes: unsolicited and override, so that neighbours that know the address under another MAC take this one. */
export function unsolicitedAdvertisement(from: End): Uint8Array {
  const body = concatBytes(ip6Bytes(from.ip), linkLayerOption(2, from.mac))
  const all = 'ff02::1'
  return ipFrame(from, { mac: multicastMac(all), ip: all }, { kind: 'icmp6', type: 136, code: 0, rest: 0x2000_0000 }, { ttl: 255, payload: body })
}

/** Source (1) or target (2) link-layer address, RFC 4861 §4.6.1. */
function linkLayerOption(type: 1 | 2, mac: string): Uint8Array {
  return concatBytes(Uint8Array.of(type, 1), macBytes(mac))
}

/** `ff02::1:ffXX:XXXX` with the low 24 bits of the address. */
function solicitedNode(ip: string): string {
  const bytes = ip6Bytes('ff02::1:ff00:0')
  bytes.set(ip6Bytes(ip).subarray(13), 13)
  return ip6At(bytes, 0)
}

/** RFC 2464 §7: 33:33 and the last four bytes of the group. */
function multicastMac(group: string): string {
  return macAt(concatBytes(Uint8Array.of(0x33, 0x33), ip6Bytes(group).subarray(12)), 0)
}

/** The MAC of a multicast group, IPv4 (RFC 1112 §6.4) or IPv6, and of the limited broadcast; null for an address of one system. */
export function groupMac(ip: string): string | null {
  if (ip.includes(':')) return ip6Bytes(ip)[0] === 0xff ? multicastMac(ip) : null
  if (ip === '255.255.255.255') return broadcastMac
  const [first, ...low] = ip.split('.').map(Number) as [number, number, number, number]
  if (first < 224 || first > 239) return null
  return macAt(Uint8Array.of(0x01, 0x00, 0x5e, low[0] & 0x7f, low[1], low[2]), 0)
}

function ipFrame(from: End, to: End, transport: Tcp | Udp | Icmp, { ttl = defaultTtl, payload = new Uint8Array() }: IpOptions): Uint8Array {
  const six = from.ip.includes(':')
  const shared = { src: from.ip, dst: to.ip, protocol: protocols[transport.kind], ttl, tos: 0 }
  return buildFrame({
    dst: to.mac,
    src: from.mac,
    vlans: [],
    etherType: six ? etherTypes.ip6 : etherTypes.ip4,
    ip: six
      ? { version: 6, ...shared, label: 0, extensions: [] }
      : { version: 4, ...shared, id: 0, dontFragment: true, moreFragments: false, fragmentOffsetBytes: 0, options: new Uint8Array() },
    transport,
    payload,
  })
}
