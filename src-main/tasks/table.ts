import { and, desc, eq, inArray } from 'drizzle-orm'
import type { Task } from '../../core/model/task.ts'
import { tasks, type RecordsDb } from '../records/schema.ts'
import type { ProcessIdentity } from './process-identity.ts'

/** Tasks kept, newest first; running ones are never dropped. */
const maxTasks = 500

/** A task as it is stored, with what it takes to run it again. */
export interface TaskRow {
  doc: Task
  params: unknown
  owner: ProcessIdentity
  cancelAsked: boolean
}

const toRow = (row: typeof tasks.$inferSelect): TaskRow => ({
  doc: row.doc,
  params: row.params,
  owner: { pid: row.ownerPid, started: row.ownerStarted },
  cancelAsked: row.cancelAsked,
})

const ownedBy = (id: string, owner: ProcessIdentity) => and(eq(tasks.id, id), eq(tasks.ownerPid, owner.pid), eq(tasks.ownerStarted, owner.started))

/** All tasks, newest first. */
export function listTasks(db: RecordsDb): TaskRow[] {
  return db.select().from(tasks).orderBy(desc(tasks.startedAtMs)).all().map(toRow)
}

export function getTask(db: RecordsDb, id: string): TaskRow | undefined {
  const row = db.select().from(tasks).where(eq(tasks.id, id)).get()
  return row && toRow(row)
}

export function insertTask(db: RecordsDb, doc: Task, params: unknown, owner: ProcessIdentity): void {
  db.transaction((tx) => {
    tx.insert(tasks)
      .values({ id: doc.id, state: doc.state, startedAtMs: doc.startedAtMs, params, doc, ownerPid: owner.pid, ownerStarted: owner.started })
      .run()
    const old = tx.select({ id: tasks.id, state: tasks.state }).from(tasks).orderBy(desc(tasks.startedAtMs)).limit(maxTasks).offset(maxTasks).all()
    const ended = old.filter(({ state }) => state !== 'running').map(({ id }) => id)
    if (ended.length > 0) tx.delete(tasks).where(inArray(tasks.id, ended)).run()
  })
}

/** Stores how a task stands. Only its owner may; false when it is owned by another program by now. Answers whether its end was asked for. */
export function saveTask(db: RecordsDb, doc: Task, owner: ProcessIdentity): { owned: boolean; cancelAsked: boolean } {
  const { changes } = db.update(tasks).set({ doc, state: doc.state }).where(ownedBy(doc.id, owner)).run()
  return { owned: changes === 1, cancelAsked: getTask(db, doc.id)?.cancelAsked ?? false }
}

/** Asks the owner of a running task to end it. */
export function askCancel(db: RecordsDb, id: string): void {
  db.update(tasks).set({ cancelAsked: true }).where(eq(tasks.id, id)).run()
}

/** Takes a task over from an owner that is gone or done with it; false when somebody else was faster. */
export function takeTask(db: RecordsDb, doc: Task, from: ProcessIdentity, before: Task['state'], to: ProcessIdentity): boolean {
  const values = { doc, state: doc.state, ownerPid: to.pid, ownerStarted: to.started, cancelAsked: false }
  return (
    db
      .update(tasks)
      .set(values)
      .where(and(ownedBy(doc.id, from), eq(tasks.state, before)))
      .run().changes === 1
  )
}
