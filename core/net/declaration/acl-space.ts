import type { AclMatch } from '../../model/network.ts'
import { cidrContains, parseCidr, type Cidr, type Family } from '../address.ts'

/** Both ends included. */
type Range = readonly [first: number, last: number]

/** The packets that an ACL's match describes, as sets of values a field; what the match does not say is all of a field. */
export interface AclSpace {
  /** Protocol number of IANA; null for all. */
  proto: number | null
  /** Prefixes of source and destination for each family that packets can be of: one that is absent has no packet in it. */
  families: ReadonlyMap<Family, { src: Cidr; dst: Cidr }>
  sport: Range
  dport: Range
}

const everywhere = { 4: parseCidr('0.0.0.0/0')!, 6: parseCidr('::/0')! } as const
const protocols = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const
/** Protocols whose packets have ports: TCP, UDP, SCTP. */
const withPorts: readonly (number | null)[] = [6, 17, 132]

/** ICMP (1) is IPv4's and ICMPv6 (58) is IPv6's, by name or by number. */
export function aclSpaceOf({ proto, src, dst, sport, dport }: AclMatch): AclSpace {
  const number = typeof proto === 'string' ? protocols[proto] : (proto ?? null)
  const [from, to] = [src, dst].map((text) => (text === undefined ? undefined : parseCidr(text)!))
  const families = new Map<Family, { src: Cidr; dst: Cidr }>()
  for (const family of [4, 6] as const) {
    if (number === (family === 4 ? protocols.icmp6 : protocols.icmp)) continue
    if ((from && from.family !== family) || (to && to.family !== family)) continue
    families.set(family, { src: from ?? everywhere[family], dst: to ?? everywhere[family] })
  }
  return { proto: number, families, sport: rangeOf(sport), dport: rangeOf(dport) }
}

export function hasPorts(space: AclSpace): boolean {
  return withPorts.includes(space.proto)
}

/** Whether `outer` describes every packet that `inner` describes. */
export function aclSpaceCovers(outer: AclSpace, inner: AclSpace): boolean {
  if (outer.proto !== null && outer.proto !== inner.proto) return false
  if (!rangeCovers(outer.sport, inner.sport) || !rangeCovers(outer.dport, inner.dport)) return false
  return inner.families.entries().every(([family, { src, dst }]) => {
    const sides = outer.families.get(family)
    return sides !== undefined && cidrContains(sides.src, src) && cidrContains(sides.dst, dst)
  })
}

function rangeOf(ports: AclMatch['sport']): Range {
  if (ports === undefined) return [0, 65_535]
  return typeof ports === 'number' ? [ports, ports] : ports
}

function rangeCovers([first, last]: Range, inner: Range): boolean {
  return first <= inner[0] && inner[1] <= last
}
