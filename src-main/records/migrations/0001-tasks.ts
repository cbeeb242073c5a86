import type { Migration } from '../../inventory/database.ts'

/** Long work and who runs it: a process by id and start time, since ids come again. */
export default {
  version: 1,
  up(db) {
    db.exec(`
      CREATE TABLE tasks (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        started_at_ms INTEGER NOT NULL,
        params TEXT NOT NULL,
        doc TEXT NOT NULL,
        owner_pid INTEGER NOT NULL,
        owner_started TEXT NOT NULL,
        cancel_asked INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      CREATE INDEX tasks_by_time ON tasks (started_at_ms);
    `)
  },
} satisfies Migration
