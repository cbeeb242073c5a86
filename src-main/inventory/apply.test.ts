import Database from 'better-sqlite3'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SyncFrame } from '../../core/contract/agent/sync.ts'
import type { Env } from '../../core/env.ts'
import { ObjectLog, type Put } from '../../core/sync/object-log.ts'
import { applyFrames, forgetHost, positionOf, pruneEvents, type FrameResult } from './apply.ts'
import { migrate, type WritableDb } from './database.ts'
import { inventoryMigrations } from './migrations/index.ts'
import { events, reports } from './read.ts'
import { search } from './search.ts'
import { clusterObject, eventObject, hostObject, nic } from './test-objects.ts'
import type { StoredObject } from './words.ts'

function emptyDb(): WritableDb {
  const db = new Database(':memory:') as unknown as WritableDb
  migrate(db, inventoryMigrations)
  return db
}

const source = { context: 'lab', host: 'h1', module: 'monitor' }
const snapshot = (items: StoredObject[], rev = items.length, epoch = 'e'): SyncFrame => ({ type: 'snapshot', epoch, rev, nowMs: 0, items })
const delta = (rev: number, puts: StoredObject[], dels: { kind: string; id: string }[] = [], epoch = 'e'): SyncFrame => ({
  type: 'delta',
  epoch,
  rev,
  nowMs: 0,
  puts,
  dels,
})
const apply = (db: WritableDb, frame: SyncFrame, from = source): FrameResult => applyFrames(db, [{ ...from, frame, receivedAtMs: 5 }])[0]!
const ids = (db: WritableDb) =>
  reports(db, 'lab', { except: ['event'] })
    .map((row) => `${row.kind}/${row.id}`)
    .sort()

describe('frames', () => {
  test('a snapshot replaces what the source had, a delta changes it, and only real changes are told', () => {
    const db = emptyDb()
    expect(apply(db, snapshot([nic('h1', 'a'), nic('h1', 'b')]))).toEqual({ result: 'applied', puts: [0, 1], dels: [] })
    expect(apply(db, delta(3, [nic('h1', 'a'), nic('h1', 'c')], [{ kind: 'nic', id: 'h1/b' }]))).toEqual({
      result: 'applied',
      puts: [1],
      dels: [{ kind: 'nic', id: 'h1/b' }],
    })
    expect(apply(db, snapshot([nic('h1', 'c')], 1, 'later'))).toEqual({ result: 'applied', puts: [], dels: [{ kind: 'nic', id: 'h1/a' }] })
    expect(ids(db)).toEqual(['nic/h1/c'])
    expect(positionOf(db, source)).toEqual({ epoch: 'later', rev: 1 })
  })

  test('what does not continue the stored life asks to watch anew; what is older than it changes nothing', () => {
    const db = emptyDb()
    expect(apply(db, delta(1, [])).result).toBe('resync')
    apply(db, snapshot([nic('h1', 'a')], 9))
    expect(apply(db, snapshot([], 8)).result).toBe('older')
    expect(apply(db, delta(7, [], [{ kind: 'nic', id: 'h1/a' }])).result).toBe('older')
    expect(apply(db, delta(10, [], [{ kind: 'nic', id: 'h1/a' }], 'other')).result).toBe('resync')
    expect(ids(db)).toEqual(['nic/h1/a'])
    expect(positionOf(db, source)).toEqual({ epoch: 'e', rev: 9 })
  })

  test('events outlive the log of their source, up to a bound', () => {
    const db = emptyDb()
    apply(db, snapshot([eventObject('h1/m-1', 1), eventObject('h1/m-2', 2), eventObject('h1/m-3', 3)]))
    apply(db, delta(4, [], [{ kind: 'event', id: 'h1/m-1' }]))
    apply(db, snapshot([], 0, 'later'))
    expect(events(db, 'lab', 10).map(({ id }) => id)).toEqual(['h1/m-3', 'h1/m-2', 'h1/m-1'])
    expect(pruneEvents(db, 2)).toBe(1)
    expect(events(db, 'lab', 10).map(({ id }) => id)).toEqual(['h1/m-3', 'h1/m-2'])
    expect(search(db, 'lab', 'm-1', 10)).toEqual([])
  })

  test('a source without a majority does not make hosts vanish that it cannot read', () => {
    const db = emptyDb()
    apply(db, snapshot([clusterObject(true), hostObject('h1'), hostObject('h2')]))
    apply(db, snapshot([clusterObject(false)], 1, 'restarted'))
    expect(ids(db)).toEqual(['cluster/cluster', 'host/h1', 'host/h2'])
    apply(db, snapshot([clusterObject(true), hostObject('h1')], 2, 'again'))
    expect(ids(db)).toEqual(['cluster/cluster', 'host/h1'])
  })

  test('a host that left takes its objects along, of this context alone, but not its events', () => {
    const db = emptyDb()
    apply(db, snapshot([nic('h1', 'a'), eventObject('h1/m-1', 1)]))
    apply(db, snapshot([nic('h1', 'a')]), { ...source, context: 'other' })
    expect(forgetHost(db, 'lab', 'h1')).toEqual([{ kind: 'nic', id: 'h1/a' }])
    expect(ids(db)).toEqual([])
    expect(events(db, 'lab', 10)).toHaveLength(1)
    expect(positionOf(db, source)).toBeUndefined()
    expect(reports(db, 'other', { except: [] })).toHaveLength(1)
    expect(search(db, 'other', 'h1/a', 10).map(({ kind }) => kind)).toEqual(['nic'])
    expect(search(db, 'lab', 'h1/a', 10).map(({ kind }) => kind)).toEqual(['event'])
  })
})

