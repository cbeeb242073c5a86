import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deepLink, fromDeepLink, homeOf, parsePlace, placeAddress, screens, type Place } from './place.ts'

const word = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,12}$/)
const ref = fc.record({
  kind: fc.constantFrom('host', 'nic', 'link', 'event', 'switch', 'port', 'network', 'acl', 'hop', 'pair'),
  id: fc.array(fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' }), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
})
const place: fc.Arbitrary<Place> = fc
  .record({
    context: word,
    screen: fc.constantFrom(...screens),
    host: word,
    select: fc.option(ref, { nil: undefined }),
    beside: fc.constantFrom(undefined, 'topology' as const, 'events' as const, 'trace' as const, 'reachability' as const),
    trace: fc.option(fc.record({ from: fc.string({ minLength: 1 }), to: word, dport: word }, { requiredKeys: ['from'] }), { nil: undefined }),
    reach: fc.option(fc.record({ vpc: word, probe: fc.constantFrom('icmp', 'tcp/22') }, { requiredKeys: ['vpc'] }), { nil: undefined }),
  })
  .map(({ context, screen, host, select, beside, trace, reach }) => ({
    context,
    screen,
    ...(screen === 'host' && { host }),
    ...(select && { select }),
    ...(beside && { beside }),
    ...(trace && (screen === 'trace' || beside === 'trace') && { trace }),
    ...(reach && (screen === 'reachability' || beside === 'reachability') && { reach }),
  }))

describe('addresses', () => {
  test('every place comes back from its address', () => {
    fc.assert(
      fc.property(place, (at) => {
        expect(parsePlace(placeAddress(at))).toEqual(at)
      }),
    )
  })

  test('anything can be read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(screens).toContain(parsePlace(text).screen)
      }),
    )
  })

  test.each([
    ['/lab', { context: 'lab', screen: 'overview' }],
    ['/lab/host/h2', { context: 'lab', screen: 'host', host: 'h2' }],
    ['/lab/hosts?select=host/h2&beside=topology', { context: 'lab', screen: 'hosts', select: { kind: 'host', id: 'h2' }, beside: 'topology' }],
    ['/lab/nic/h2/storage', { context: 'lab', screen: 'host', host: 'h2', select: { kind: 'nic', id: 'h2/storage' } }],
    ['/lab/link/h2/storage--tor2/swp2', { context: 'lab', screen: 'topology', select: { kind: 'link', id: 'h2/storage--tor2/swp2' } }],
    ['/-/add-host', { context: '', screen: 'add-host' }],
    ['/lab/nonsense', { context: 'lab', screen: 'overview' }],
    ['', { context: '', screen: 'overview' }],
  ])('%s', (address, expected) => {
    expect(parsePlace(address)).toEqual(expected)
  })

  test('a deep link names the place for other programs', () => {
    expect(deepLink(homeOf('lab', { kind: 'host', id: 'h2' }))).toBe('holdfast://lab/host/h2')
    expect(parsePlace(fromDeepLink('holdfast://lab/host/h2')!)).toEqual({ context: 'lab', screen: 'host', host: 'h2' })
    expect(fromDeepLink('https://example.org/lab')).toBeNull()
  })
})
