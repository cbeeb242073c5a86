import { parseFrame } from '../packet/parse.ts'
import { ip6At, macAt, read16, read32, toHex, write16 } from '../packet/bytes.ts'
import { etherTypes, protocols, tcpFlags, type Packet } from '../packet/packet.ts'
import { payloadBytes } from './packets.ts'

/** By what a traced packet and its answer are known again wherever they are seen. No flow asks for any of it. */
export interface Mark {
  /** `raw`: any other IP; `frame`: what is neither IP nor ARP. */
  proto: 'icmp' | 'tcp' | 'udp' | 'arp' | 'raw' | 'frame'
  /** IP addresses; of a question for a MAC, who asks and what for; MACs of what is neither. */
  src: string
  dst: string
  /** Second word of an ICMP echo: identifier and sequence number. Sequence number of a TCP segment. */
  number: number
  /** First bytes of the payload of UDP and of other protocols; of a `frame` those that follow its MACs. Hexadecimal. */
  payload: string
}

/** The mark of a frame that is about to be sent. */
export function markOf(frame: Uint8Array): Mark {
  const packet = parseFrame(frame)
  const payload = toHex((packet?.payload ?? frame).subarray(0, payloadBytes))
  if (packet?.arp) return { proto: 'arp', src: packet.arp.spa, dst: packet.arp.tpa, number: 0, payload: '' }
  if (!packet?.ip)
    return { proto: 'frame', src: macAt(frame, 6), dst: macAt(frame, 0), number: 0, payload: toHex(frame.subarray(12, 12 + payloadBytes)) }
  const { ip, transport } = packet
  const ends = { src: ip.src, dst: ip.dst }
  if (transport?.kind === 'icmp6' && transport.type === 135) return { proto: 'arp', src: ip.src, dst: targetOf(packet), number: 0, payload: '' }
  if ((transport?.kind === 'icmp' && transport.type === 8) || (transport?.kind === 'icmp6' && transport.type === 128))
    return { proto: 'icmp', ...ends, number: transport.rest, payload: '' }
  if (transport?.kind === 'tcp') return { proto: 'tcp', ...ends, number: transport.seq, payload: '' }
  return { proto: transport?.kind === 'udp' ? 'udp' : 'raw', ...ends, number: 0, payload }
}

/** The address that a neighbour solicitation or advertisement is about, RFC 4861 §4.3. */
function targetOf({ payload }: Packet): string {
  return payload.length < 16 ? '' : ip6At(payload, 0)
}

/** `error`: an ICMP error about the packet, on its way to the sender. */
export type SightedLeg = 'forward' | 'return' | 'error'

export interface Sighted {
  leg: SightedLeg
  packet: Packet
}

/** No segment is longer than the largest IP packet. */
const maxSegmentBytes = 0xffff

/** Whether a frame, as it is or inside a tunnel, is the marked packet or what came of it; null: neither. */
export function sight(frame: Uint8Array, mark: Mark): Sighted | null {
  const outer = parseFrame(frame)
  const packet = outer && (insideOf(outer) ?? outer)
  if (packet && mark.proto === 'frame') return isFrame(frame, mark) ? { leg: 'forward', packet } : null
  const leg = packet && legOf(packet, mark)
  return leg ? { leg, packet } : null
}

/** Whether this is the frame of a mark, bare or anywhere in a tunnel's packet. */
function isFrame(frame: Uint8Array, { src, dst, payload }: Mark): boolean {
  return toHex(frame).includes(`${dst}${src}`.replaceAll(':', '') + payload)
}

/** The packet in a tunnel: VXLAN (RFC 7348 §5) or GRE with a key (RFC 2890) around Ethernet. */
function insideOf({ ip, transport, payload }: Packet): Packet | null {
  if (transport?.kind === 'udp' && transport.dport === 4789 && payload.length > 8) return parseFrame(payload.subarray(8))
  if (ip?.protocol === 47 && payload.length > 8 && read32(payload, 0) === 0x2000_6558) return parseFrame(payload.subarray(8))
  return null
}

