import type { Migration } from '../database.ts'

/** One-second samples of hosts, kept for a day (see samples.ts). */
export default {
  version: 2,
  up(db) {
    db.exec(`
      CREATE TABLE samples (
        context INTEGER NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
        host TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        doc TEXT NOT NULL,
        PRIMARY KEY (context, host, at_ms)
      ) STRICT, WITHOUT ROWID;
    `)
  },
} satisfies Migration
