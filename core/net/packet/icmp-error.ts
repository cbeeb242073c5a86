import { parseIpv4 } from '../address.ts'
import { buildFrame } from './build.ts'
import { parseFrame } from './parse.ts'
import { etherTypes, extensionTypes, protocols, type Ipv4, type Ipv6, type Packet } from './packet.ts'

/** Why a packet earns an error. `mtuBytes`: of the next hop, for `too-big`. */
export interface IcmpError {
  kind: 'ttl' | 'no-route' | 'unreachable' | 'port' | 'too-big' | 'prohibited'
  mtuBytes?: number
}

/** Who answers. Without an address of the packet's family there is no answer. */
export interface IcmpSender {
  mac: string
  ip4?: string
  ip6?: string
}

/** [type, code] by RFC 792, RFC 1812 §5.2.7.1 (13), RFC 1191 (4); and by RFC 4443. */
const codes = {
  'ttl': { 4: [11, 0], 6: [3, 0] },
  'no-route': { 4: [3, 0], 6: [1, 0] },
  'unreachable': { 4: [3, 1], 6: [1, 3] },
  'port': { 4: [3, 3], 6: [1, 4] },
  'too-big': { 4: [3, 4], 6: [2, 0] },
  'prohibited': { 4: [3, 13], 6: [1, 1] },
} as const

/** RFC 1812 §4.3.2.3: as much of the packet as fits into a datagram of 576 bytes; RFC 4443 §2.4 (c): into the smallest IPv6 MTU. */
const maxErrorBytes = { 4: 576, 6: 1280 } as const

/** TTL of errors, RFC 1812 §4.2.2.9 and IANA's recommendation. */
const ttl = 64
/** Internetwork control: RFC 1812 §4.3.2.5. */
const precedence = 0xc0

/**
 * The ICMP error about an IP packet, to who sent it, with the same VLAN tags; or null where none may be sent (RFC 1812 §4.3.2.7,
 * RFC 4443 §2.4 (e)): in answer to an ICMP error, to what was sent to many on either layer, to a fragment that is not the first, to a
 * source that is not a single host; nor to what is no whole IP packet. An IPv4 packet that may be fragmented is not too big.
 */
export function buildIcmpError(offendingFrame: Uint8Array, error: IcmpError, from: IcmpSender): Uint8Array | null {
  const offending = parseFrame(offendingFrame)
  const ip = offending?.ip
  const src = ip?.version === 4 ? from.ip4 : from.ip6
  if (!offending || !ip || src === undefined || !mayAnswer(offending, ip, error)) return null
  const [type, code] = codes[error.kind][ip.version]
  const headerBytes = ip.version === 4 ? 28 : 48
  const quoted = ipBytes(offending, offendingFrame).subarray(0, maxErrorBytes[ip.version] - headerBytes)
  const shared = { src, dst: ip.src, ttl, tos: ip.version === 4 ? precedence : 0 }
  return buildFrame({
    dst: offending.src,
    src: from.mac,
    vlans: offending.vlans,
    etherType: ip.version === 4 ? etherTypes.ip4 : etherTypes.ip6,
    ip:
      ip.version === 4
        ? {
            version: 4,
            ...shared,
            protocol: protocols.icmp,
            id: 0,
            dontFragment: false,
            moreFragments: false,
            fragmentOffsetBytes: 0,
            options: new Uint8Array(),
          }
        : { version: 6, ...shared, protocol: protocols.icmp6, label: 0, extensions: [] },
    transport: { kind: ip.version === 4 ? 'icmp' : 'icmp6', type, code, rest: error.kind === 'too-big' ? (error.mtuBytes ?? 0) : 0 },
    payload: quoted,
  })
}

/** The IP packet in a frame, padding left out. */
function ipBytes({ vlans, ip }: Packet, frame: Uint8Array): Uint8Array {
  const l3 = 14 + vlans.length * 4
  const lengthAt = l3 + (ip!.version === 4 ? 2 : 4)
  const bytes = ((frame[lengthAt]! << 8) | frame[lengthAt + 1]!) + (ip!.version === 4 ? 0 : 40)
  return frame.subarray(l3, l3 + bytes)
}

function mayAnswer(packet: Packet, ip: Ipv4 | Ipv6, { kind }: IcmpError): boolean {
  if (ip.version === 4) {
    if (kind === 'too-big' && !ip.dontFragment) return false
    return !group(packet.dst) && ip.fragmentOffsetBytes === 0 && !isIcmp4Error(packet, ip) && single4(ip.src) && !many4(ip.dst)
  }
  // RFC 4443 §2.4 (e.3): path MTU discovery works for multicast, too.
  const toMany = group(packet.dst) || ip.dst.startsWith('ff')
  return (!toMany || kind === 'too-big') && !laterFragment(ip) && !isIcmp6Error(packet, ip) && single6(ip.src)
}

function group(mac: string): boolean {
  return (parseInt(mac.slice(0, 2), 16) & 1) !== 0
}

/** What cannot be read whole might be an error: of the known types only those that ask or answer are answered. */
function isIcmp4Error({ transport }: Packet, { protocol }: Ipv4): boolean {
  return protocol === protocols.icmp && ![0, 8, 9, 10, 13, 14, 15, 16, 17, 18].includes(transport?.kind === 'icmp' ? transport.type : -1)
}

/** RFC 4443 §2.1: errors are types below 128. RFC 4443 §2.4 (e.2): nor is a redirect (137) answered. */
function isIcmp6Error({ transport }: Packet, { protocol }: Ipv6): boolean {
  return protocol === protocols.icmp6 && (transport?.kind !== 'icmp6' || transport.type < 128 || transport.type === 137)
}

function laterFragment({ extensions }: Ipv6): boolean {
  return extensions.some(({ type, body }) => type === extensionTypes.fragment && (((body[1]! << 8) | body[2]!) & 0xfff8) !== 0)
}

/** RFC 1812 §4.3.2.7: not 0/8, loopback, multicast, reserved or broadcast. */
function single4(address: string): boolean {
  const first = parseIpv4(address)! >>> 24
  return first !== 0 && first !== 127 && first < 224
}

function many4(address: string): boolean {
  const value = parseIpv4(address)!
  return value >>> 28 === 14 || value === 0xffff_ffff
}

/** Neither unspecified, loopback nor multicast. */
function single6(address: string): boolean {
  return address !== '::' && address !== '::1' && !address.startsWith('ff')
}
