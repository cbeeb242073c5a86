import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { desc, gt } from 'drizzle-orm'
import type { Audit } from '../../core/model/task.ts'
import { audit, type RecordsDb } from '../records/schema.ts'
import { canonicalJson } from './canonical.ts'
import { redact } from './redact.ts'

/** What a caller says of a change; number, time and hashes are the log's. */
export type AuditEntry = Pick<Audit, 'actor' | 'action' | 'about' | 'outcome' | 'detail'>

/** The whole log is sound, or where it first is not and why. */
export type AuditVerdict = { sound: true; records: number } | { sound: false; records: number; number: number; reason: string }

/** Previous hash of the first record. */
const genesis = '0'.repeat(64)

/** SHA-256 over the canonical JSON of a record without its hash, in hex. */
export function hashOf(record: Omit<Audit, 'hash'>): string {
  return createHash('sha256').update(canonicalJson(record)).digest('hex')
}

/**
 * Adds a record. Two programs may do so at once: the transaction takes the lock before it reads the last one.
 * `headPath` is a file beside the database that remembers the last record, since a chain alone cannot tell that its end was cut off.
 */
export function appendAudit(db: RecordsDb, headPath: string, entry: AuditEntry, atMs: number): Audit {
  const record = db.transaction(
    (tx) => {
      const last = tx.select().from(audit).orderBy(desc(audit.number)).limit(1).get()
      const previous = last && (JSON.parse(last.doc) as Audit)
      const link = {
        number: (last?.number ?? 0) + 1,
        atMs,
        ...entry,
        detail: redact(entry.detail) as Audit['detail'],
        previousHash: previous?.hash ?? genesis,
      }
      // Through JSON, so that what is hashed is what will be read.
      const plain = JSON.parse(canonicalJson(link)) as Omit<Audit, 'hash'>
      const record = { ...plain, hash: hashOf(plain) } as Audit
      tx.insert(audit)
        .values({ number: record.number, doc: canonicalJson(record) })
        .run()
      return record
    },
    { behavior: 'immediate' },
  )
  raiseHead(headPath, record)
  return record
}

/** The newest records, newest first. */
export function listAudit(db: RecordsDb, limit: number): Audit[] {
  const rows = db.select().from(audit).orderBy(desc(audit.number)).limit(limit).all()
  return rows.map(({ doc }) => JSON.parse(doc) as Audit)
}

/** Reads the whole log and names the first record that is missing, changed or out of place. */
export function verifyAudit(db: RecordsDb, headPath: string): AuditVerdict {
  let previousHash = genesis
  let records = 0
  for (;;) {
    const rows = db.select().from(audit).where(gt(audit.number, records)).orderBy(audit.number).limit(1000).all()
    for (const { number, doc } of rows) {
      const broken = (reason: string): AuditVerdict => ({ sound: false, records, number: records + 1, reason })
      if (number !== records + 1) return broken(`Record ${records + 1} is missing`)
      const reason = flawOf(number, doc, previousHash)
      if (reason) return broken(reason)
      previousHash = (JSON.parse(doc) as Audit).hash
      records++
    }
    if (rows.length === 0) break
  }
  const head = readHead(headPath)
  if (head && head.number > records)
    return { sound: false, records, number: records + 1, reason: `Records ${records + 1} to ${head.number} were cut off` }
  if (head && head.number === records && head.hash !== previousHash)
    return { sound: false, records, number: records, reason: `Record ${records} is not the one that was written` }
  return { sound: true, records }
}

function flawOf(number: number, doc: string, previousHash: string): string | null {
  try {
    const { hash, ...record } = JSON.parse(doc) as Audit
    if (record.number !== number) return `Record ${number} says that it is number ${record.number}`
    if (record.previousHash !== previousHash) return `Record ${number} does not follow the one before it`
    if (hashOf(record) !== hash) return `Record ${number} was changed`
    return null
  } catch {
    return `Record ${number} cannot be read`
  }
}

type Head = Pick<Audit, 'number' | 'hash'>

function readHead(path: string): Head | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Head
  } catch {
    return null
  }
}

/** Written after the record: a crash in between leaves a head that is behind, which is no flaw. */
function raiseHead(path: string, { number, hash }: Head): void {
  if ((readHead(path)?.number ?? 0) >= number && number !== 1) return
  const fresh = `${path}.${process.pid}`
  writeFileSync(fresh, JSON.stringify({ number, hash }), { mode: 0o600 })
  renameSync(fresh, path)
}
