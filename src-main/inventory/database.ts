import Database from 'better-sqlite3'
import { HoldfastError } from '../../core/errors.ts'

declare const readable: unique symbol
declare const writable: unique symbol

/** A handle that can only read: SQLite itself refuses changes on it. */
export type ReadableDb = Database.Database & { readonly [readable]: true }
/** The handle that may change the file. A function that takes a ReadableDb accepts it; not the other way round. */
export type WritableDb = ReadableDb & { readonly [writable]: true }

/** One change of the schema, in a file of its own that is never edited once released. Versions count from 1 without holes. */
export interface Migration {
  version: number
  up(db: WritableDb): void
}

/** How long a writer waits for another program's write transaction. */
const busyTimeoutMs = 5000

/** Opens for reading a file that a writer has opened before. */
export function openReadable(path: string): ReadableDb {
  const db = new Database(path, { readonly: true, timeout: busyTimeoutMs })
  db.pragma('cache_size = -16000')
  return db as ReadableDb
}

/**
 * Opens or makes a database file and brings its schema up to date, each migration in a transaction of its own.
 * Throws `not-supported` for a file of a later version of Holdfast; SQLite's own errors for a damaged one (see `isCorrupt`).
 * @param durable whether a commit must survive loss of power (records) or only that of the process (what agents can tell again)
 */
export function openWritable(path: string, migrations: readonly Migration[], durable: boolean): WritableDb {
  const db = new Database(path, { timeout: busyTimeoutMs }) as unknown as WritableDb
  try {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
    db.pragma('foreign_keys = ON')
    db.pragma('journal_size_limit = 67108864')
    migrate(db, migrations, path)
  } catch (error) {
    db.close()
    throw error
  }
  return db
}

/** Runs the migrations that the file has not seen. The version is checked again inside each transaction: two programs may start at once. */
export function migrate(db: WritableDb, migrations: readonly Migration[], path = 'The database'): void {
  const latest = migrations.length
  if (schemaVersion(db) > latest) {
    db.pragma('query_only = ON')
    throw new HoldfastError(
      'not-supported',
      `${path} was written by a later version of Holdfast`,
      'Update Holdfast on this laptop, or set HOLDFAST_HOME to another folder.',
    )
  }
  for (const migration of migrations) {
    db.transaction(() => {
      if (schemaVersion(db) >= migration.version) return
      migration.up(db)
      db.pragma(`user_version = ${migration.version}`)
    }).immediate()
  }
}

/** Version of the schema that the file is in; 0 for an empty one. */
export function schemaVersion(db: ReadableDb): number {
  return db.pragma('user_version', { simple: true }) as number
}

/** Whether an error says that the file is damaged, as opposed to busy, full or forbidden. */
export function isCorrupt(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown } | null)?.code
  return typeof code === 'string' && (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')
}

const statements = new WeakMap<ReadableDb, Map<string, Database.Statement>>()

/** A statement prepared once per handle. `Row` is what it answers. */
export function sql<Row = unknown>(db: ReadableDb, text: string): Database.Statement<unknown[], Row> {
  let known = statements.get(db)
  if (!known) statements.set(db, (known = new Map()))
  let statement = known.get(text)
  if (!statement) known.set(text, (statement = db.prepare(text)))
  return statement as Database.Statement<unknown[], Row>
}
