import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cidrAround,
  cidrContains,
  cidrHasIp,
  cidrsOverlap,
  formatCidr,
  formatIp,
  formatIpv4,
  formatIpv6,
  parseCidr,
  parseIp,
  parseIpv4,
  parseIpv6,
  type Family,
  type Ip,
} from './address.ts'

const ipv4 = fc.nat({ max: 0xffff_ffff })
/** Groups are mostly zero, so that runs of zeros of every length and place come up. */
const ipv6 = fc
  .array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 0xffff }) }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n))
const ip: fc.Arbitrary<Ip> = fc.oneof(
  ipv4.map((value) => ({ family: 4 as Family, value: BigInt(value) })),
  ipv6.map((value) => ({ family: 6 as Family, value })),
)
const cidr = fc.tuple(ip, fc.nat({ max: 128 })).map(([of, length]) => cidrAround(of, of.family === 4 ? length % 33 : length))
/** What is nearly an address. */
const nearly = fc.array(fc.constantFrom('0', '1', '25', '255', '256', 'f', 'FFFF', 'fffff', ':', ':', '::', '.', '.', '1.2.3.4', ''), {
  maxLength: 16,
})

describe('addresses', () => {
  test.each([
    ['2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::0:1', '::1'],
    ['1::', '1::'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['::ffff:c000:280', '::ffff:192.0.2.128'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is %s in the form of RFC 5952', (text, canonical) => {
    expect(formatIpv6(parseIpv6(text)!)).toBe(canonical)
  })

  test('every number is the number of its own text, as other programs write it too', () => {
    fc.assert(fc.property(ipv4, (value) => void expect(parseIpv4(formatIpv4(value))).toBe(value)))
    fc.assert(
      fc.property(ipv6, (value) => {
        expect(parseIpv6(formatIpv6(value))).toBe(value)
        // The URL standard has the same form, but for IPv4-mapped addresses.
        if (value >> 32n !== 0xffffn)
          expect(new URL(`http://[${value.toString(16).padStart(32, '0').match(/.{4}/g)!.join(':')}]`).hostname).toBe(`[${formatIpv6(value)}]`)
      }),
    )
  })

  test('is an address what Node takes for one', () => {
    const texts = fc.oneof(
      nearly.map((parts) => parts.join('')),
      fc.ipV6(),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.string(),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseIpv4(text) !== null).toBe(isIPv4(text))
        expect(parseIpv6(text) !== null).toBe(isIPv6(text) && !text.includes('%'))
        expect(parseIp(text) !== null).toBe(isIPv4(text) || (isIPv6(text) && !text.includes('%')))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('prefixes', () => {
  test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/01', '10.0.0.0/8/8', '/8', '10.0.0/8', 'fd00::/129', 'fd00::/-1', 'fd00::/1e1', ''])(
    '%j is none',
    (text) => {
      expect(parseCidr(text)).toBeNull()
    },
  )

  test('host bits are cut off', () => {
    expect(formatCidr(parseCidr('10.20.1.77/24')!)).toBe('10.20.1.0/24')
    expect(formatCidr(parseCidr('FD00::1:77/112')!)).toBe('fd00::1:0/112')
    expect(parseCidr('0.0.0.0/0')).toEqual({ family: 4, prefixLength: 0, first: 0n, last: 0xffff_ffffn })
    expect(parseCidr('255.255.255.255/32')).toEqual({ family: 4, prefixLength: 32, first: 0xffff_ffffn, last: 0xffff_ffffn })
  })

  test('text and back', () => {
    fc.assert(fc.property(cidr, (any) => void expect(parseCidr(formatCidr(any))).toEqual(any)))
    fc.assert(fc.property(ip, (any) => void expect(parseIp(formatIp(any))).toEqual(any)))
  })

  test('contain and overlap as their first bits say', () => {
    const bits = ({ family, value }: Ip) => value.toString(2).padStart(family === 4 ? 32 : 128, '0')
    const near = fc.oneof(
      fc.tuple(cidr, cidr),
      fc
        .tuple(cidr, fc.nat({ max: 128 }))
        .map(([a, length]) => [a, cidrAround({ family: a.family, value: a.last }, length % (a.family === 4 ? 33 : 129))] as const),
    )
    fc.assert(
      fc.property(near, ip, ([a, b], other) => {
        const [prefixOfA, prefixOfB] = [a, b].map((each) => bits({ family: each.family, value: each.first }).slice(0, each.prefixLength)) as [
          string,
          string,
        ]
        const contains = a.family === b.family && prefixOfB.startsWith(prefixOfA)
        expect(cidrContains(a, b)).toBe(contains)
        expect(cidrsOverlap(a, b)).toBe(contains || (a.family === b.family && prefixOfA.startsWith(prefixOfB)))
        expect(cidrHasIp(a, other)).toBe(a.family === other.family && bits(other).startsWith(prefixOfA))
        expect(cidrHasIp(a, { family: a.family, value: a.last })).toBe(true)
      }),
    )
  })
})
