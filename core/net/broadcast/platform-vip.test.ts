import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Port, Vip } from '../../model/network.ts'
import { noRecord, type VipRecord } from './claims.ts'
import {
  afterCheck,
  decidePlace,
  firstReportMs,
  membersOf,
  notYetChecked,
  settleMs,
  unwellMembers,
  type CheckedMember,
  type Member,
  type MemberHealth,
} from './platform-vip.ts'

const startMs = 1_000_000
const names = ['db-1', 'db-2', 'db-3']
const vip = (priorities: Record<string, number> = {}): Vip => ({
  ...{ name: 'db-vip', network: 'db', ip: '10.20.2.100', ports: names },
  ...{ healthCheck: { tcp: 3306 }, priorities },
})
const well = (sinceMs = 0): MemberHealth => ({ well: true, sinceMs, why: null, lastWellAtMs: null })
const unwell = (lastWellAtMs: number | null = null): MemberHealth => ({ well: false, sinceMs: 0, why: 'nothing listens', lastWellAtMs })
const member = (port: string, health: MemberHealth | null, uncheckable: string | null = null): Member => ({
  ...{ port, host: `h-${port}`, mac: `02:00:00:00:00:0${port.at(-1)}` },
  ...{ health, uncheckable },
})
const owned = (port: string): VipRecord => {
  const { host, mac } = member(port, null)
  return { owner: { port, host, mac, sinceMs: 0 }, claimants: [], history: [{ from: null, to: port, atMs: 0, outageMs: null }] }
}

describe('checks of a member', () => {
  const check = (results: (string | null)[]): CheckedMember[] => {
    let now = notYetChecked
    return results.map((failure, index) => (now = afterCheck(now, failure, startMs + index * 500)))
  }

  it('make it unwell after two failures in a row, and well after one success', () => {
    const found = check([null, 'refused', null, 'refused', 'refused', 'late', null])
    expect(found.map(({ health }) => health?.well)).toEqual([true, true, true, true, false, false, true])
    expect(found[4]!.health).toEqual({ well: false, sinceMs: startMs + 2000, why: 'refused', lastWellAtMs: startMs + 1000 })
    expect(found[5]!.health).toEqual({ ...found[4]!.health, why: 'late' })
    // The very same, so that nothing is reported.
    expect(found[3]!.health).toBe(found[0]!.health)
  })

  it('know nothing before the first success or the second failure', () => {
    expect(check(['refused', 'refused']).map(({ health }) => health)).toEqual([
      null,
      { well: false, sinceMs: startMs + 500, why: 'refused', lastWellAtMs: null },
    ])
  })
})

