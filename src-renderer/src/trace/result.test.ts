import { describe, expect, test } from 'vitest'
import type { TraceHop, TraceResult } from '../../../core/model/trace.ts'
import { answerOf, dropHop, hopId, hopOf, isParting, pairHops, parseHopId } from './result.ts'

const hop = (n: number, place: string, leg: TraceHop['leg'] = 'forward'): TraceHop => {
  const [host, device] = place.split('/') as [string, string]
  return {
    n,
    leg,
    evidence: 'computed',
    kind: 'virtual',
    host,
    device,
    in: null,
    out: null,
    action: 'forwarded',
    detail: '',
    objects: [],
    cookies: [],
  }
}
const result = (mode: TraceResult['mode'], places: string[]): TraceResult => ({
  ...{ verdict: 'delivered', mode, drop: null, limit: null, rttMs: null },
  hops: places.map((place, i) => hop(i + 1, place)),
})
const both = (simulated: string[], live: string[], parted: object | null = null): TraceResult => ({
  ...result('live', live),
  mode: 'both',
  ...{ simulated: result('simulated', simulated), live: result('live', live), parted },
})
const places = (answer: TraceResult): [string | undefined, string | undefined][] =>
  pairHops(answerOf(answer)).map(({ simulated, live }) => [
    simulated && `${simulated.host}/${simulated.device}`,
    live && `${live.host}/${live.device}`,
  ])

describe('both ways beside each other', () => {
  test('hops at the same device share a row', () => {
    expect(places(both(['h1/web-1', 'h1/br-int'], ['h1/web-1', 'h1/br-int']))).toEqual([
      ['h1/web-1', 'h1/web-1'],
      ['h1/br-int', 'h1/br-int'],
    ])
  })

  test('a device that only one names has a row of its own, and the rest still fits', () => {
    expect(places(both(['h1/web-1', 'tor1/tor1', 'h2/tenant'], ['h1/web-1', 'h2/tenant']))).toEqual([
      ['h1/web-1', 'h1/web-1'],
      ['tor1/tor1', undefined],
      ['h2/tenant', 'h2/tenant'],
    ])
  })

  test('where they part each goes its own way, and the row is marked', () => {
    const answer = both(['h1/web-1', 'h1/br-int', 'h1/vxlan'], ['h1/web-1', 'h1/br-int'], {
      ...{ n: 2, leg: 'forward', host: 'h1', device: 'br-int', object: 'acl/no-ssh', message: '' },
    })
    expect(pairHops(answerOf(answer)).map(({ parts }) => parts)).toEqual([false, true, false])
  })

  test('no hop is lost or doubled', () => {
    const answer = both(['h1/a', 'h1/b', 'h2/c', 'h2/d'], ['h1/b', 'h1/x', 'h2/d', 'h2/c'])
    const pairs = pairHops(answerOf(answer))
    expect(pairs.flatMap(({ simulated }) => simulated?.n ?? [])).toEqual([1, 2, 3, 4])
    expect(pairs.flatMap(({ live }) => live?.n ?? [])).toEqual([1, 2, 3, 4])
  })
})

test('an answer of one way has that side alone', () => {
  const { sides, parted } = answerOf(result('simulated', ['h1/web-1']))
  expect([Object.keys(sides), parted]).toEqual([['simulated'], null])
})

test('a packet is dropped at the last hop at that place, else at the last of all', () => {
  const { hops } = result('simulated', ['h1/br-int', 'h2/br-int', 'h1/br-int', 'h2/web-2'])
  const drop = (host: string): NonNullable<TraceResult['drop']> => ({ host, device: 'br-int', reason: 'arp-unanswered', object: null, hint: '' })
  expect(dropHop({ hops, drop: drop('h1') })?.n).toBe(3)
  expect(dropHop({ hops, drop: drop('h9') })?.n).toBe(4)
  expect(dropHop({ hops: [], drop: drop('h1') })).toBeUndefined()
})

test('hops are found by side and number', () => {
  const answer = answerOf(both(['h1/web-1'], ['h1/web-1', 'h1/br-int']))
  expect(hopOf(answer, hopId('live', 2))?.device).toBe('br-int')
  expect(hopOf(answer, hopId('simulated', 2))).toBeUndefined()
  expect(parseHopId('live-12')).toEqual({ side: 'live', n: 12 })
  expect(parseHopId('other-1')).toBeNull()
  expect(isParting(hop(1, 'h1/web-1'), null)).toBe(false)
})
