import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { applyFrames } from './apply.ts'
import { migrate, openWritable, schemaVersion, type WritableDb } from './database.ts'
import { inventoryMigrations } from './migrations/index.ts'
import { search } from './search.ts'

const memory = () => new Database(':memory:') as unknown as WritableDb
const schema = (db: WritableDb) => db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all()

test('versions count from 1 without holes', () => {
  expect(inventoryMigrations.map(({ version }) => version)).toEqual(inventoryMigrations.map((_, index) => index + 1))
})

test.each(inventoryMigrations.map((_, version) => version))('a file of version %i comes out as a new one, with what it held', (version) => {
  const db = memory()
  migrate(db, inventoryMigrations.slice(0, version))
  if (version >= 1) {
    db.exec(`
      INSERT INTO contexts VALUES (1, 'lab');
      INSERT INTO sources VALUES (1, 1, 'h1', 'monitor', 'e', 1, 5);
      INSERT INTO entities (source, kind, id, at_ms, received_at_ms, doc)
        VALUES (1, 'nic', 'h1/mgmt', 1, 1, '{"host":"h1","name":"mgmt","mac":"02:00:00:00:00:01","addresses":[],"state":"up","mtuBytes":1500}');
    `)
  }
  migrate(db, inventoryMigrations)
  const fresh = memory()
  migrate(fresh, inventoryMigrations)
  expect(schema(db)).toEqual(schema(fresh))
  expect(schemaVersion(db)).toBe(inventoryMigrations.length)
  if (version >= 1) {
    expect(search(db, 'lab', '02:00:00', 5)).toMatchObject([{ kind: 'nic', id: 'h1/mgmt' }])
    const frame = { type: 'delta' as const, epoch: 'e', rev: 2, nowMs: 0, puts: [], dels: [{ kind: 'nic', id: 'h1/mgmt' }] }
    expect(applyFrames(db, [{ context: 'lab', host: 'h1', module: 'monitor', receivedAtMs: 1, frame }])[0]).toMatchObject({
      result: 'applied',
      dels: [{ id: 'h1/mgmt' }],
    })
    expect(search(db, 'lab', '02:00:00', 5)).toEqual([])
  }
})

test('a migration that fails leaves the version before it', () => {
  const db = memory()
  const failing = { version: 2, up: (it: WritableDb) => void it.exec('CREATE TABLE half (x); SELECT no_such_function()') }
  expect(() => migrate(db, [inventoryMigrations[0]!, failing])).toThrow(/no_such_function/)
  expect(schemaVersion(db)).toBe(1)
  expect(schema(db)).not.toContainEqual(expect.objectContaining({ name: 'half' }))
})

test('the durable kind waits for the disk at each commit, the other does not', () => {
  for (const [durable, synchronous] of [
    [true, 2],
    [false, 1],
  ] as const) {
    const db = openWritable(':memory:', inventoryMigrations, durable)
    expect(db.pragma('synchronous', { simple: true })).toBe(synchronous)
    db.close()
  }
})
