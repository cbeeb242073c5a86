import Database from 'better-sqlite3'
import * as fc from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { WritableDb } from '../inventory/database.ts'
import { migrate } from '../inventory/database.ts'
import { recordsMigrations } from '../records/migrations/index.ts'
import { typed, type RecordsDb } from '../records/schema.ts'
import { canonicalJson } from './canonical.ts'
import { appendAudit, hashOf, listAudit, verifyAudit } from './chain.ts'

let dir: string
let db: RecordsDb
let head: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-audit-'))
  head = join(dir, 'head')
  const client = new Database(':memory:') as unknown as WritableDb
  migrate(client, recordsMigrations)
  db = typed(client)
})
afterEach(() => {
  db.$client.close()
  rmSync(dir, { recursive: true, force: true })
})

const add = (n: number) =>
  appendAudit(db, head, { actor: 'ann@laptop', action: 'host-add', about: [`host/h${n}`], outcome: 'asked', detail: { n } }, 1000 + n)
const fill = (count: number) => Array.from({ length: count }, (_, n) => add(n + 1))

/** What somebody does who can write the file: past the triggers, straight at the rows. */
function tamper(statement: string): void {
  db.$client.exec(`DROP TRIGGER audit_keeps; DROP TRIGGER audit_stays; ${statement}`)
}

test('an untouched log is sound, the empty one too', () => {
  expect(verifyAudit(db, head)).toEqual({ sound: true, records: 0 })
  const [first, second] = fill(5)
  expect(first).toMatchObject({ number: 1, previousHash: '0'.repeat(64) })
  expect(second!.previousHash).toBe(first!.hash)
  expect(verifyAudit(db, head)).toEqual({ sound: true, records: 5 })
  expect(listAudit(db, 2).map(({ number }) => number)).toEqual([5, 4])
})

test('the database refuses to change or delete a record', () => {
  fill(2)
  expect(() => db.$client.exec(`UPDATE audit SET doc = '{}' WHERE number = 1`)).toThrow(/never change/)
  expect(() => db.$client.exec('DELETE FROM audit')).toThrow(/never deleted/)
  expect(() => db.$client.exec(`INSERT OR REPLACE INTO audit VALUES (1, '{}')`)).toThrow()
  expect(verifyAudit(db, head)).toEqual({ sound: true, records: 2 })
})

test.each([
  ['a changed field', `UPDATE audit SET doc = replace(doc, 'ann@', 'bob@') WHERE number = 3`, 3],
  ['a removed record', 'DELETE FROM audit WHERE number = 2', 2],
  ['a removed beginning', 'DELETE FROM audit WHERE number = 1', 1],
  ['a removed end', 'DELETE FROM audit WHERE number >= 4', 4],
  [
    'two swapped records',
    `UPDATE audit SET number = 100 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 100`,
    2,
  ],
  ['a record that is no JSON', `UPDATE audit SET doc = 'x' WHERE number = 4`, 4],
])('%s is found and named', (_name, statement, number) => {
  fill(5)
  tamper(statement)
  expect(verifyAudit(db, head)).toMatchObject({ sound: false, number })
})

test('a record rewritten with a fitting hash breaks the one after it, and the last one the head', () => {
  fill(3)
  const forge = (number: number) => {
    const { hash: _hash, ...record } = listAudit(db, 10).find((one) => one.number === number)!
    const forged = { ...record, actor: 'bob@laptop' }
    db.$client.prepare('UPDATE audit SET doc = ? WHERE number = ?').run(canonicalJson({ ...forged, hash: hashOf(forged) }), number)
  }
  tamper('SELECT 1')
  forge(3)
  expect(verifyAudit(db, head)).toMatchObject({ sound: false, number: 3 })
  forge(1)
  expect(verifyAudit(db, head)).toMatchObject({ sound: false, number: 2 })
})

test('a crash between the record and the head is no flaw', () => {
  const records = fill(3)
  writeFileSync(head, JSON.stringify({ number: 2, hash: records[1]!.hash }))
  expect(verifyAudit(db, head)).toEqual({ sound: true, records: 3 })
})

test('secrets are left out, wherever they stand', () => {
  const key = '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----'
  const detail = {
    target: { auth: { type: 'password', password: 'hunter2' } },
    token: 't0ken',
    list: [{ passphrase: 'p', keyPem: key }],
    note: key,
    address: '10.0.0.1',
  }
  const { detail: kept } = appendAudit(db, head, { actor: 'a', action: 'b', about: [], outcome: 'done', detail }, 1)
  const text = JSON.stringify(kept)
  for (const secret of ['hunter2', 't0ken', 'abc', '"p"']) expect(text).not.toContain(secret)
  expect(text).toContain('10.0.0.1')
})

test('whatever JSON a record holds, it verifies after it was stored and read', () => {
  const property = fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }), (detail) => {
    appendAudit(db, head, { actor: 'a', action: 'b', about: [], outcome: 'done', detail }, 1)
    return verifyAudit(db, head).sound
  })
  fc.assert(property, { numRuns: 60 })
})