describe('where an address is to be', () => {
  it('is at the well member of the highest priority, among equals at the first', () => {
    const all = names.map((name) => member(name, well()))
    expect(decidePlace(vip(), noRecord, all, null, startMs)).toMatchObject({ record: { owner: { port: 'db-1', host: 'h-db-1' } } })
    expect(decidePlace(vip({ 'db-3': 7 }), noRecord, all, null, startMs)).toMatchObject({ record: { owner: { port: 'db-3' } } })
  })

  it('is elsewhere at once when its owner is unwell, with the outage since that was last well', () => {
    const members = [member('db-1', unwell(startMs - 700)), member('db-2', well(startMs)), member('db-3', well(0))]
    expect(decidePlace(vip(), owned('db-1'), members, startMs - 700, startMs)).toMatchObject({
      kind: 'moves',
      record: { owner: { port: 'db-2', sinceMs: startMs }, history: [{}, { from: 'db-1', to: 'db-2', atMs: startMs, outageMs: 700 }] },
    })
  })

  it('is nowhere while nobody is well, and the outage goes on', () => {
    const nobody = decidePlace(vip(), owned('db-1'), [member('db-1', unwell()), member('db-2', null)], startMs - 700, startMs)
    if (nobody.kind !== 'moves') throw new Error(nobody.kind)
    expect(nobody.record).toMatchObject({ owner: null, history: [{}, { from: 'db-1', to: null, outageMs: 700 }] })
    expect(decidePlace(vip(), nobody.record, [member('db-1', unwell())], null, startMs + 100)).toEqual({ kind: 'known' })
    expect(decidePlace(vip(), nobody.record, [member('db-2', well(startMs + 5000))], null, startMs + 5000)).toMatchObject({
      record: { owner: { port: 'db-2' }, history: [{}, {}, { from: null, to: 'db-2', outageMs: 5700 }] },
    })
  })

  it('goes to a member of higher priority when that has been well for a while', () => {
    const back = [member('db-1', well(startMs)), member('db-2', well())]
    expect(decidePlace(vip(), owned('db-2'), back, null, startMs + 60_000)).toEqual({ kind: 'known' })
    const preferred = vip({ 'db-1': 10 })
    expect(decidePlace(preferred, owned('db-2'), back, null, startMs + 1000)).toEqual({ kind: 'held', forMs: settleMs - 1000 })
    expect(decidePlace(preferred, owned('db-2'), back, null, startMs + settleMs)).toMatchObject({
      record: { owner: { port: 'db-1' }, history: [{}, { from: 'db-2', to: 'db-1', outageMs: 0 }] },
    })
  })

  it('waits a little for members that come first, before it is given away for the first time', () => {
    const members = [member('db-1', null), member('db-2', well(startMs))]
    expect(decidePlace(vip(), noRecord, members, null, startMs + 500)).toEqual({ kind: 'held', forMs: firstReportMs - 500 })
    expect(decidePlace(vip(), noRecord, members, null, startMs + firstReportMs)).toMatchObject({ record: { owner: { port: 'db-2' } } })
    const unheardLast = [member('db-1', well(startMs)), member('db-2', null)]
    expect(decidePlace(vip(), noRecord, unheardLast, null, startMs)).toMatchObject({ record: { owner: { port: 'db-1' } } })
  })

  it('follows its port to another host without a drift', () => {
    const moved = { ...member('db-1', well()), host: 'h9' }
    const decision = decidePlace(vip(), owned('db-1'), [moved], null, startMs)
    expect(decision).toMatchObject({ kind: 'moves', record: { owner: { port: 'db-1', host: 'h9', sinceMs: 0 } } })
    expect(decision.kind === 'moves' && decision.record.history).toHaveLength(1)
  })

  it('of an address that flaps waits until another has been well for a while', () => {
    const drifts = Array.from({ length: 6 }, (_, index) => ({ from: null, to: 'db-1', atMs: startMs - index * 1000, outageMs: null }))
    const flapping = { ...owned('db-1'), history: drifts }
    const members = [member('db-1', unwell()), member('db-2', well(startMs - 1000))]
    expect(decidePlace(vip(), flapping, members, null, startMs)).toEqual({ kind: 'held', forMs: settleMs - 1000 })
    expect(decidePlace(vip(), flapping, members, null, startMs + settleMs)).toMatchObject({ record: { owner: { port: 'db-2' } } })
  })

  it('is never a member that cannot be checked', () => {
    const members = [member('db-1', null, 'it cannot be checked'), member('db-2', unwell())]
    expect(decidePlace(vip({ 'db-1': 255 }), owned('db-1'), members, null, startMs)).toMatchObject({ record: { owner: null } })
  })
})

const anyHealth = fc.oneof(
  fc.constant(null),
  fc.integer({ min: startMs - 10_000, max: startMs }).map((sinceMs) => well(sinceMs)),
  fc.constant(unwell(startMs - 600)),
)
const anyMembers = fc
  .tuple(anyHealth, anyHealth, anyHealth, fc.nat({ max: 2 }), fc.boolean())
  .map(([one, two, three, odd, isOdd]) =>
    [one, two, three].map((health, index) =>
      isOdd && index === odd ? member(names[index]!, null, 'it cannot be checked') : member(names[index]!, health),
    ),
  )
const anyPriorities = fc.dictionary(fc.constantFrom(...names), fc.nat({ max: 3 }))
const anyRecord = fc.tuple(fc.constantFrom(null, ...names), fc.array(fc.nat({ max: 20_000 }), { maxLength: 8 })).map(([owner, ages]): VipRecord => ({
  ...(owner === null ? noRecord : owned(owner)),
  history: ages.map((ageMs) => ({ from: null, to: 'db-1', atMs: startMs - ageMs, outageMs: null })),
}))
const situation = fc.record({ members: anyMembers, priorities: anyPriorities, record: anyRecord })

