import type { SearchHit } from '../../core/contract/desktop/inventory.ts'
import { findContext } from './apply.ts'
import { sql, type ReadableDb } from './database.ts'
import { rowsOf } from './search-index.ts'
import { hitOf } from './words.ts'

/** Matches looked at before sorting: ranking all of them costs ten times as much, and nobody reads further. Hosts come first among them. */
const candidates = 500
const maxWords = 8
/** The index of pieces knows three letters in a row; beginnings up to as long have an index of their own. */
const pieceLength = 3

interface Candidate {
  rowid: number
  kind: string
  id: string
  title: string
}

/** Kinds by how likely they are meant; one that this version does not know comes last. */
const kindOrder = ['host', 'cluster', 'member', 'nic', 'disk', 'neighbour', 'module', 'facts', 'event']

/**
 * Objects of a context that hold every word of the query: anywhere in them, or where a word is too short for that, as its beginning.
 * Events hold it as a whole word. Best first: the very id, the title, the beginning of the title, then by kind and title.
 */
export function search(db: ReadableDb, contextName: string, query: string, limit: number): SearchHit[] {
  const context = findContext(db, contextName)
  const text = query.trim().toLowerCase()
  const words = (text.match(/[\p{L}\p{N}.:\-_/]+/gu) ?? []).slice(0, maxWords)
  if (context === undefined || words.length === 0) return []

  const found = new Map<number, Candidate>()
  const add = (rows: Candidate[]) => rows.forEach((row) => found.set(row.rowid, row))
  add(exact(db, context, text))
  if (words.every((word) => [...word].length >= pieceLength)) {
    add(matches(db, 'pieces', context, words.map(quoted).join(' ')))
    add(matches(db, 'words', context, partsOf(words).map(quoted).join(' ')))
  } else {
    add(
      matches(
        db,
        'words',
        context,
        partsOf(words)
          .map((part) => `${quoted(part)}*`)
          .join(' '),
      ),
    )
  }

  const rank = ({ id, title, kind }: Candidate) => {
    const name = title.toLowerCase()
    const nearness = id === text ? 0 : name === text ? 1 : name.startsWith(text) ? 2 : 3
    const order = kindOrder.indexOf(kind)
    return nearness * 100 + (order < 0 ? kindOrder.length : order)
  }
  // Chosen in the order of code units, which is cheap, and only then put in natural order.
  const ranked = [...found.values()].map((row) => ({ row, rank: rank(row) })).sort((a, b) => a.rank - b.rank || (a.row.title < b.row.title ? -1 : 1))
  const hits = new Map<string, { hit: SearchHit; rank: number }>()
  for (const { row, rank } of ranked) {
    if (hits.size >= limit) break
    const hit = load(db, row)
    if (hit && !hits.has(`${hit.kind}/${hit.id}`)) hits.set(`${hit.kind}/${hit.id}`, { hit, rank })
  }
  const sorted = [...hits.values()].sort((a, b) => a.rank - b.rank || naturalOrder.compare(a.hit.title, b.hit.title))
  return sorted.map(({ hit }) => hit)
}

const naturalOrder = new Intl.Collator('en', { numeric: true })

const quoted = (word: string): string => `"${word}"`

/** The index of words knows no slash. */
function partsOf(words: string[]): string[] {
  return words.flatMap((word) => word.split('/')).filter((part) => /[\p{L}\p{N}]/u.test(part))
}

function exact(db: ReadableDb, context: number, id: string): Candidate[] {
  const found = sql<Candidate>(
    db,
    'SELECT rowid, kind, id, title FROM entities WHERE id = ? AND rowid BETWEEN ? AND ? AND title IS NOT NULL LIMIT 50',
  )
  return found.all(id, ...rowsOf(context))
}

function matches(db: ReadableDb, index: 'words' | 'pieces', context: number, expression: string): Candidate[] {
  if (expression === '') return []
  const found = sql<Candidate>(
    db,
    `SELECT e.rowid, kind, id, title FROM (SELECT rowid FROM ${index} WHERE ${index} MATCH ? AND rowid BETWEEN ? AND ? LIMIT ${candidates}) m
     JOIN entities e ON e.rowid = m.rowid`,
  )
  return found.all(expression, ...rowsOf(context))
}

function load(db: ReadableDb, { rowid, kind, id }: Candidate): SearchHit | null {
  const row = sql<{ at_ms: number; doc: string }>(db, 'SELECT at_ms, doc FROM entities WHERE rowid = ?').get(rowid)
  return row ? hitOf({ kind, id, atMs: row.at_ms, doc: JSON.parse(row.doc) as Record<string, unknown> }) : null
}
