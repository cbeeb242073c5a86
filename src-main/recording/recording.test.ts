import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Contexts } from '../contexts/contexts.ts'
import { Inventory } from '../inventory/inventory.ts'
import { Vault } from '../vault/vault.ts'
import { keepRecording, type Recording, recordingSchema, takeRecording } from './recording.ts'

let home: string
let inventory: Inventory
let contexts: Contexts

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-recording-'))
  inventory = await Inventory.open(home)
  contexts = new Contexts(home, new Vault({ dir: join(home, 'vault') }))
})

afterEach(async () => {
  await inventory[Symbol.asyncDispose]()
  rmSync(home, { recursive: true })
})

const atMs = 1_700_000_000_000
const recording: Recording = {
  takenAtMs: atMs + 5,
  clusterName: 'lab',
  sources: [
    {
      host: 'h1',
      module: 'cluster',
      seenAtMs: atMs + 5,
      items: [{ kind: 'host', id: 'h1', atMs, doc: { name: 'h1', addresses: { mgmt: '10.0.0.1' }, role: 'voter', joinedAtMs: atMs } }],
    },
    {
      host: 'h1',
      module: 'monitor',
      seenAtMs: atMs,
      items: [{ kind: 'disk', id: 'h1/sda', atMs, doc: { host: 'h1', name: 'sda', sizeBytes: 1, health: 'ok' } }],
    },
  ],
  samples: { h1: [{ atMs, cpu: 0.5, memoryUsedBytes: 1, load1: 0, nics: {}, disks: {} }] },
}

test('a recording that was kept can be taken again, the same', async () => {
  await keepRecording(recording, inventory, contexts)
  await keepRecording(recording, inventory, contexts)
  const again = await takeRecording(inventory, 'recording', 'lab')
  expect(recordingSchema.parse(JSON.parse(JSON.stringify(again)))).toEqual(recording)
})

test('it is the current context where there is no other, marked as a recording', async () => {
  await keepRecording(recording, inventory, contexts)
  expect(contexts.list()).toMatchObject([{ name: 'recording', recording: true, current: true, endpoints: [] }])
})

test('it does not push a real cluster aside', async () => {
  await contexts.save(
    { name: 'site', clusterId: 'c1', clusterName: 'site', endpoints: ['10.0.0.1:7443'], caPem: '', certificatePem: '' },
    'key',
    'file',
  )
  await keepRecording(recording, inventory, contexts)
  expect(contexts.currentName()).toBe('site')
})
