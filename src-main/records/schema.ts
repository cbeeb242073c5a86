import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Task } from '../../core/model/task.ts'
import type { WritableDb } from '../inventory/database.ts'

/** The tables that the migrations make, as drizzle types them. */
export const tasks = sqliteTable('tasks', {
  id: text().primaryKey(),
  state: text().$type<Task['state']>().notNull(),
  startedAtMs: integer('started_at_ms').notNull(),
  params: text({ mode: 'json' }).$type<unknown>().notNull(),
  doc: text({ mode: 'json' }).$type<Task>().notNull(),
  ownerPid: integer('owner_pid').notNull(),
  ownerStarted: text('owner_started').notNull(),
  cancelAsked: integer('cancel_asked', { mode: 'boolean' }).notNull().default(false),
})

export const audit = sqliteTable('audit', {
  number: integer().primaryKey(),
  doc: text().notNull(),
})

export const positions = sqliteTable(
  'positions',
  {
    context: text().notNull(),
    node: text().notNull(),
    x: real().notNull(),
    y: real().notNull(),
  },
  (table) => [primaryKey({ columns: [table.context, table.node] })],
)

/** Typed queries on the records' file. */
export type RecordsDb = BetterSQLite3Database & { $client: WritableDb }

export function typed(db: WritableDb): RecordsDb {
  return drizzle({ client: db }) as unknown as RecordsDb
}
