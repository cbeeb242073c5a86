import { parseFrame } from '../packet/parse.ts'
import { protocols, tcpFlags, type Icmp, type Packet, type Tcp } from '../packet/packet.ts'
import { unwrapTunnel } from './tunnel.ts'

/** A packet in a line: who sends it to whom, the protocol furthest in, and what it says. */
export interface PacketSummary {
  src: string
  dst: string
  protocol: string
  info: string
}

/**
 * Reads as much of a frame as a list shows. `bytes`: its length on the wire, where the frame itself is cut. Of a tunnel, the frame in it is
 * read, and the tunnel named in front. Never throws.
 */
export function summariseFrame(frame: Uint8Array, bytes: number): PacketSummary {
  const outer = parseCut(frame, bytes)
  if (!outer) return { src: '', dst: '', protocol: '?', info: `${bytes} bytes` }
  const tunnel = unwrapTunnel(frame)
  const inner = tunnel && parseCut(tunnel.frame, bytes - (frame.length - tunnel.frame.length))
  if (!tunnel || !inner) return summarisePacket(outer)
  const packet = summarisePacket(inner)
  const ends = outer.ip ? `${outer.ip.src} → ${outer.ip.dst}` : ''
  return { ...packet, info: `${packet.info} [${tunnel.type === 'vxlan' ? 'VXLAN' : 'GRE'} ${tunnel.vni}, ${ends}]` }
}

/** Headers say how long a packet is and are refused where it is not: what was cut off is put back as zeros. */
function parseCut(frame: Uint8Array, bytes: number): Packet | null {
  if (frame.length >= bytes) return parseFrame(frame)
  const whole = new Uint8Array(Math.min(bytes, 65_549))
  whole.set(frame.subarray(0, whole.length))
  return parseFrame(whole)
}

function summarisePacket(packet: Packet): PacketSummary {
  const { arp, ip, transport, payload } = packet
  if (arp) {
    const info =
      arp.op === 1
        ? arp.spa === arp.tpa
          ? `${arp.spa} is at ${arp.sha} (announced)`
          : `who has ${arp.tpa}? tell ${arp.spa}`
        : `${arp.spa} is at ${arp.sha}`
    return { src: arp.spa, dst: arp.tpa, protocol: 'ARP', info }
  }
  if (!ip) {
    const type = packet.etherType.toString(16).padStart(4, '0')
    return { src: packet.src, dst: packet.dst, protocol: 'Ethernet', info: `type 0x${type}, ${payload.length} bytes` }
  }
  const { src, dst } = ip
  const ttl = `ttl ${ip.ttl}`
  if (!transport) {
    const known = Object.entries(protocols).find(([, number]) => number === ip.protocol)?.[0]
    const fragment = ip.version === 4 && ip.fragmentOffsetBytes > 0 ? `, fragment at ${ip.fragmentOffsetBytes}` : ''
    return { src, dst, protocol: known?.toUpperCase() ?? `IP ${ip.protocol}`, info: `${payload.length} bytes${fragment}, ${ttl}` }
  }
  if (transport.kind === 'tcp') return { src, dst, protocol: 'TCP', info: tcpInfo(transport, payload.length) }
  if (transport.kind === 'udp') return { src, dst, protocol: 'UDP', info: `${transport.sport} → ${transport.dport}, ${payload.length} bytes` }
  return { src, dst, protocol: transport.kind === 'icmp' ? 'ICMP' : 'ICMPv6', info: `${icmpInfo(transport, payload)}, ${ttl}` }
}

function tcpInfo({ sport, dport, flags, seq, ack, window }: Tcp, length: number): string {
  const names = Object.entries(tcpFlags).flatMap(([name, bit]) => (flags & bit ? [name.toUpperCase()] : []))
  const acked = flags & tcpFlags.ack ? ` ack ${ack}` : ''
  return `${sport} → ${dport} [${names.join(' ')}] seq ${seq}${acked} win ${window}, ${length} bytes`
}

/** RFC 792. */
const icmpTypes: Readonly<Record<number, string>> = {
  ...{ 0: 'echo reply', 3: 'destination unreachable', 4: 'source quench', 5: 'redirect', 8: 'echo request', 11: 'time exceeded' },
  ...{ 12: 'parameter problem' },
}
/** RFC 792, RFC 1122 and RFC 1812: codes of destination unreachable. */
const unreachable = ['net', 'host', 'protocol', 'port', 'fragmentation needed'] as const
/** RFC 4443, RFC 4861 and RFC 2710. */
const icmp6Types: Readonly<Record<number, string>> = {
  ...{ 1: 'destination unreachable', 2: 'packet too big', 3: 'time exceeded', 4: 'parameter problem', 128: 'echo request', 129: 'echo reply' },
  ...{ 130: 'multicast listener query', 131: 'multicast listener report', 133: 'router solicitation', 134: 'router advertisement' },
  ...{ 135: 'neighbour solicitation', 136: 'neighbour advertisement', 137: 'redirect', 143: 'multicast listener report' },
}

function icmpInfo({ kind, type, code, rest }: Icmp, payload: Uint8Array): string {
  const known = (kind === 'icmp' ? icmpTypes : icmp6Types)[type] ?? `type ${type} code ${code}`
  if (known.startsWith('echo')) return `${known} id ${rest >>> 16} seq ${rest & 0xffff}, ${payload.length} bytes`
  if (kind === 'icmp6') return type === 2 ? `${known}, MTU ${rest}` : known
  if (type !== 3) return known
  const why = unreachable[code] ?? `code ${code}`
  return `${known}: ${why}${code === 4 ? `, MTU ${rest & 0xffff}` : ''}`
}
