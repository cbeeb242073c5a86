import { sql, type ReadableDb } from './database.ts'

/** A document as one source reports it; `doc` is JSON text, parsed where it is used. */
export interface ReportRow {
  kind: string
  id: string
  atMs: number
  receivedAtMs: number
  /** Host and module that reported it. */
  reporter: string
  module: string
  doc: string
}

/** How a source stood when it was last written. */
export interface SourceRow {
  host: string
  module: string
  /** Null: never heard. */
  seenAtMs: number | null
}

const columns = 'e.kind, e.id, e.at_ms AS atMs, e.received_at_ms AS receivedAtMs, s.host AS reporter, s.module, e.doc'
const ofContext = 'FROM entities e JOIN sources s ON s.id = e.source JOIN contexts c ON c.id = s.context WHERE c.name = ?'

/** Which kinds to read: only these, or all but these. */
export type Kinds = { only: readonly string[] } | { except: readonly string[] }

/** What any source of a context reports, of some kinds. */
export function reports(db: ReadableDb, context: string, kinds: Kinds): ReportRow[] {
  const [names, condition] = 'only' in kinds ? [kinds.only, 'IN'] : [kinds.except, 'NOT IN']
  const list = JSON.stringify(names)
  return sql<ReportRow>(db, `SELECT ${columns} ${ofContext} AND e.kind ${condition} (SELECT value FROM json_each(?))`).all(context, list)
}

/** The newest events of a context, newest first. */
export function events(db: ReadableDb, context: string, limit: number): ReportRow[] {
  return sql<ReportRow>(db, `SELECT ${columns} ${ofContext} AND e.kind = 'event' ORDER BY e.at_ms DESC, e.rowid DESC LIMIT ?`).all(context, limit)
}

/** Sources of a context that were ever heard. */
export function sources(db: ReadableDb, context: string): SourceRow[] {
  return sql<SourceRow>(
    db,
    `SELECT host, module, seen_at_ms AS seenAtMs FROM sources s JOIN contexts c ON c.id = s.context
     WHERE c.name = ? AND host <> 'laptop' AND seen_at_ms IS NOT NULL ORDER BY host, module`,
  ).all(context)
}