const env: Env = {
  monotonicMs: () => 0,
  wallMs: () => 7,
  random: () => 0.5,
  after: () => ({ [Symbol.dispose]: () => {} }),
  every: () => ({ [Symbol.dispose]: () => {} }),
}

const changes = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ nic: fc.integer({ min: 0, max: 5 }), mac: fc.integer({ min: 0, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ nic: fc.integer({ min: 0, max: 5 }), mac: fc.constant(null) }) },
  ),
  { maxLength: 3 },
)

/**
 * Two programs read one log into one file. One writes what it reads at once; the other takes a frame and writes it only after more has
 * changed. The module may restart in between, and the slow one may come anew.
 */
const round = fc.record({ before: changes, slowComes: fc.boolean(), between: changes, restarts: fc.boolean(), after: changes })

test('however two readers of one source interleave, nothing is lost, and search finds exactly what there is', async () => {
  const db = emptyDb()
  let run = 0
  const property = fc.asyncProperty(fc.array(round, { maxLength: 5 }), async (rounds) => {
    // Each run is a context of its own, which proves that they do not meet.
    const context = `lab-${run++}`
    const source = { context, host: 'h1', module: 'monitor' }
    let life = 0
    const start = () => new ObjectLog({ env, epoch: `life-${life++}`, maxChanges: 4 })
    let log = start()
    const come = () => ({ frames: log.watch(positionOf(db, source)), pending: undefined as Promise<IteratorResult<SyncFrame>> | undefined })
    type Reader = ReturnType<typeof come>
    /** The next frame; undefined while there is no news, for which the reader then goes on waiting. */
    const take = async (reader: Reader): Promise<SyncFrame | undefined> => {
      reader.pending ??= reader.frames.next()
      const first = await Promise.race([reader.pending, new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))])
      if (!first) return undefined
      reader.pending = undefined
      return first.done ? undefined : first.value
    }
    const write = (reader: Reader, frame: SyncFrame | undefined) => {
      if (frame && apply(db, frame, source).result === 'resync') Object.assign(reader, come())
    }
    const readAll = async (reader: Reader) => {
      for (let frame = await take(reader); frame; frame = await take(reader)) write(reader, frame)
    }
    const change = (list: { nic: number; mac: number | null }[]) => {
      for (const { nic: number, mac } of list) {
        if (mac === null) log.del('nic', `h1/n${number}`)
        else log.put(nic('h1', `n${number}`, `02:00:00:00:00:0${mac}`) as Put)
      }
    }
    const quick = come()
    const slow = come()
    for (const { before, slowComes, between, restarts, after } of rounds) {
      change(before)
      if (slowComes) Object.assign(slow, { frames: log.watch(), pending: undefined })
      const held = await take(slow)
      change(between)
      await readAll(quick)
      if (restarts) {
        log = start()
        Object.assign(quick, come())
        await readAll(quick)
      }
      write(slow, held)
      change(after)
      await readAll(quick)
      await readAll(come())

      const expected = log.list().map(({ kind, id, doc }) => ({ kind, id, doc }))
      const stored = reports(db, context, { except: [] }).map(({ kind, id, doc }) => ({ kind, id, doc: JSON.parse(doc) as object }))
      const sort = (list: { id: string }[]) => list.sort((a, b) => (a.id < b.id ? -1 : 1))
      expect(sort(stored)).toEqual(sort(expected))
      expect(positionOf(db, source)).toEqual(log.position)
      for (let mac = 0; mac < 4; mac++) {
        const address = `02:00:00:00:00:0${mac}`
        const holders = log.list('nic').filter((entity) => entity.doc.mac === address)
        expect(
          search(db, context, address, 50)
            .map(({ id }) => id)
            .sort(),
        ).toEqual(holders.map(({ id }) => id).sort())
      }
    }
  })
  await fc.assert(property, { numRuns: 200 })
})
