import type { Position, SyncFrame } from '../../core/contract/agent/sync.ts'
import { sql, type ReadableDb, type WritableDb } from './database.ts'
import { indexWords, nextRow, unindexWords, wordsOf } from './search-index.ts'
import type { StoredObject } from './words.ts'

/** Events kept for each context, oldest dropped first, whatever the agents' own logs still hold. */
export const maxEvents = 100_000

/** A module of a host of a context. */
export interface SourceName {
  context: string
  host: string
  module: string
}

export interface ReceivedFrame extends SourceName {
  frame: SyncFrame
  /** The laptop's wall clock when it came. */
  receivedAtMs: number
}

/** What a frame changed. `resync`: it does not continue what is stored (another program wrote another life of the source); watch anew. */
export interface FrameResult {
  result: 'applied' | 'older' | 'resync'
  /** Places in the frame's `items` or `puts` of those that were not stored so already. */
  puts: number[]
  dels: { kind: string; id: string }[]
}

interface SourceRow {
  id: number
  epoch: string | null
  rev: number | null
}
interface EntityRow {
  rowid: number
  kind: string
  id: string
  at_ms: number
  doc: string
  words: string | null
}

/** Number of a context, made on first use. */
export function contextId(db: WritableDb, name: string): number {
  const known = findContext(db, name)
  return known ?? Number(sql(db, 'INSERT INTO contexts (name) VALUES (?)').run(name).lastInsertRowid)
}

export function findContext(db: ReadableDb, name: string): number | undefined {
  return sql<{ id: number }>(db, 'SELECT id FROM contexts WHERE name = ?').get(name)?.id
}

function sourceRow(db: WritableDb, context: number, name: SourceName): SourceRow {
  const find = sql<SourceRow>(db, 'SELECT id, epoch, rev FROM sources WHERE context = ? AND host = ? AND module = ?')
  const known = find.get(context, name.host, name.module)
  if (known) return known
  sql(db, 'INSERT INTO sources (context, host, module) VALUES (?, ?, ?)').run(context, name.host, name.module)
  return find.get(context, name.host, name.module)!
}

/**
 * Applies frames in order, all in one transaction: objects and the position that they lead to are on disk together or not at all.
 * Two programs may write the same source: a frame older than what is stored changes nothing.
 */
export function applyFrames(db: WritableDb, frames: ReceivedFrame[]): FrameResult[] {
  return db.transaction(() => frames.map((received) => applyFrame(db, received))).immediate()
}

function applyFrame(db: WritableDb, received: ReceivedFrame): FrameResult {
  const { frame, receivedAtMs } = received
  const context = contextId(db, received.context)
  const source = sourceRow(db, context, received)
  const sameLife = source.epoch === frame.epoch
  const seen = () => sql(db, 'UPDATE sources SET seen_at_ms = max(coalesce(seen_at_ms, 0), ?) WHERE id = ?').run(receivedAtMs, source.id)
  const changes: FrameResult = { result: 'applied', puts: [], dels: [] }
  if (!sameLife && frame.type !== 'snapshot') return { ...changes, result: 'resync' }
  if (frame.type === 'idle' || (sameLife && source.rev !== null && frame.rev < source.rev)) {
    seen()
    return { ...changes, result: frame.type === 'idle' ? 'applied' : 'older' }
  }
  const writer = new SourceWriter(db, context, source.id, receivedAtMs, changes)
  if (frame.type === 'snapshot') writer.replaceAll(frame.items)
  else {
    frame.puts.forEach((item, index) => writer.put(item, index))
    for (const { kind, id } of frame.dels) if (kind !== 'event') writer.del(kind, id)
  }
  sql(db, 'UPDATE sources SET epoch = ?, rev = ? WHERE id = ?').run(frame.epoch, frame.rev, source.id)
  seen()
  return changes
}

/** Changes objects of one source and both search indexes with them, and notes what really changed. */
class SourceWriter {
  readonly #db: WritableDb
  readonly #context: number
  readonly #source: number
  readonly #receivedAtMs: number
  readonly #changes: FrameResult

  constructor(db: WritableDb, context: number, source: number, receivedAtMs: number, changes: FrameResult) {
    this.#db = db
    this.#context = context
    this.#source = source
    this.#receivedAtMs = receivedAtMs
    this.#changes = changes
  }

  put(object: StoredObject, index: number): void {
    const row = sql<EntityRow>(this.#db, 'SELECT rowid, kind, id, at_ms, doc, words FROM entities WHERE source = ? AND kind = ? AND id = ?').get(
      this.#source,
      object.kind,
      object.id,
    )
    this.#write(object, index, row)
  }

  del(kind: string, id: string): void {
    const row = sql<EntityRow>(this.#db, 'SELECT rowid, kind, id, at_ms, doc, words FROM entities WHERE source = ? AND kind = ? AND id = ?').get(
      this.#source,
      kind,
      id,
    )
    if (row) this.#remove(row)
  }

