import { indexWords, wordsOf } from '../apply.ts'
import { sql, type Migration } from '../database.ts'

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
 * Both indexes are contentless (rowid = entities.rowid) and kept by apply.ts, only when the words changed:
 * `words` finds whole words and their beginnings, `pieces` any three letters in a row.
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
        tokenize = "unicode61 remove_diacritics 2 tokenchars '.:-_/'", prefix = '2 3'
      );
      CREATE VIRTUAL TABLE pieces USING fts5(text, content = '', contentless_delete = 1, tokenize = 'trigram');
    `)
    const rows = sql<Row>(db, 'SELECT e.rowid, s.context, kind, e.id, at_ms, doc FROM entities e JOIN sources s ON s.id = e.source').all()
    for (const { rowid, context, kind, id, at_ms, doc } of rows) {
      const { title, words } = wordsOf(context, { kind, id, atMs: at_ms, doc: JSON.parse(doc) as Record<string, unknown> })
      sql(db, 'UPDATE entities SET title = ?, words = ? WHERE rowid = ?').run(title, words, rowid)
      if (words !== null) indexWords(db, { rowid, kind }, words)
    }
  },
} satisfies Migration
