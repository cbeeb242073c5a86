import { parseFrame } from '../packet/parse.ts'
import { ip6Bytes, read32, toHex } from '../packet/bytes.ts'
import { parseIp } from '../address.ts'
import type { Mark } from './sightings.ts'

/**
 * Filters in the syntax of pcap-filter(7) that let a traced packet through and what comes of it, and next to nothing else: a tap must stand
 * the traffic of its host. Bytes are asked for by where they lie, the ones that every packet has first: a filter that reads behind the end
 * of a packet ends there, and has not matched.
 */

/** How to write "so many bytes of the frame, from there on". */
type At = (offset: number, bytes: 1 | 2 | 4) => string

const bare: At = (offset, bytes) => `ether[${offset}:${bytes}]`
/** Behind the headers of UDP and VXLAN, and of IPv4 and GRE with a key. */
const tunnels: readonly { outer: string; at: At }[] = [
  { outer: 'udp port 4789', at: (offset, bytes) => `udp[${16 + offset}:${bytes}]` },
  { outer: 'proto gre', at: (offset, bytes) => `ip[${28 + offset}:${bytes}]` },
]

/** The frame, its answer, and ICMP errors about it. `tunnelled`: on a NIC that carries tunnels. */
export function filterFor(frame: Uint8Array, mark: Mark, tunnelled: boolean): string {
  if (!tunnelled) return anyOf(alternatives(frame, mark, bare))
  return anyOf(tunnels.map(({ outer, at }) => `${outer} and (${anyOf(alternatives(frame, mark, at))})`))
}

/** The frame alone, wherever it was routed to. */
export function exactFilter(frame: Uint8Array): string {
  return itself(frame, bare)
}

const anyOf = (conditions: readonly string[]): string => (conditions.length === 1 ? conditions[0]! : conditions.map((one) => `(${one})`).join(' or '))

function alternatives(frame: Uint8Array, mark: Mark, at: At): string[] {
  return [itself(frame, at), ...answersTo(mark, at), ...errorsAbout(mark, at)]
}

/** Addresses, and what no router changes: the first bytes behind the IP header. Of what is no IP, the first bytes of all. */
function itself(frame: Uint8Array, at: At): string {
  const { ip, arp, vlans } = parseFrame(frame) ?? {}
  if (arp) return bytesAre(frame, [12, 42], at)
  if (!ip || vlans?.length) return bytesAre(frame, [0, 36], at)
  const [addresses, headerEnd] = ip.version === 4 ? [[26, 34] as const, 14 + (frame[14]! & 0xf) * 4] : [[22, 54] as const, 54]
  return `${bytesAre(frame, [12, 14], at)} and ${bytesAre(frame, addresses, at)} and ${bytesAre(frame, [headerEnd, headerEnd + 24], at)}`
}

function bytesAre(frame: Uint8Array, [from, to]: readonly [number, number], at: At): string {
  const end = Math.min(to, frame.length)
  const conditions: string[] = []
  for (let offset = from; offset < end;) {
    const bytes = end - offset >= 4 ? 4 : end - offset >= 2 ? 2 : 1
    conditions.push(`${at(offset, bytes)} = 0x${toHex(frame.subarray(offset, offset + bytes))}`)
    offset += bytes
  }
  return conditions.join(' and ')
}

/** Ethernet type and one of the addresses, both or none, of an IP packet. */
function between(ends: { src?: string; dst?: string }, at: At): string {
  const six = (ends.src ?? ends.dst)!.includes(':')
  const words = (ip: string | undefined, offset: number): string[] => {
    if (ip === undefined) return []
    if (!six) return [`${at(offset, 4)} = ${Number(parseIp(ip)!.value)}`]
    const bytes = ip6Bytes(ip)
    return [0, 4, 8, 12].map((word) => `${at(offset + word, 4)} = ${read32(bytes, word)}`)
  }
  return [`${at(12, 2)} = ${six ? 0x86dd : 0x0800}`, ...words(ends.src, six ? 22 : 26), ...words(ends.dst, six ? 38 : 30)].join(' and ')
}

function answersTo({ proto, src, dst, number }: Mark, at: At): string[] {
  const six = src.includes(':')
  const behind = six ? 54 : 34
  if (proto === 'icmp') return [`${between({ src: dst, dst: src }, at)} and ${at(behind, 1)} = ${six ? 129 : 0} and ${at(behind + 4, 4)} = ${number}`]
  if (proto === 'tcp') return [`${between({ src: dst, dst: src }, at)} and ${at(behind + 8, 4)} = ${(number + 1) >>> 0}`]
  if (proto !== 'arp') return []
  if (six) return [`${between({ dst: src }, at)} and ${at(behind, 1)} = 136`]
  const word = (ip: string): number => Number(parseIp(ip)!.value)
  return [`${at(12, 2)} = 0x0806 and ${at(28, 4)} = ${word(dst)} and ${at(38, 4)} = ${word(src)}`]
}

/** Destination unreachable, too big and time exceeded: RFC 792, RFC 4443. */
function errorsAbout({ proto, src }: Mark, at: At): string[] {
  if (proto === 'arp' || proto === 'frame') return []
  if (src.includes(':')) return [`${between({ dst: src }, at)} and ${at(20, 1)} = 58 and ${at(54, 1)} < 5`]
  return [`${between({ dst: src }, at)} and ${at(23, 1)} = 1 and (${at(34, 1)} = 3 or ${at(34, 1)} = 11)`]
}
