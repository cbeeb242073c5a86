import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { statusSchema } from '../contract/desktop/inventory.ts'
import { planes, type LiveState, type Plane } from '../model/index.ts'
import { freshForMs, type ReportedEntity, type Source } from './freshness.ts'
import { planeState, statusOf } from './status.ts'

const nowMs = 1_800_000_000_000
const fresh = (host: string, module = 'cluster'): Source => ({ host, module, connected: true, seenAtMs: nowMs - 400 })
const stale = (host: string, module = 'cluster'): Source => ({ host, module, connected: true, seenAtMs: nowMs - freshForMs - 1 })

function host(name: string, reporter: string): ReportedEntity {
  return { kind: 'host', id: name, atMs: 1, reporter, doc: { name, addresses: { mgmt: '10.0.0.1' }, role: 'voter', joinedAtMs: 1 } }
}
function path(from: string, to: string, plane: Plane, state: LiveState): ReportedEntity {
  return {
    kind: 'path',
    id: `${from}/${to}/${plane}`,
    atMs: 1,
    reporter: from,
    doc: { from, to, plane, state, sinceMs: 1, lost: 0, replayed: 0, forged: 0 },
  }
}
function cluster(reporter: string, leader: string | null, leaderEpoch: number, quorum = true): ReportedEntity {
  const doc = { id: 'cluster', name: 'lab', clusterIp: '10.0.0.100', leader, leaderEpoch, quorum, elections: 1, raftElections: 1 }
  return { kind: 'cluster', id: 'cluster', atMs: 1, reporter, doc }
}
function module(name: string, host: string): ReportedEntity {
  const doc = { host, name, version: '1.0', state: 'running', pid: 1, startedAtMs: 1, restarts: 0 } as const
  return { kind: 'module', id: `${host}/${name}`, atMs: 1, reporter: host, doc }
}
const status = (entities: ReportedEntity[], sources: Source[]) => statusOf({ name: 'context', entities, sources, nowMs })
const stateOf = (name: string, entities: ReportedEntity[], sources: Source[]) => status(entities, sources).hosts.find((h) => h.name === name)?.state

describe('state of a host', () => {
  const members = [host('h1', 'h2'), host('h2', 'h2'), host('h3', 'h2')]
  it.each<[string, ReportedEntity[], Source[], LiveState]>([
    ['it answers', [], [fresh('h1')], 'up'],
    ['any part of it answers', [], [stale('h1'), fresh('h1', 'monitor')], 'up'],
    ['it answers, though peers do not hear it', [path('h2', 'h1', 'mgmt', 'down')], [fresh('h1'), fresh('h2')], 'up'],
    ['it does not answer, a fresh peer hears it', [path('h2', 'h1', 'storage', 'up'), path('h2', 'h1', 'mgmt', 'down')], [fresh('h2')], 'up'],
    ['two peers disagree', [path('h2', 'h1', 'mgmt', 'down'), path('h3', 'h1', 'mgmt', 'up')], [fresh('h2'), fresh('h3')], 'up'],
    ['no fresh peer hears it', [path('h2', 'h1', 'mgmt', 'down'), path('h2', 'h1', 'storage', 'down')], [stale('h1'), fresh('h2')], 'down'],
    [
      'one peer says down, the other just started',
      [path('h2', 'h1', 'mgmt', 'down'), path('h3', 'h1', 'mgmt', 'unknown')],
      [fresh('h2'), fresh('h3')],
      'down',
    ],
    ['the peer that hears it is stale', [path('h2', 'h1', 'mgmt', 'up')], [stale('h2')], 'unknown'],
    ['the peer that does not hear it is stale', [path('h2', 'h1', 'mgmt', 'down')], [stale('h2')], 'unknown'],
    ['the peer answers, but its cluster module is stale', [path('h2', 'h1', 'mgmt', 'down')], [stale('h2'), fresh('h2', 'supervisor')], 'unknown'],
    ['nobody watches it', [], [fresh('h2')], 'unknown'],
    ['what it says of others is no word about it', [path('h1', 'h2', 'mgmt', 'down')], [stale('h1'), fresh('h2')], 'unknown'],
    ['it was seen in the future: the clock stepped back', [], [{ ...fresh('h1'), seenAtMs: nowMs + 60_000 }], 'unknown'],
    ['it was never seen', [], [{ host: 'h1', module: 'cluster', connected: true, seenAtMs: null }], 'unknown'],
  ])('%s', (_, entities, sources, state) => {
    expect(stateOf('h1', [...members, ...entities], sources)).toBe(state)
  })
})

