import { parseIp } from '../address.ts'
import { parseFrame } from '../packet/parse.ts'
import { read32, toHex } from '../packet/bytes.ts'
import { etherTypes, protocols, tcpFlags, type Packet } from '../packet/packet.ts'

/** By what a traced packet and its answer are known again wherever they are seen. No flow asks for any of it. */
export interface Mark {
  proto: 'icmp' | 'tcp' | 'udp' | 'arp' | 'raw'
  src: string
  dst: string
  /** Second word of an ICMP echo: identifier and sequence number. Sequence number of a TCP segment. */
  number: number
  /** First bytes of the payload of UDP and of other protocols, hexadecimal. */
  payload: string
}

/** `error`: an ICMP error about the packet, on its way to the sender. */
export type SightedLeg = 'forward' | 'return' | 'error'

export interface Sighted {
  leg: SightedLeg
  packet: Packet
}

/** Whether a frame, as it is or inside a tunnel, is the marked packet or what came of it; null: neither. */
export function sight(frame: Uint8Array, mark: Mark): Sighted | null {
  const outer = parseFrame(frame)
  const packet = outer && (insideOf(outer) ?? outer)
  const leg = packet && legOf(packet, mark)
  return leg ? { leg, packet } : null
}

/** The packet in a tunnel: VXLAN (RFC 7348 §5) or GRE with a key (RFC 2890) around Ethernet. */
function insideOf({ ip, transport, payload }: Packet): Packet | null {
  if (transport?.kind === 'udp' && transport.dport === 4789 && payload.length > 8) return parseFrame(payload.subarray(8))
  if (ip?.protocol === 47 && payload.length > 8 && read32(payload, 0) === 0x2000_6558) return parseFrame(payload.subarray(8))
  return null
}

function legOf({ arp, ip, transport, payload }: Packet, mark: Mark): SightedLeg | null {
  if (mark.proto === 'arp') {
    if (arp?.op === 1 && arp.spa === mark.src && arp.tpa === mark.dst) return 'forward'
    return arp?.op === 2 && arp.spa === mark.dst && arp.tpa === mark.src ? 'return' : null
  }
  if (!ip) return null
  const there = ip.src === mark.src && ip.dst === mark.dst
  const back = ip.src === mark.dst && ip.dst === mark.src
  const starts = toHex(payload).startsWith(mark.payload)
  if (transport?.kind === 'icmp' || transport?.kind === 'icmp6') {
    const echo = transport.kind === 'icmp' ? { request: 8, reply: 0 } : { request: 128, reply: 129 }
    const error = transport.kind === 'icmp' ? [3, 11].includes(transport.type) : transport.type < 5 && transport.type > 0
    if (error && ip.dst === mark.src && quotes(payload, mark)) return 'error'
    if (mark.proto !== 'icmp' || transport.rest !== mark.number) return null
    if (there && transport.type === echo.request) return 'forward'
    return back && transport.type === echo.reply ? 'return' : null
  }
  if (transport?.kind === 'tcp') {
    if (mark.proto !== 'tcp') return null
    if (there && transport.seq === mark.number && transport.flags & tcpFlags.syn) return 'forward'
    return back && transport.ack === (mark.number + 1) >>> 0 && transport.flags & tcpFlags.ack ? 'return' : null
  }
  if (transport?.kind === 'udp') return mark.proto === 'udp' && there && starts ? 'forward' : null
  return mark.proto === 'raw' && there && starts ? 'forward' : null
}

/** Whether the packet that an ICMP error quotes is the marked one: by its addresses, and what of its payload or numbers is there. */
function quotes(quoted: Uint8Array, mark: Mark): boolean {
  const six = mark.src.includes(':')
  const framed = new Uint8Array(14 + quoted.length)
  framed[12] = (six ? etherTypes.ip6 : etherTypes.ip4) >> 8
  framed[13] = (six ? etherTypes.ip6 : etherTypes.ip4) & 0xff
  framed.set(quoted, 14)
  const packet = parseFrame(framed)
  if (packet?.ip?.src !== mark.src || packet.ip.dst !== mark.dst) return false
  const { transport } = packet
  if (mark.proto === 'icmp') return (transport?.kind === 'icmp' || transport?.kind === 'icmp6') && transport.rest === mark.number
  if (mark.proto === 'tcp') return transport?.kind === 'tcp' ? transport.seq === mark.number : packet.ip.protocol === protocols.tcp
  return true
}

/** What of a host's packets may be the marked one, for pcap-filter(7): as little as addresses alone can tell. `tunnelled`: on a NIC that carries tunnels. */
export function filterFor({ src, dst, proto }: Mark, tunnelled: boolean): string {
  const six = src.includes(':')
  const [a, b] = [lastWord(src), lastWord(dst)]
  if (!tunnelled) return proto === 'arp' && !six ? `arp host ${src} and arp host ${dst}` : `host ${src}`
  // Where the two addresses lie behind an outer header: of ARP, IPv4 or the last words of IPv6.
  const offsets = proto === 'arp' && !six ? [28, 38] : six ? [34, 50] : [26, 30]
  const inside = (base: string, from: number): string => {
    const word = (offset: number): string => `${base}[${from + offset}:4]`
    const pair = (x: number, y: number): string => `(${word(offsets[0]!)} = ${x} and ${word(offsets[1]!)} = ${y})`
    return `(${pair(a, b)} or ${pair(b, a)} or ${word(offsets[1]!)} = ${a})`
  }
  return `(udp port 4789 and ${inside('udp', 16)}) or (proto gre and ${inside('ip', 28)})`
}

/** The last four bytes of an address, as a number. */
function lastWord(ip: string): number {
  return Number(parseIp(ip)!.value & 0xffff_ffffn)
}
