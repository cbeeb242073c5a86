import { parentPort, workerData } from 'node:worker_threads'
import { appendAudit, listAudit, verifyAudit, type AuditEntry } from '../audit/chain.ts'
import type { Task } from '../../core/model/task.ts'
import { OpenedDatabase } from '../inventory/opened.ts'
import { serve } from '../inventory/rpc.ts'
import { askCancel, getTask, insertTask, listTasks, saveTask, takeTask } from '../tasks/table.ts'
import type { ProcessIdentity } from '../tasks/process-identity.ts'
import { recordsMigrations } from './migrations/index.ts'
import { readPositions, savePositions, type Positions } from './positions.ts'
import { typed, type RecordsDb } from './schema.ts'

const path = workerData as string
const headPath = `${path}.audit-head`
const opened = new OpenedDatabase(path, recordsMigrations, true)
let db: RecordsDb

/** All that reads and changes the records, one call after the other. */
const api = {
  /** Answers where a damaged file was moved to, or null. The audit log then begins anew and says so itself. */
  open: (actor: string): string | null => {
    const { movedTo, check } = opened.open()
    const lost = movedTo ?? (check && !opened.isSound() ? opened.recover() : null)
    db = typed(opened.db)
    if (lost) appendAudit(db, headPath, { actor, action: 'audit-begun-anew', about: [], outcome: 'done', detail: { damagedFile: lost } }, Date.now())
    return lost
  },
  close: () => opened.close(),
  /** Changes whenever another program wrote to the file. */
  version: () => opened.db.pragma('data_version', { simple: true }) as number,
  listTasks: () => listTasks(db),
  getTask: (id: string) => getTask(db, id),
  insertTask: (doc: Task, params: unknown, owner: ProcessIdentity) => insertTask(db, doc, params, owner),
  saveTask: (doc: Task, owner: ProcessIdentity) => saveTask(db, doc, owner),
  askCancel: (id: string) => askCancel(db, id),
  takeTask: (doc: Task, from: ProcessIdentity, before: Task['state'], to: ProcessIdentity) => takeTask(db, doc, from, before, to),
  appendAudit: (entry: AuditEntry) => appendAudit(db, headPath, entry, Date.now()),
  listAudit: (limit: number) => listAudit(db, limit),
  verifyAudit: () => verifyAudit(db, headPath),
  readPositions: (context: string) => readPositions(db, context),
  savePositions: (context: string, places: Positions) => savePositions(db, context, places),
}
export type RecordsApi = typeof api

serve(parentPort!, api)