it('shows what each host says of its peers; the rows of a stale reporter become unknown', () => {
  const entities = [
    host('h1', 'h1'),
    host('h2', 'h1'),
    path('h1', 'h2', 'mgmt', 'up'),
    path('h1', 'h2', 'storage', 'down'),
    path('h2', 'h1', 'mgmt', 'up'),
  ]
  expect(status(entities, [fresh('h1'), stale('h2')]).hosts.map((h) => h.planes)).toEqual([
    { mgmt: { h2: 'up' }, storage: { h2: 'down' } },
    { mgmt: { h1: 'unknown' } },
  ])
})

it('leaves out cells towards hosts that are no longer members', () => {
  expect(status([host('h1', 'h1'), path('h1', 'h9', 'mgmt', 'down')], [fresh('h1')]).hosts[0]?.planes).toEqual({})
})

describe('leader', () => {
  it.each<[string, ReportedEntity[], Source[], string | null, boolean]>([
    ['all agree', [cluster('h1', 'h1', 5), cluster('h2', 'h1', 5)], [fresh('h1'), fresh('h2')], 'h1', true],
    ['the higher epoch is the later one', [cluster('h1', 'h1', 5), cluster('h2', 'h2', 9)], [fresh('h1'), fresh('h2')], 'h2', true],
    ['a reporter without quorum does not count', [cluster('h1', 'h1', 9, false), cluster('h2', 'h2', 5)], [fresh('h1'), fresh('h2')], 'h2', true],
    ['a stale reporter does not count', [cluster('h1', 'h1', 9), cluster('h2', null, 5)], [stale('h1'), fresh('h2')], null, true],
    ['quorum lost', [cluster('h1', 'h1', 9, false)], [fresh('h1')], null, false],
    ['nobody answers', [cluster('h1', 'h1', 9)], [stale('h1')], null, false],
    ['nothing known', [], [], null, false],
    [
      'one epoch: the one heard last',
      [cluster('h1', 'h1', 5), cluster('h2', null, 5)],
      [{ ...fresh('h1'), seenAtMs: nowMs - 900 }, fresh('h2')],
      null,
      true,
    ],
  ])('%s', (_, entities, sources, leader, quorum) => {
    expect(status(entities, sources).cluster).toMatchObject({ leader, quorum })
  })

  it('keeps the name and the address of a cluster that nobody answers for', () => {
    expect(status([cluster('h1', 'h1', 9)], []).cluster).toEqual({ name: 'lab', clusterIp: '10.0.0.100', leader: null, quorum: false })
    expect(status([], []).cluster).toEqual({ name: 'context', clusterIp: null, leader: null, quorum: false })
  })
})

describe('members', () => {
  it('are those that the best reporter names: fresh and quorate before fresh before last seen', () => {
    const entities = [host('h1', 'h1'), host('gone', 'h1'), host('h1', 'h2'), host('h2', 'h2'), cluster('h1', null, 1, false), cluster('h2', null, 1)]
    const names = (sources: Source[]) => status(entities, sources).hosts.map((h) => h.name)
    expect(names([fresh('h1'), fresh('h2')])).toEqual(['h1', 'h2'])
    expect(names([fresh('h1'), stale('h2')])).toEqual(['gone', 'h1'])
    expect(names([{ ...stale('h1'), seenAtMs: 1 }, stale('h2')])).toEqual(['h1', 'h2'])
  })

  it('include whoever answers though nobody names it, in natural order', () => {
    expect(status([host('h10', 'h10')], [fresh('h10'), fresh('h2', 'supervisor')]).hosts.map((h) => h.name)).toEqual(['h2', 'h10'])
  })
})