describe('of whatever there is', () => {
  const priorityOf = (priorities: Record<string, number>, port: string | undefined): number => priorities[port ?? ''] ?? 0

  it('an address only ever moves to a member that is well, or to nobody when none is, and tells it', () => {
    fc.assert(
      fc.property(situation, ({ members, priorities, record }) => {
        const decision = decidePlace(vip(priorities), record, members, startMs - 600, startMs)
        if (decision.kind !== 'moves') return
        const { owner, history } = decision.record
        const to = members.find(({ port }) => port === owner?.port)
        if (owner) expect(to).toMatchObject({ host: owner.host, mac: owner.mac, health: { well: true }, uncheckable: null })
        else expect(members.some(({ health }) => health?.well)).toBe(false)
        expect(history).toHaveLength(record.history.length + 1)
        expect(history.at(-1)).toMatchObject({ from: record.owner?.port ?? null, to: owner?.port ?? null, atMs: startMs })
        // A second look at the same changes nothing.
        expect(decidePlace(vip(priorities), decision.record, members, startMs, startMs).kind).not.toBe('moves')
      }),
    )
  })

  it('an owner that is well loses it to a higher priority alone, which has been well for long', () => {
    fc.assert(
      fc.property(situation, ({ members, priorities, record }) => {
        const present = members.find(({ port, health }) => port === record.owner?.port && health?.well)
        if (!present) return
        const decision = decidePlace(vip(priorities), record, members, null, startMs)
        if (decision.kind !== 'moves') return
        const { owner } = decision.record
        expect(priorityOf(priorities, owner?.port)).toBeGreaterThan(priorityOf(priorities, present.port))
        expect(startMs - members.find(({ port }) => port === owner?.port)!.health!.sinceMs).toBeGreaterThanOrEqual(settleMs)
      }),
    )
  })

  it('it comes to rest, when members stay as they are, at one of the highest priority that is well', () => {
    fc.assert(
      fc.property(situation, ({ members, priorities, record }) => {
        let now = record
        for (let atMs = startMs; atMs <= startMs + 4 * settleMs; atMs += 250) {
          const decision = decidePlace(vip(priorities), now, members, null, atMs)
          if (decision.kind === 'moves') now = decision.record
          if (decision.kind === 'held') expect(decision.forMs).toBeGreaterThan(0)
        }
        const healthy = members.filter(({ health }) => health?.well).map(({ port }) => priorityOf(priorities, port))
        if (healthy.length === 0) expect(now.owner).toBeNull()
        else expect(priorityOf(priorities, now.owner!.port)).toBe(Math.max(...healthy))
        expect(now.owner === null || members.some(({ port, health }) => port === now.owner!.port && health?.well)).toBe(true)
      }),
    )
  })

  it('an address that flaps does not move more often than the settling lets it', () => {
    const turns = fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 80, maxLength: 80 })
    fc.assert(
      fc.property(turns, (states) => {
        let now: VipRecord = noRecord
        let most = 0
        const since: number[] = [0, 0]
        let before: readonly boolean[] = [false, false]
        for (const [turn, state] of states.entries()) {
          const atMs = startMs + turn * 500
          for (const index of [0, 1]) if (state[index] !== before[index]) since[index] = atMs
          before = state
          const members = [0, 1].map((index) => member(names[index]!, state[index] ? well(since[index]) : { ...unwell(), sinceMs: since[index]! }))
          const decision = decidePlace(vip(), now, members, atMs - 500, atMs)
          if (decision.kind === 'moves') now = decision.record
          // Moves to nobody count, too, and are not held back.
          const lately = now.history.filter(({ atMs: driftAtMs, to }) => to !== null && atMs - driftAtMs < 10_000)
          most = Math.max(most, lately.length)
        }
        expect(most).toBeLessThanOrEqual(6 + Math.floor(10_000 / settleMs))
      }),
    )
  })
})

describe('the members of a VIP', () => {
  const port = (name: string, attach: Port['attach']): [string, Port] => [
    name,
    { name, network: 'db', mac: '02:00:00:00:00:01', ip: '10.20.2.1', allow: [], host: 'h1', attach, number: 256 },
  ]
  const ports = new Map([port('db-1', { kind: 'netns' }), port('db-2', { kind: 'vm', vm: 'one' }), port('db-3', { kind: 'netns' })])

  it('are as their own hosts report them, and tell why they cannot have the address', () => {
    const reports = new Map<string, { doc: Record<string, Record<string, MemberHealth>> }>([
      ['h1', { doc: { 'db-vip': { 'db-1': unwell() }, 'other': { 'db-3': well() } } }],
      ['h2', { doc: { 'db-vip': { 'db-3': well() } } }],
    ])
    const members = membersOf(vip(), ports, reports)
    expect(unwellMembers(members)).toEqual([
      { port: 'db-1', why: 'nothing listens' },
      { port: 'db-2', why: 'it cannot be checked: only light guests can, and it is attached as vm' },
      { port: 'db-3', why: 'h1 says nothing of it' },
    ])
  })
})