  /**
   * Makes the source hold these objects and no others. Events stay, whatever the source still remembers. A source that has lost the
   * majority cannot read the cluster's store: hosts and members that it does not name are then unknown to it, not gone.
   */
  replaceAll(objects: StoredObject[]): void {
    const rows = sql<EntityRow>(this.#db, 'SELECT rowid, kind, id, at_ms, doc, words FROM entities WHERE source = ?').all(this.#source)
    const before = new Map(rows.map((row) => [`${row.kind}/${row.id}`, row]))
    const blind = objects.some(({ kind, doc }) => kind === 'cluster' && doc.quorum === false)
    for (const [index, object] of objects.entries()) {
      this.#write(object, index, before.get(`${object.kind}/${object.id}`))
      before.delete(`${object.kind}/${object.id}`)
    }
    for (const row of before.values()) {
      if (row.kind === 'event' || (blind && (row.kind === 'host' || row.kind === 'member'))) continue
      this.#remove(row)
    }
  }

  #write(object: StoredObject, index: number, row: EntityRow | undefined): void {
    const db = this.#db
    const { kind, id, atMs } = object
    const doc = JSON.stringify(object.doc)
    if (row && row.doc === doc && row.at_ms === atMs) return
    const { title, words } = wordsOf(object)
    let rowid = row?.rowid
    if (rowid === undefined) {
      rowid = nextRow(db, this.#context, kind)
      const insert = sql(
        db,
        'INSERT INTO entities (rowid, source, kind, id, at_ms, received_at_ms, doc, title, words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      )
      insert.run(rowid, this.#source, kind, id, atMs, this.#receivedAtMs, doc, title, words)
    } else {
      sql(db, 'UPDATE entities SET at_ms = ?, received_at_ms = ?, doc = ?, title = ?, words = ? WHERE rowid = ?').run(
        atMs,
        this.#receivedAtMs,
        doc,
        title,
        words,
        rowid,
      )
    }
    if (words !== (row?.words ?? null)) {
      if (row && row.words !== null) unindexWords(db, row)
      if (words !== null) indexWords(db, { rowid, kind }, words)
    }
    this.#changes.puts.push(index)
  }

  #remove(row: EntityRow): void {
    if (row.words !== null) unindexWords(this.#db, row)
    sql(this.#db, 'DELETE FROM entities WHERE rowid = ?').run(row.rowid)
    this.#changes.dels.push({ kind: row.kind, id: row.id })
  }
}

/** Adds one object of the laptop's own, outside of any log. */
export function putOwn(db: WritableDb, context: string, object: StoredObject): void {
  db.transaction(() => {
    const id = contextId(db, context)
    const source = sourceRow(db, id, { context, host: 'laptop', module: 'app' })
    new SourceWriter(db, id, source.id, object.atMs, { result: 'applied', puts: [], dels: [] }).put(object, 0)
  }).immediate()
}

/** Notes when sources were last heard, without a frame that changes anything. */
export function saveSeen(db: WritableDb, seen: (SourceName & { seenAtMs: number })[]): void {
  db.transaction(() => {
    const update = sql(
      db,
      'UPDATE sources SET seen_at_ms = max(coalesce(seen_at_ms, 0), ?) WHERE context = (SELECT id FROM contexts WHERE name = ?) AND host = ? AND module = ?',
    )
    for (const { context, host, module, seenAtMs } of seen) update.run(seenAtMs, context, host, module)
  }).immediate()
}

/** Where to go on from; undefined: from the beginning. */
export function positionOf(db: ReadableDb, name: SourceName): Position | undefined {
  const row = sql<SourceRow>(
    db,
    'SELECT s.id, epoch, rev FROM sources s JOIN contexts c ON c.id = s.context WHERE c.name = ? AND host = ? AND module = ?',
  ).get(name.context, name.host, name.module)
  return row?.epoch != null && row.rev != null ? { epoch: row.epoch, rev: row.rev } : undefined
}

/** Drops what a host that left the cluster had reported, and its samples; its events stay. Answers the objects that are gone. */
export function forgetHost(db: WritableDb, context: string, host: string): { kind: string; id: string }[] {
  const run = db.transaction(() => {
    const id = contextId(db, context)
    const rows = sql<EntityRow>(
      db,
      `SELECT e.rowid, kind, e.id, words FROM entities e WHERE kind <> 'event' AND source IN (SELECT id FROM sources WHERE context = ? AND host = ?)`,
    )
    const gone = rows.all(id, host)
    for (const row of gone) {
      if (row.words !== null) unindexWords(db, row)
      sql(db, 'DELETE FROM entities WHERE rowid = ?').run(row.rowid)
    }
    sql(db, 'DELETE FROM samples WHERE context = ? AND host = ?').run(id, host)
    sql(db, 'UPDATE sources SET epoch = NULL, rev = NULL, seen_at_ms = NULL WHERE context = ? AND host = ?').run(id, host)
    return gone.map((row) => ({ kind: row.kind, id: row.id }))
  })
  return run.immediate()
}

/** Drops a context and all that was seen in it. */
export function forgetContext(db: WritableDb, context: string): void {
  db.transaction(() => {
    const id = findContext(db, context)
    if (id === undefined) return
    const rows = sql<EntityRow>(
      db,
      'SELECT rowid, kind, id FROM entities WHERE words IS NOT NULL AND source IN (SELECT id FROM sources WHERE context = ?)',
    ).all(id)
    for (const row of rows) unindexWords(db, row)
    sql(db, 'DELETE FROM contexts WHERE id = ?').run(id)
  }).immediate()
}

/** Keeps the newest events of each context. Answers how many went. */
export function pruneEvents(db: WritableDb, keep = maxEvents): number {
  const run = db.transaction(() => {
    let gone = 0
    for (const { id } of sql<{ id: number }>(db, 'SELECT id FROM contexts').all()) {
      const surplus = sql<{ rowid: number; kind: string }>(
        db,
        `SELECT e.rowid, kind FROM entities e JOIN sources s ON s.id = e.source WHERE s.context = ? AND kind = 'event' ORDER BY at_ms DESC LIMIT -1 OFFSET ?`,
      ).all(id, keep)
      for (const row of surplus) {
        unindexWords(db, row)
        sql(db, 'DELETE FROM entities WHERE rowid = ?').run(row.rowid)
      }
      gone += surplus.length
    }
    return gone
  })
  return run.immediate()
}