function legOf(packet: Packet, mark: Mark): SightedLeg | null {
  const { arp, ip, transport, payload } = packet
  if (mark.proto === 'arp') {
    if (arp?.op === 1 && arp.spa === mark.src && arp.tpa === mark.dst) return 'forward'
    if (arp) return arp.op === 2 && arp.spa === mark.dst && arp.tpa === mark.src ? 'return' : null
    if (transport?.kind !== 'icmp6' || targetOf(packet) !== mark.dst) return null
    return transport.type === 135 && ip?.src === mark.src ? 'forward' : transport.type === 136 && ip?.dst === mark.src ? 'return' : null
  }
  if (!ip) return null
  const there = ip.src === mark.src && ip.dst === mark.dst
  const back = ip.src === mark.dst && ip.dst === mark.src
  const starts = toHex(payload).startsWith(mark.payload)
  if (transport?.kind === 'icmp' || transport?.kind === 'icmp6') {
    const echo = transport.kind === 'icmp' ? { request: 8, reply: 0 } : { request: 128, reply: 129 }
    const error = transport.kind === 'icmp' ? [3, 11].includes(transport.type) : transport.type < 5 && transport.type > 0
    if (error && ip.dst === mark.src && quotes(payload, mark)) return 'error'
    if (mark.proto === 'raw') return there && starts ? 'forward' : null
    if (mark.proto !== 'icmp' || transport.rest !== mark.number) return null
    if (there && transport.type === echo.request) return 'forward'
    return back && transport.type === echo.reply ? 'return' : null
  }
  if (transport?.kind === 'tcp') {
    if (mark.proto !== 'tcp') return null
    if (there && transport.seq === mark.number) return 'forward'
    // A SYN takes one number, and each byte that it carries another one, should the answer take them (RFC 9293 §3.4).
    const acknowledged = (transport.ack - mark.number) >>> 0
    return back && acknowledged >= 1 && acknowledged <= maxSegmentBytes && transport.flags & tcpFlags.ack ? 'return' : null
  }
  if (transport?.kind === 'udp') return mark.proto === 'udp' && there && starts ? 'forward' : null
  return mark.proto === 'raw' && there && starts ? 'forward' : null
}

/** Whether the packet that an ICMP error quotes is the marked one: by its addresses, and what of its payload or numbers is there. */
function quotes(quoted: Uint8Array, mark: Mark): boolean {
  const packet = parseFrame(framedQuote(quoted, mark.src.includes(':')))
  if (packet?.ip?.src !== mark.src || packet.ip.dst !== mark.dst) return false
  const { transport, payload } = packet
  if (mark.proto === 'icmp') return (transport?.kind === 'icmp' || transport?.kind === 'icmp6') && transport.rest === mark.number
  if (mark.proto === 'tcp') return transport?.kind === 'tcp' ? transport.seq === mark.number : packet.ip.protocol === protocols.tcp
  if ((transport?.kind === 'udp') !== (mark.proto === 'udp') || (mark.proto === 'raw' && transport)) return false
  // An error need not quote more than eight bytes of what IP carries (RFC 792).
  const known = toHex(payload)
  return known.startsWith(mark.payload) || mark.payload.startsWith(known)
}

/** A quoted packet as a frame. An error quotes as much as fits: lengths are made those of what is there. */
function framedQuote(quoted: Uint8Array, six: boolean): Uint8Array {
  const frame = new Uint8Array(14 + quoted.length)
  write16(frame, 12, six ? etherTypes.ip6 : etherTypes.ip4)
  frame.set(quoted, 14)
  if (quoted.length < (six ? 40 : 20)) return frame
  const headerBytes = six ? 40 : (quoted[0]! & 15) * 4
  const protocol = quoted[six ? 6 : 9]
  if (six) write16(frame, 14 + 4, Math.min(read16(quoted, 4), quoted.length - 40))
  else write16(frame, 14 + 2, Math.min(read16(quoted, 2), quoted.length))
  if (protocol === protocols.udp && quoted.length >= headerBytes + 8)
    write16(frame, 14 + headerBytes + 4, Math.min(read16(quoted, headerBytes + 4), quoted.length - headerBytes))
  return frame
}
