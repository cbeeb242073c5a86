import { sql, type Migration } from '../database.ts'
import { indexWords, nextRow, wordsOf } from '../search-index.ts'

interface Row {
  rowid: number
  context: number
  kind: string
  id: string
  at_ms: number
  doc: string
}

/**
 * Search over all objects. `title` and `words` are what words.ts makes of a document; an object without words is not searched.
 * Both indexes are contentless (rowid = entities.rowid, see search-index.ts) and kept by apply.ts, only when the words changed:
 * `words` finds whole words and beginnings of up to three letters, `pieces` any three letters or more in a row.
 */
export default {
  version: 3,
  up(db) {
    db.exec(`
      ALTER TABLE entities ADD COLUMN title TEXT;
      ALTER TABLE entities ADD COLUMN words TEXT;
      CREATE INDEX entities_by_id ON entities (id, kind);

      CREATE VIRTUAL TABLE words USING fts5(
        text, content = '', contentless_delete = 1, detail = none,
        tokenize = "unicode61 remove_diacritics 2 tokenchars '.:-_'", prefix = '1 2 3'
      );
      CREATE VIRTUAL TABLE pieces USING fts5(text, content = '', contentless_delete = 1, tokenize = 'trigram');
    `)
    const rows = sql<Row>(db, 'SELECT e.rowid, s.context, kind, e.id, at_ms, doc FROM entities e JOIN sources s ON s.id = e.source').all()
    for (const { rowid, context, kind, id, at_ms, doc } of rows) {
      const fresh = nextRow(db, context, kind)
      const { title, words } = wordsOf({ kind, id, atMs: at_ms, doc: JSON.parse(doc) as Record<string, unknown> })
      sql(db, 'UPDATE entities SET rowid = ?, title = ?, words = ? WHERE rowid = ?').run(fresh, title, words, rowid)
      if (words !== null) indexWords(db, { rowid: fresh, kind }, words)
    }
  },
} satisfies Migration
