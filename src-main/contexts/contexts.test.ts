import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SecretStore } from '../vault/secret-store.ts'
import { Contexts } from './contexts.ts'

let home: string
let secrets: Map<string, string>
let contexts: Contexts
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-contexts-'))
  secrets = new Map()
  const store: SecretStore = {
    kind: 'keychain',
    get: async (name) => secrets.get(name) ?? null,
    set: async (name, secret) => void secrets.set(name, secret),
    delete: async (name) => void secrets.delete(name),
  }
  contexts = new Contexts(home, store)
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const lab = (name = 'lab') => ({ name, clusterId: 'id', clusterName: name, endpoints: ['10.0.0.1:7443'], caPem: 'CA', certificatePem: 'CERT' })

test('a key goes into the keychain, or into a file for its owner alone where that was asked for', async () => {
  await contexts.save(lab('prod'), 'KEY OF PROD')
  await contexts.save(lab(), 'KEY OF LAB', 'file')
  expect([...secrets.values()]).toEqual(['KEY OF PROD'])
  expect(statSync(join(home, 'contexts/lab/client.key')).mode & 0o777).toBe(0o600)
  expect(statSync(join(home, 'contexts/lab')).mode & 0o777).toBe(0o700)
  expect(await contexts.credentials('lab')).toEqual({ clusterId: 'id', caPem: 'CA', certificatePem: 'CERT', keyPem: 'KEY OF LAB' })
  expect((await contexts.credentials('prod')).keyPem).toBe('KEY OF PROD')
  await contexts.remove('prod')
  expect(secrets.size).toBe(0)
  await expect(contexts.credentials('prod')).rejects.toMatchObject({ code: 'no-context' })
})

test('one context is current; when it goes, another one is', async () => {
  expect(contexts.current()).toBeNull()
  await contexts.save(lab('a'), 'K', 'file')
  await contexts.save(lab('b'), 'K', 'file')
  contexts.use('b')
  expect(contexts.list().map(({ name, current }) => `${name} ${current}`)).toEqual(['a false', 'b true'])
  await contexts.remove('b')
  expect(contexts.currentName()).toBe('a')
  expect(() => contexts.use('b')).toThrow(expect.objectContaining({ code: 'no-context' }) as Error)
})

test('a recording has no key and says so', async () => {
  await contexts.save({ ...lab('recording'), endpoints: [] }, null)
  expect(contexts.list()).toMatchObject([{ name: 'recording', recording: true }])
  await expect(contexts.credentials('recording')).rejects.toMatchObject({ code: 'read-only' })
})

test('a lost key, a damaged context and a name that leads out of the folder are told apart', async () => {
  await contexts.save(lab(), 'K', 'file')
  rmSync(join(home, 'contexts/lab/client.key'))
  await expect(contexts.credentials('lab')).rejects.toMatchObject({ code: 'bad-input' })
  mkdirSync(join(home, 'contexts/broken'))
  writeFileSync(join(home, 'contexts/broken/context.json'), '{"name":')
  expect(contexts.list().map(({ name }) => name)).toEqual(['lab'])
  writeFileSync(join(home, 'context.json'), JSON.stringify({ ...lab('x'), key: 'file' }))
  expect(() => contexts.get('..')).toThrow(expect.objectContaining({ code: 'no-context' }) as Error)
})

test('endpoints are each kept once', async () => {
  await contexts.save(lab(), 'K', 'file')
  contexts.setEndpoints('lab', ['10.0.0.1:7443', '10.0.0.2:7443', '10.0.0.1:7443'])
  expect(contexts.get('lab').endpoints).toEqual(['10.0.0.1:7443', '10.0.0.2:7443'])
})
