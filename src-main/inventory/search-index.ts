import { sql, type ReadableDb, type WritableDb } from './database.ts'
import { searchable, textOf, type StoredObject } from './words.ts'

/**
 * Row numbers carry what a search needs to stop early: first the context, then how likely a kind is meant. Full-text indexes answer in the
 * order of rows, so the first matches are those of this context, hosts before their parts, events last.
 */
const contextSpan = 2 ** 34
const bandSpan = 2 ** 32

function bandOf(kind: string): number {
  if (kind === 'host' || kind === 'cluster') return 0
  return kind === 'event' ? 2 : 1
}

/** First and last row number that objects of a context can have. */
export function rowsOf(context: number): [number, number] {
  return [context * contextSpan, (context + 1) * contextSpan - 1]
}

/** A free row number for an object of a context. */
export function nextRow(db: ReadableDb, context: number, kind: string): number {
  const first = context * contextSpan + bandOf(kind) * bandSpan
  const row = sql<{ last: number | null }>(db, 'SELECT max(rowid) AS last FROM entities WHERE rowid BETWEEN ? AND ?').get(first, first + bandSpan - 1)
  return (row?.last ?? first) + 1
}

/** What an object is shown and found by; nulls when it is not searched. */
export function wordsOf(object: StoredObject): { title: string | null; words: string | null } {
  const found = searchable(object)
  return found ? { title: found.title, words: textOf(object, found) } : { title: null, words: null }
}

/** Adds an object to the search indexes. Events are many and are looked for by whole words alone. */
export function indexWords(db: WritableDb, row: { rowid: number; kind: string }, words: string): void {
  sql(db, 'INSERT INTO words (rowid, text) VALUES (?, ?)').run(row.rowid, partsOf(words))
  if (row.kind !== 'event') sql(db, 'INSERT INTO pieces (rowid, text) VALUES (?, ?)').run(row.rowid, words)
}

/** Takes an object out of them. */
export function unindexWords(db: WritableDb, row: { rowid: number; kind: string }): void {
  sql(db, 'DELETE FROM words WHERE rowid = ?').run(row.rowid)
  if (row.kind !== 'event') sql(db, 'DELETE FROM pieces WHERE rowid = ?').run(row.rowid)
}

/** Words as people type them: `h2/eth0` is two, `tor-a` is one and also its parts. Each once. */
function partsOf(words: string): string {
  const whole = words.split(/[\s/]+/)
  return [...new Set([...whole, ...whole.flatMap((word) => word.split(/[-_]+/))])].join(' ')
}
