import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { applyFrames } from './apply.ts'
import { migrate, type WritableDb } from './database.ts'
import { inventoryMigrations } from './migrations/index.ts'
import { lastSampleMs, pruneSamples, putSamples, samplesSince } from './samples.ts'

const sample = (atMs: number, cpu = 0.5) => ({ atMs, cpu, memoryUsedBytes: 1, load1: 0, nics: {}, disks: {} })

function dbWithHost(): WritableDb {
  const db = new Database(':memory:') as unknown as WritableDb
  migrate(db, inventoryMigrations)
  applyFrames(db, [
    { context: 'lab', host: 'h1', module: 'monitor', receivedAtMs: 0, frame: { type: 'snapshot', epoch: 'e', rev: 0, nowMs: 0, items: [] } },
  ])
  return db
}

test('samples come back in order, each once, from a time on', () => {
  const db = dbWithHost()
  putSamples(db, 'lab', 'h1', [sample(3000), sample(1000), sample(2000)])
  putSamples(db, 'lab', 'h1', [sample(2000, 0.9), sample(4000)])
  expect(samplesSince(db, 'lab', 'h1', 1000, 2).map(({ atMs, cpu }) => [atMs, cpu])).toEqual([
    [2000, 0.5],
    [3000, 0.5],
  ])
  expect(lastSampleMs(db, 'lab', 'h1')).toBe(4000)
  expect(lastSampleMs(db, 'lab', 'h2')).toBeUndefined()
  expect(samplesSince(db, 'other', 'h1', 0, 10)).toEqual([])
})

test('after a day a sample is gone, after an hour one in ten is left, and again changes nothing', () => {
  const db = dbWithHost()
  const lastMs = 30 * 3_600_000
  // Not on the full second, as real ones.
  const all = Array.from({ length: 30 * 3600 }, (_, second) => sample(lastMs - second * 1000 + 137))
  putSamples(db, 'lab', 'h1', all)
  pruneSamples(db)
  const left = samplesSince(db, 'lab', 'h1', 0, 1e6).map(({ atMs }) => lastMs + 137 - atMs)
  expect(Math.max(...left)).toBeLessThanOrEqual(24 * 3_600_000)
  expect(left.filter((ageMs) => ageMs <= 3_600_000)).toHaveLength(3601)
  expect(left.filter((ageMs) => ageMs > 3_600_000)).toHaveLength((23 * 3600) / 10)
  pruneSamples(db)
  expect(samplesSince(db, 'lab', 'h1', 0, 1e6)).toHaveLength(left.length)
})
