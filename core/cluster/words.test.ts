import { describe, expect, test } from 'vitest'
import type { LiveState, Plane } from '../model/common.ts'
import type { PathChange } from './watcher.ts'
import { describePathChanges, findSkewedClocks } from './words.ts'

const change = (peer: string, plane: Plane, state: LiveState, before: LiveState = state === 'up' ? 'down' : 'up'): PathChange => ({
  peer,
  plane,
  before,
  state,
})
/** Paths of h1 to h2 and h3; those named are down. */
const paths = (...down: string[]) =>
  ['h2', 'h3'].flatMap((peer) =>
    (['mgmt', 'storage', 'tenant'] as const).map((plane) => ({
      peer,
      plane,
      state: (down.includes(`${peer}/${plane}`) ? 'down' : 'up') as LiveState,
    })),
  )
const messages = (changes: PathChange[], ...down: string[]) =>
  describePathChanges(changes, { self: 'h1', paths: paths(...down) }).map(({ message }) => message)

describe('what is told of paths', () => {
  test.each<[string, PathChange[], string[], string[]]>([
    ['one link of a peer', [change('h2', 'storage', 'down')], ['h2/storage'], ['h2 is not heard on storage; it is on mgmt and tenant']],
    [
      'a peer that is dead',
      [change('h2', 'mgmt', 'down'), change('h2', 'storage', 'down'), change('h2', 'tenant', 'down')],
      ['h2/mgmt', 'h2/storage', 'h2/tenant'],
      ['h2 is not heard on any plane by h1'],
    ],
    [
      'a plane on which nobody is heard',
      [change('h2', 'storage', 'down'), change('h3', 'storage', 'down')],
      ['h2/storage', 'h3/storage'],
      ["h1 hears nobody on storage; h2 and h3 are heard on other planes, so look at h1's own link or its switch"],
    ],
    ['a peer that is back', [change('h2', 'mgmt', 'up'), change('h2', 'tenant', 'up')], [], ['h2 is heard on mgmt and tenant']],
    ['a path that went and came', [change('h2', 'mgmt', 'down'), change('h2', 'mgmt', 'up')], [], []],
    ['first verdicts', [change('h2', 'mgmt', 'down', 'unknown'), change('h3', 'mgmt', 'up', 'unknown')], ['h2/mgmt'], []],
  ])('%s', (_, changes, down, expected) => {
    expect(messages(changes, ...down)).toEqual(expected)
  })

  test('all peers at once on all planes: each is named, since it may be us', () => {
    const all = paths().map(({ peer, plane }) => change(peer, plane, 'down'))
    expect(messages(all, ...paths().map(({ peer, plane }) => `${peer}/${plane}`))).toEqual([
      'h2 is not heard on any plane by h1',
      'h3 is not heard on any plane by h1',
    ])
  })
})

describe('whose clock is wrong', () => {
  test.each<[string, Record<string, number>, unknown]>([
    ['none', { h2: 20, h3: -3000 }, []],
    ['one peer’s', { h2: 600_000, h3: 10 }, [{ host: 'h2', offsetMs: 600_000 }]],
    ['our own, when most differ from it', { h2: 600_000, h3: 600_100 }, [{ host: 'h1', offsetMs: -600_100 }]],
    ['with one peer it cannot be told, so the peer is named', { h2: -7000 }, [{ host: 'h2', offsetMs: -7000 }]],
  ])('%s', (_, offsets, expected) => {
    expect(findSkewedClocks('h1', new Map(Object.entries(offsets)))).toEqual(expected)
  })
})
