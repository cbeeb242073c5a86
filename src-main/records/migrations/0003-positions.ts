import type { Migration } from '../../inventory/database.ts'

/** Where a person has put the nodes of a context's topology. */
export default {
  version: 3,
  up(db) {
    db.exec(`
      CREATE TABLE positions (
        context TEXT NOT NULL,
        node TEXT NOT NULL,
        x REAL NOT NULL,
        y REAL NOT NULL,
        PRIMARY KEY (context, node)
      ) STRICT, WITHOUT ROWID;
    `)
  },
} satisfies Migration
