import type { Migration } from '../../inventory/database.ts'

/** The audit log. `doc` is canonical JSON with its hash (see src-main/audit/chain.ts). Rows come and never change. */
export default {
  version: 2,
  up(db) {
    db.exec(`
      CREATE TABLE audit (
        number INTEGER PRIMARY KEY,
        doc TEXT NOT NULL
      ) STRICT;
      -- Also against INSERT OR REPLACE, which would delete without asking the trigger below.
      CREATE TRIGGER audit_appends BEFORE INSERT ON audit WHEN NEW.number <> coalesce((SELECT max(number) FROM audit), 0) + 1
        BEGIN SELECT RAISE(ABORT, 'audit records are added at the end'); END;
      CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records never change'); END;
      CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END;
    `)
  },
} satisfies Migration
