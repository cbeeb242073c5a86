import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AclMatch } from '../../model/network.ts'
import { cidrHasIp, parseCidr, parseIp } from '../address.ts'
import { aclSpaceCovers, aclSpaceOf } from './acl-space.ts'

interface Packet {
  proto: number
  src: string
  dst: string
  sport: number
  dport: number
}

/** What the model says of a match, in so many words. */
function matches({ proto, src, dst, sport, dport }: AclMatch, packet: Packet): boolean {
  const six = packet.src.includes(':')
  const numbers = { tcp: 6, udp: 17, icmp: 1, icmp6: 58 }
  const number = typeof proto === 'string' ? numbers[proto] : proto
  if (number !== undefined && (packet.proto !== number || (number === 1 && six) || (number === 58 && !six))) return false
  const within = (cidr: string | undefined, ip: string): boolean => cidr === undefined || cidrHasIp(parseCidr(cidr)!, parseIp(ip)!)
  const between = (ports: AclMatch['sport'], port: number): boolean =>
    ports === undefined || (typeof ports === 'number' ? ports === port : ports[0] <= port && port <= ports[1])
  return within(src, packet.src) && within(dst, packet.dst) && between(sport, packet.sport) && between(dport, packet.dport)
}

// Every set that a match of these can describe differs from every other in at least one of the packets.
const prefixes = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '64.0.0.0/2', '::/0', '::/1', '8000::/1']
const ports = fc.constantFrom<AclMatch['sport'][]>(undefined, 0, 1, 2, [0, 1], [1, 2], [0, 65_535], [2, 65_535])
const match = fc.record(
  {
    proto: fc.constantFrom<NonNullable<AclMatch['proto']>[]>('tcp', 'icmp', 'icmp6', 6, 1, 58),
    src: fc.constantFrom(...prefixes),
    dst: fc.constantFrom(...prefixes),
    sport: ports,
    dport: ports,
  },
  { requiredKeys: [] },
)
const addresses = { 4: ['1.0.0.0', '65.0.0.0', '129.0.0.0'], 6: ['1::', '8001::'] }
const portNumbers = [0, 1, 2, 65_535]
const packets: Packet[] = [4, 6].flatMap((family) => {
  const ips = addresses[family as 4 | 6]
  return [6, 1, 58, 47].flatMap((proto) =>
    ips.flatMap((src) => ips.flatMap((dst) => portNumbers.flatMap((sport) => portNumbers.map((dport) => ({ proto, src, dst, sport, dport }))))),
  )
})

describe('the packets of an ACL', () => {
  test('one covers another just when it matches whatever the other does', () => {
    fc.assert(
      fc.property(match, match, (outer, inner) => {
        fc.pre(aclSpaceOf(inner).families.size > 0)
        const covered = packets.every((packet) => !matches(inner, packet) || matches(outer, packet))
        expect(aclSpaceCovers(aclSpaceOf(outer), aclSpaceOf(inner))).toBe(covered)
      }),
      { numRuns: 800 },
    )
  }, 60_000)

  test('one that says less covers it', () => {
    const fields = ['proto', 'src', 'dst', 'sport', 'dport'] as const
    fc.assert(
      fc.property(match, fc.subarray([...fields]), (inner, left) => {
        const outer = Object.fromEntries(left.map((field) => [field, inner[field]])) as AclMatch
        expect(aclSpaceCovers(aclSpaceOf(outer), aclSpaceOf(inner))).toBe(true)
      }),
    )
  })
})