it('shows the last known version of an agent and the states of its modules while its supervisor answers', () => {
  const entities = [host('h1', 'h1'), module('supervisor', 'h1'), module('cluster', 'h1')]
  const agent = (sources: Source[]) => status(entities, sources).hosts[0]?.agent
  expect(agent([fresh('h1', 'supervisor')])).toEqual({ version: '1.0', modules: { cluster: 'running' } })
  expect(agent([fresh('h1', 'cluster')])).toEqual({ version: '1.0', modules: { cluster: 'unknown' } })
  expect(status([host('h1', 'h1')], []).hosts[0]?.agent).toEqual({ version: null, modules: {} })
})

it('tells the host whose link is cut from its peers', () => {
  const names = ['h1', 'h2', 'h3']
  const cut = (a: string, b: string): LiveState => (a === 'h2' || b === 'h2' ? 'down' : 'up')
  const entities = names.flatMap((from) => [
    host(from, 'h1'),
    ...names.filter((to) => to !== from).map((to) => path(from, to, 'storage', cut(from, to))),
  ])
  const found = status(
    entities,
    names.map((name) => fresh(name)),
  )
  expect(names.map((name) => planeState(found, name, 'storage'))).toEqual(['degraded', 'down', 'degraded'])
  expect(planeState(found, 'h1', 'tenant')).toBe('unknown')
})

describe('for any reports', () => {
  const name = fc.constantFrom('h1', 'h2', 'h3', 'constructor')
  const state = fc.constantFrom<LiveState>('up', 'down', 'unknown')
  const entity: fc.Arbitrary<ReportedEntity> = fc.oneof(
    fc.tuple(name, name).map(([a, b]) => host(a, b)),
    fc.tuple(name, name, fc.constantFrom(...planes), state).map(([from, to, plane, s]) => path(from, to, plane, s)),
    fc.tuple(name, fc.option(name), fc.nat({ max: 3 }), fc.boolean()).map(([by, leader, epoch, quorum]) => cluster(by, leader, epoch, quorum)),
    fc.tuple(fc.constantFrom('supervisor', 'cluster', 'monitor'), name).map(([m, h]) => module(m, h)),
  )
  const source = fc.record(
    {
      host: name,
      module: fc.constantFrom('supervisor', 'cluster', 'monitor'),
      connected: fc.boolean(),
      seenAtMs: fc.option(fc.integer({ min: nowMs - 2 * freshForMs, max: nowMs + 2 * freshForMs })),
      remembered: fc.constant(true as const),
    },
    { requiredKeys: ['host', 'module', 'connected', 'seenAtMs'] },
  )
  const entities = fc.array(entity, { maxLength: 30 })
  const isFresh = (s: Source) => !s.remembered && s.seenAtMs !== null && Math.abs(nowMs - s.seenAtMs) <= freshForMs

  it('the document is valid', () => {
    fc.assert(fc.property(entities, fc.array(source), (some, from) => void statusSchema.parse(status(some, from))))
  })

  it('nothing is up, down, led or quorate when every source is stale', () => {
    fc.assert(
      fc.property(entities, fc.array(source), (some, from) => {
        const found = status(
          some,
          from.filter((s) => !isFresh(s)),
        )
        expect(found.cluster).toMatchObject({ leader: null, quorum: false })
        for (const h of found.hosts) {
          expect(h.state).toBe('unknown')
          for (const cells of Object.values(h.planes)) expect(Object.values(cells).filter((cell) => cell !== 'unknown')).toEqual([])
          expect(Object.values(h.agent.modules).filter((module) => module !== 'unknown')).toEqual([])
        }
      }),
    )
  })

  it('a host is up or down only on the word of somebody fresh, and a cell only on the word of its own host', () => {
    fc.assert(
      fc.property(entities, fc.array(source), (some, from) => {
        const answers = (h: string, m?: string) => from.some((s) => s.host === h && (m === undefined || s.module === m) && isFresh(s))
        for (const h of status(some, from).hosts) {
          const words = some.flatMap((e) => (e.kind === 'path' && e.doc.to === h.name && answers(e.reporter, 'cluster') ? [e.doc.state] : []))
          if (h.state === 'up') expect(answers(h.name) || words.includes('up')).toBe(true)
          if (h.state === 'down') expect(!answers(h.name) && words.includes('down') && !words.includes('up')).toBe(true)
          for (const cells of Object.values(h.planes)) {
            for (const cell of Object.values(cells)) if (cell !== 'unknown') expect(answers(h.name, 'cluster')).toBe(true)
          }
        }
      }),
    )
  })
})
