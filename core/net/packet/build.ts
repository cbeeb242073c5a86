import { HoldfastError } from '../../errors.ts'
import { parseIpv4 } from '../address.ts'
import { concatBytes, ip6Bytes, macBytes, read16, write16, write32 } from './bytes.ts'
import { upperChecksum, writeChecksum } from './checksum.ts'
import { extensionTypes, protocols, type Arp, type Icmp, type Ipv4, type Ipv6, type Packet, type Tcp, type Udp } from './packet.ts'

/** The bytes of a packet, with lengths and checksums computed; no padding, no frame check sequence. Throws `bad-input` for texts that are no address. */
export function buildFrame(packet: Packet): Uint8Array {
  const { arp, ip, transport, payload } = packet
  const ethernet = buildEthernet(packet)
  if (arp) return concatBytes(ethernet, buildArp(arp), payload)
  if (!ip) return concatBytes(ethernet, payload)
  const upper = transport ? concatBytes(buildTransport(transport, payload.length), payload) : payload
  const header = ip.version === 4 ? buildIpv4(ip, upper.length) : buildIpv6(ip, upper.length)
  const frame = concatBytes(ethernet, header, upper)
  if (transport && whole(ip)) writeUpperChecksum(frame, ip.version, ethernet.length, ethernet.length + header.length, transport)
  return frame
}

/** A checksum covers the whole datagram: what is in a fragment alone has none that could be computed here. */
function whole(ip: Ipv4 | Ipv6): boolean {
  if (ip.version === 4) return !ip.moreFragments && ip.fragmentOffsetBytes === 0
  return ip.extensions.every(({ type, body }) => type !== extensionTypes.fragment || (read16(body, 1) & 0xfff9) === 0)
}

function buildEthernet({ dst, src, vlans, etherType }: Packet): Uint8Array {
  const bytes = new Uint8Array(14 + vlans.length * 4)
  bytes.set(macBytes(dst), 0)
  bytes.set(macBytes(src), 6)
  vlans.forEach(({ tpid, vid, pcp, dei }, index) => {
    write16(bytes, 12 + index * 4, tpid)
    write16(bytes, 14 + index * 4, (pcp << 13) | (Number(dei) << 12) | vid)
  })
  write16(bytes, bytes.length - 2, etherType)
  return bytes
}

function buildArp({ op, sha, spa, tha, tpa }: Arp): Uint8Array {
  const bytes = new Uint8Array(28)
  write16(bytes, 0, 1)
  write16(bytes, 2, 0x0800)
  bytes[4] = 6
  bytes[5] = 4
  write16(bytes, 6, op)
  bytes.set(macBytes(sha), 8)
  write32(bytes, 14, ip4Number(spa))
  bytes.set(macBytes(tha), 18)
  write32(bytes, 24, ip4Number(tpa))
  return bytes
}

function buildIpv4(ip: Ipv4, upperBytes: number): Uint8Array {
  const bytes = new Uint8Array(20 + ip.options.length)
  bytes[0] = 0x40 | (bytes.length / 4)
  bytes[1] = ip.tos
  write16(bytes, 2, bytes.length + upperBytes)
  write16(bytes, 4, ip.id)
  write16(bytes, 6, (Number(ip.dontFragment) << 14) | (Number(ip.moreFragments) << 13) | (ip.fragmentOffsetBytes / 8))
  bytes[8] = ip.ttl
  bytes[9] = ip.protocol
  write32(bytes, 12, ip4Number(ip.src))
  write32(bytes, 16, ip4Number(ip.dst))
  bytes.set(ip.options, 20)
  writeChecksum(bytes, 10, 0, bytes.length)
  return bytes
}

function buildIpv6(ip: Ipv6, upperBytes: number): Uint8Array {
  const next = [...ip.extensions.map(({ type }) => type), ip.protocol]
  const extensions = ip.extensions.map(({ body }, index) => concatBytes(Uint8Array.of(next[index + 1]!), body))
  const header = new Uint8Array(40)
  write32(header, 0, ((6 << 28) | (ip.tos << 20) | ip.label) >>> 0)
  write16(header, 4, upperBytes + extensions.reduce((length, bytes) => length + bytes.length, 0))
  header[6] = next[0]!
  header[7] = ip.ttl
  header.set(ip6Bytes(ip.src), 8)
  header.set(ip6Bytes(ip.dst), 24)
  return concatBytes(header, ...extensions)
}

function buildTransport(transport: Tcp | Udp | Icmp, payloadBytes: number): Uint8Array {
  if (transport.kind === 'tcp') return buildTcp(transport)
  const bytes = new Uint8Array(8)
  if (transport.kind === 'udp') {
    write16(bytes, 0, transport.sport)
    write16(bytes, 2, transport.dport)
    write16(bytes, 4, 8 + payloadBytes)
  } else {
    bytes[0] = transport.type
    bytes[1] = transport.code
    write32(bytes, 4, transport.rest)
  }
  return bytes
}

function buildTcp(tcp: Tcp): Uint8Array {
  const bytes = new Uint8Array(20 + tcp.options.length)
  write16(bytes, 0, tcp.sport)
  write16(bytes, 2, tcp.dport)
  write32(bytes, 4, tcp.seq)
  write32(bytes, 8, tcp.ack)
  write16(bytes, 12, ((bytes.length / 4) << 12) | tcp.flags)
  write16(bytes, 14, tcp.window)
  write16(bytes, 18, tcp.urgent)
  bytes.set(tcp.options, 20)
  return bytes
}

const checksumAt = { tcp: 16, udp: 6, icmp: 2, icmp6: 2 } as const
const protocolOf = { tcp: protocols.tcp, udp: protocols.udp, icmp6: protocols.icmp6 } as const

function writeUpperChecksum(frame: Uint8Array, family: 4 | 6, l3: number, l4: number, { kind }: Tcp | Udp | Icmp): void {
  if (kind === 'icmp') return writeChecksum(frame, l4 + checksumAt.icmp, l4, frame.length)
  const sum = upperChecksum(frame, family, l3, protocolOf[kind], l4, frame.length)
  // RFC 768: a UDP checksum that comes out as zero is sent as all ones, since zero means that there is none.
  write16(frame, l4 + checksumAt[kind], sum === 0 && kind === 'udp' ? 0xffff : sum)
}

function ip4Number(text: string): number {
  const address = parseIpv4(text)
  if (address === null) throw new HoldfastError('bad-input', `'${text}' is no IPv4 address`, 'Write the address as four numbers with dots.', { text })
  return address
}
