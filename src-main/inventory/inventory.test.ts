import Database from 'better-sqlite3'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SyncFrame } from '../../core/contract/agent/sync.ts'
import { Inventory } from './inventory.ts'
import { eventObject, hostObject, nic } from './test-objects.ts'
import type { StoredObject } from './words.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-inventory-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const source = { context: 'lab', host: 'h1', module: 'monitor' }
const snapshot = (items: StoredObject[], rev = 1): SyncFrame => ({ type: 'snapshot', epoch: 'e', rev, nowMs: 0, items })
const ids = async (inventory: Inventory) => (await inventory.reports('lab')).map(({ id }) => id).sort()

test('what was written is there after a restart, with where to go on from, and in a file for its owner alone', async () => {
  {
    await using inventory = await Inventory.open(dir)
    expect(await inventory.apply({ ...source, frame: snapshot([hostObject('h1'), nic('h1', 'a')]), receivedAtMs: 42 })).toBe('applied')
    await inventory.putSamples('lab', 'h1', [{ atMs: 1000, cpu: 0.5, memoryUsedBytes: 1, load1: 0, nics: {}, disks: {} }])
  }
  await using inventory = await Inventory.open(dir)
  expect(await ids(inventory)).toEqual(['h1', 'h1/a'])
  expect(await inventory.position(source)).toEqual({ epoch: 'e', rev: 1 })
  expect(await inventory.sources('lab')).toEqual([{ host: 'h1', module: 'monitor', seenAtMs: 42 }])
  expect(await inventory.samplesSince('lab', 'h1', 0, 10)).toMatchObject([{ atMs: 1000, cpu: 0.5 }])
  expect(await inventory.lastSampleMs('lab', 'h1')).toBe(1000)
  expect((await inventory.search('lab', 'h1/a', 5))[0]).toMatchObject({ kind: 'nic', id: 'h1/a' })
})

test('tells only what changed, after it is on disk', async () => {
  await using inventory = await Inventory.open(dir)
  const changes: unknown[] = []
  inventory.onChange(({ puts, dels }) => changes.push([puts.map(({ id }) => id), dels.map(({ id }) => id)]))
  await inventory.apply({ ...source, frame: snapshot([nic('h1', 'a'), nic('h1', 'b')]), receivedAtMs: 1 })
  await inventory.apply({ ...source, frame: snapshot([nic('h1', 'a'), nic('h1', 'c')], 2), receivedAtMs: 2 })
  await inventory.apply({ ...source, frame: { type: 'idle', epoch: 'e', rev: 2, nowMs: 0 }, receivedAtMs: 3 })
  expect(changes).toEqual([
    [['h1/a', 'h1/b'], []],
    [['h1/c'], ['h1/b']],
  ])
})

test.each([
  ['no database at all', () => Buffer.from('x'.repeat(10_000))],
  ['an empty page 1', (bytes: Buffer) => Buffer.concat([Buffer.alloc(4096), bytes.subarray(4096)])],
])('a file that is %s is moved aside and made anew, and the user is told where it went', async (_name, damage) => {
  await filled()
  const path = join(dir, 'inventory.sqlite')
  const damaged = damage(readFileSync(path))
  writeFileSync(path, damaged)

  await using inventory = await Inventory.open(dir)
  const movedTo = await new Promise<string>((resolve) => inventory.onCorrupt(resolve))
  expect(readFileSync(movedTo).equals(damaged)).toBe(true)
  expect(await ids(inventory)).toEqual([])
  await inventory.apply({ ...source, frame: snapshot([hostObject('h1')]), receivedAtMs: 1 })
  expect(await ids(inventory)).toEqual(['h1'])
})

test('a page that turns out damaged in the middle of work is survived by the call that found it', async () => {
  await filled()
  const path = join(dir, 'inventory.sqlite')
  const bytes = readFileSync(path)
  // All but the first pages, which hold the schema: opening finds nothing wrong.
  bytes.fill(0xa5, 4096 * 40)
  writeFileSync(path, bytes)

  await using inventory = await Inventory.open(dir)
  const moved: string[] = []
  inventory.onCorrupt((movedTo) => moved.push(movedTo))
  expect(await ids(inventory)).toEqual([])
  expect(await inventory.apply({ ...source, frame: snapshot([hostObject('h1')], 9), receivedAtMs: 1 })).toBe('applied')
  expect(await ids(inventory)).toEqual(['h1'])
  expect(moved).toHaveLength(1)
  expect(existsSync(moved[0]!)).toBe(true)
})

test('a file of a later version is left alone', async () => {
  await filled()
  const db = new Database(join(dir, 'inventory.sqlite'))
  db.pragma('user_version = 999')
  db.close()
  await expect(Inventory.open(dir)).rejects.toMatchObject({ code: 'not-supported', hint: expect.stringContaining('Update') as string })
  expect(readdirSync(dir).filter((name) => name.includes('corrupt'))).toEqual([])
})

test('killed at any moment of writing snapshots, the file holds one of them whole, with its position', async () => {
  for (let round = 0; round < 4; round++) {
    const child = fork(new URL('./kill-writer.ts', import.meta.url), [dir], { execArgv: [], stdio: 'ignore' })
    try {
      await once(child, 'message')
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 150))
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await using inventory = await Inventory.open(dir)
    const position = await inventory.position(source)
    const reports = await inventory.reports('lab')
    const generations = new Set(reports.map(({ doc }) => doc.mtuBytes))
    expect(position?.rev).toBeGreaterThan(0)
    expect(generations).toEqual(new Set([position!.rev]))
    expect(reports).toHaveLength(2000)
    expect(await inventory.search('lab', `generation-${position!.rev}`, 200)).toHaveLength(200)
    expect(await inventory.search('lab', `generation-${position!.rev - 1}`, 200)).toEqual([])
  }
}, 60_000)

async function filled(): Promise<void> {
  await using inventory = await Inventory.open(dir)
  const items = Array.from({ length: 800 }, (_, n) => nic('h1', `n${n}`))
  await inventory.apply({ ...source, frame: snapshot([...items, eventObject('h1/m-1', 1)]), receivedAtMs: 1 })
}
