import type { Migration } from '../database.ts'

/** What agents report: who told (a source is a module of a host in a context), where its log stands, and its documents. */
export default {
  version: 1,
  up(db) {
    db.exec(`
      CREATE TABLE contexts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
      ) STRICT;

      CREATE TABLE sources (
        id INTEGER PRIMARY KEY,
        context INTEGER NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
        host TEXT NOT NULL,
        module TEXT NOT NULL,
        epoch TEXT,
        rev INTEGER,
        seen_at_ms INTEGER,
        UNIQUE (context, host, module)
      ) STRICT;

      CREATE TABLE entities (
        rowid INTEGER PRIMARY KEY,
        source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        received_at_ms INTEGER NOT NULL,
        doc TEXT NOT NULL,
        UNIQUE (source, kind, id)
      ) STRICT;
      CREATE INDEX events_by_time ON entities (at_ms) WHERE kind = 'event';
    `)
  },
} satisfies Migration
