import type { SearchHit } from '../../core/contract/desktop/inventory.ts'
import { contextToken, findContext } from './apply.ts'
import { sql, type ReadableDb } from './database.ts'
import { hitOf } from './words.ts'

/** Matches looked at before sorting: ranking all of them costs ten times as much, and nobody reads further. */
const candidates = 1000
const maxWords = 8

interface Candidate {
  rowid: number
  kind: string
  id: string
  title: string
}

/** Kinds by how likely they are meant. */
const kindOrder = ['host', 'cluster', 'member', 'nic', 'disk', 'neighbour', 'module', 'facts', 'event']

/**
 * Objects of a context that hold every word of the query, as the beginning of a word or, where those are few, anywhere in one.
 * Best first: the very id, the title, the beginning of the title, then by kind and title.
 */
export function search(db: ReadableDb, contextName: string, query: string, limit: number): SearchHit[] {
  const context = findContext(db, contextName)
  const text = query.trim().toLowerCase()
  const words = (text.match(/[\p{L}\p{N}.:\-_/]+/gu) ?? []).slice(0, maxWords)
  if (context === undefined || words.length === 0) return []

  const found = new Map<number, Candidate>()
  const add = (rows: Candidate[]) => rows.forEach((row) => found.set(row.rowid, row))
  add(exact(db, context, text))
  add(matches(db, 'words', [`"${contextToken(context)}"`, ...words.map((word) => `"${word}"*`)].join(' ')))
  const long = words.filter((word) => [...word].length >= 3)
  if (found.size < limit && long.length === words.length) {
    add(matches(db, 'pieces', [`"${contextToken(context)} "`, ...long.map((word) => `"${word}"`)].join(' ')))
  }

  const rank = ({ id, title, kind }: Candidate) => {
    const name = title.toLowerCase()
    const nearness = id === text ? 0 : name === text ? 1 : name.startsWith(text) ? 2 : 3
    return nearness * 100 + ((kindOrder.indexOf(kind) + kindOrder.length) % kindOrder.length)
  }
  const ranked = [...found.values()]
    .map((row) => ({ row, rank: rank(row) }))
    .sort((a, b) => a.rank - b.rank || naturalOrder.compare(a.row.title, b.row.title))
  const hits = new Map<string, SearchHit>()
  for (const { row } of ranked) {
    if (hits.size >= limit) break
    const hit = load(db, row)
    if (hit && !hits.has(`${hit.kind}/${hit.id}`)) hits.set(`${hit.kind}/${hit.id}`, hit)
  }
  return [...hits.values()]
}

const naturalOrder = new Intl.Collator('en', { numeric: true })

function exact(db: ReadableDb, context: number, id: string): Candidate[] {
  const found = sql<Candidate>(
    db,
    'SELECT e.rowid, kind, e.id, title FROM entities e JOIN sources s ON s.id = e.source WHERE e.id = ? AND s.context = ? AND title IS NOT NULL LIMIT 50',
  )
  return found.all(id, context)
}

function matches(db: ReadableDb, index: 'words' | 'pieces', expression: string): Candidate[] {
  const found = sql<Candidate>(
    db,
    `SELECT e.rowid, kind, id, title FROM (SELECT rowid FROM ${index} WHERE ${index} MATCH ? LIMIT ${candidates}) m JOIN entities e ON e.rowid = m.rowid`,
  )
  return found.all(expression)
}

function load(db: ReadableDb, { rowid, kind, id }: Candidate): SearchHit | null {
  const row = sql<{ at_ms: number; doc: string }>(db, 'SELECT at_ms, doc FROM entities WHERE rowid = ?').get(rowid)
  return row ? hitOf({ kind, id, atMs: row.at_ms, doc: JSON.parse(row.doc) as Record<string, unknown> }) : null
}
