import type { Sample } from '../../core/model/sample.ts'
import { contextId } from './apply.ts'
import { sql, type ReadableDb, type WritableDb } from './database.ts'

/** Samples are kept for a day: each second of the last hour, before that one in ten. */
const keepMs = 24 * 3_600_000
const everySecondMs = 3_600_000
const thinToMs = 10_000

/** Adds samples of one host; one that is there already stays. */
export function putSamples(db: WritableDb, context: string, host: string, samples: Sample[]): void {
  db.transaction(() => {
    const id = contextId(db, context)
    const insert = sql(db, 'INSERT OR IGNORE INTO samples (context, host, at_ms, doc) VALUES (?, ?, ?, ?)')
    for (const sample of samples) insert.run(id, host, sample.atMs, JSON.stringify(sample))
  }).immediate()
}

/** Samples of a host later than a time, oldest first, at most `limit` of them. */
export function samplesSince(db: ReadableDb, context: string, host: string, sinceMs: number, limit: number): Sample[] {
  const rows = sql<{ doc: string }>(
    db,
    'SELECT doc FROM samples WHERE context = (SELECT id FROM contexts WHERE name = ?) AND host = ? AND at_ms > ? ORDER BY at_ms LIMIT ?',
  )
  return rows.all(context, host, sinceMs, limit).map((row) => JSON.parse(row.doc) as Sample)
}

/** Time of the newest sample of a host; undefined without any. */
export function lastSampleMs(db: ReadableDb, context: string, host: string): number | undefined {
  const row = sql<{ at: number | null }>(
    db,
    'SELECT max(at_ms) AS at FROM samples WHERE context = (SELECT id FROM contexts WHERE name = ?) AND host = ?',
  ).get(context, host)
  return row?.at ?? undefined
}

/** Drops what is older than a day and thins what is older than an hour, by the newest sample of each host rather than a clock of ours. */
export function pruneSamples(db: WritableDb): void {
  db.transaction(() => {
    const hosts = sql<{ context: number; host: string }>(db, 'SELECT DISTINCT context, host FROM sources').all()
    for (const { context, host } of hosts) {
      const { at } = sql<{ at: number | null }>(db, 'SELECT max(at_ms) AS at FROM samples WHERE context = ? AND host = ?').get(context, host)!
      if (at === null) continue
      sql(db, 'DELETE FROM samples WHERE context = ? AND host = ? AND at_ms < ?').run(context, host, at - keepMs)
      sql(db, 'DELETE FROM samples WHERE context = ? AND host = ? AND at_ms < ? AND at_ms % ? >= 1000').run(
        context,
        host,
        at - everySecondMs,
        thinToMs,
      )
    }
  }).immediate()
}
