import Database from 'better-sqlite3'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyFrames } from './apply.ts'
import { migrate, type WritableDb } from './database.ts'
import { inventoryMigrations } from './migrations/index.ts'
import { search } from './search.ts'
import { eventObject, hostObject, nic } from './test-objects.ts'
import type { StoredObject } from './words.ts'

function dbWith(items: StoredObject[], context = 'lab'): WritableDb {
  const db = new Database(':memory:') as unknown as WritableDb
  migrate(db, inventoryMigrations)
  applyFrames(db, [{ context, host: 'h1', module: 'monitor', receivedAtMs: 0, frame: { type: 'snapshot', epoch: 'e', rev: 1, nowMs: 0, items } }])
  return db
}

const neighbour: StoredObject = {
  kind: 'neighbour',
  id: 'h3/mgmt',
  atMs: 1,
  doc: { host: 'h3', nic: 'mgmt', chassisId: '02:11:22:33:44:55', systemName: 'tor-a', portId: 'swp3' },
}
const db = dbWith([
  ...Array.from({ length: 1500 }, (_, n) =>
    nic(`h3${n}`, 'eth0', `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`),
  ),
  hostObject('h3', '10.1.2.3'),
  nic('h3', 'storage', 'de:ad:be:ef:00:01'),
  neighbour,
  eventObject('h3/m-9', 9, 'Path storage between h3 and h1 is down'),
  { kind: 'vip', id: 'web-vip', atMs: 1, doc: { name: 'web-vip', network: 'web', ip: '10.20.1.100', ports: ['web-1'] } },
  { kind: 'vipState', id: 'web-vip', atMs: 1, doc: { name: 'web-vip' } },
  { kind: 'networkHost', id: 'legacy-1', atMs: 1, doc: { name: 'legacy-1', roles: [], tunnelEnd: { ip: '10.7.2.50', mac: '02:00:00:00:00:50' } } },
  { kind: 'networkHost', id: 'h3', atMs: 1, doc: { name: 'h3', roles: ['broadcast'] } },
  { kind: 'volume', id: 'vol-of-tomorrow', atMs: 1, doc: { some: 'thing' } },
])
const titles = (query: string) => search(db, 'lab', query, 5).map(({ kind, id }) => `${kind} ${id}`)

test.each([
  ['the very name comes first, however many begin with it', 'h3', 'host h3'],
  ['an address by its beginning', '10.1.2', 'host h3'],
  ['a MAC by a piece of its middle', 'ad:be:ef', 'nic h3/storage'],
  ['a part of an id', 'stor', 'nic h3/storage'],
  ['several words, any order', 'storage h3', 'nic h3/storage'],
  ['a switch by what hears it', 'TOR-A', 'switch tor-a'],
  ['an event by its words', 'between down', 'event h3/m-9'],
  ['a VIP by its address', '10.20.1.100', 'vip web-vip'],
  ['a host without an agent by its tunnel end', '10.7.2.50', 'networkHost legacy-1'],
  ['a kind that this version does not know', 'tomorrow', 'volume vol-of-tomorrow'],
])('finds %s', (_name, query, expected) => {
  expect(titles(query)[0]).toBe(expected)
})

test('what is only reported of an object is not found beside it', () => {
  expect(titles('web-vip')).toEqual(['vip web-vip'])
  expect(titles('h3').filter((title) => title.startsWith('networkHost'))).toEqual([])
})

test('finds nothing in another context, and nothing for nothing', () => {
  expect(search(db, 'other', 'h3', 5)).toEqual([])
  expect(titles('  ')).toEqual([])
  expect(titles('***')).toEqual([])
  expect(titles('no-such-thing-anywhere')).toEqual([])
})

test('takes any text for a query', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (query) => search(db, 'lab', query, 10).length <= 10),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', '*', 'OR', ' ', '(', ')', ':', '^', 'h3', '-', '\0') }), (query) =>
      Array.isArray(search(db, 'lab', query, 10)),
    ),
  )
})
