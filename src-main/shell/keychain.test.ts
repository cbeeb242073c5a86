import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openKeychain, type Sealer } from './keychain.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-keychain-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

/** A stand-in for safeStorage that seals by turning bytes over, and counts. */
function standIn(options: { available?: boolean; backend?: ReturnType<Sealer['getSelectedStorageBackend']>; rotated?: boolean } = {}) {
  const turned = (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 0x55))
  const sealer = {
    sealed: 0,
    isAsyncEncryptionAvailable: async () => options.available ?? true,
    getSelectedStorageBackend: () => options.backend ?? 'gnome_libsecret',
    encryptStringAsync: async (text: string) => (sealer.sealed++, turned(Buffer.from(text))),
    decryptStringAsync: async (bytes: Buffer) => ({ result: turned(bytes).toString(), shouldReEncrypt: options.rotated ?? false }),
  }
  return sealer
}

test('a secret comes back, from a file of its owner alone that does not hold it in the clear', async () => {
  const keychain = (await openKeychain(standIn(), dir))!
  expect(keychain.kind).toBe('keychain')
  expect(await keychain.get('lab')).toBeNull()
  await keychain.set('lab', 's3cret')
  const again = (await openKeychain(standIn(), dir))!
  expect(await again.get('lab')).toBe('s3cret')
  const [file] = readdirSync(dir).map((name) => join(dir, name))
  expect(statSync(file!).mode & 0o777).toBe(0o600)
  expect(readFileSync(file!, 'latin1')).not.toContain('s3cret')
  await again.delete('lab')
  expect(await again.get('lab')).toBeNull()
})

test('without a keychain of the system there is none, rather than one with a key that everyone knows', async () => {
  expect(await openKeychain(standIn({ available: false }), dir)).toBeNull()
  if (process.platform === 'linux') expect(await openKeychain(standIn({ backend: 'basic_text' }), dir)).toBeNull()
})

test('a secret put in the place of another is not given out', async () => {
  const keychain = (await openKeychain(standIn(), dir))!
  await keychain.set('a', 'of a')
  const [ofA] = readdirSync(dir)
  await keychain.set('b', 'of b')
  const ofB = readdirSync(dir).find((name) => name !== ofA)!
  copyFileSync(join(dir, ofA!), join(dir, ofB))
  await expect(keychain.get('b')).rejects.toMatchObject({ code: 'vault-locked' })
})

test('a secret under an old key is sealed anew', async () => {
  const sealer = standIn({ rotated: true })
  const keychain = (await openKeychain(sealer, dir))!
  await keychain.set('a', 'of a')
  expect(await keychain.get('a')).toBe('of a')
  expect(sealer.sealed).toBe(2)
})

test('a file that the keychain cannot open says so', async () => {
  const sealer = standIn()
  const keychain = (await openKeychain(sealer, dir))!
  await keychain.set('a', 'of a')
  sealer.decryptStringAsync = () => Promise.reject(new Error('no key'))
  await expect(keychain.get('a')).rejects.toMatchObject({ code: 'vault-locked' })
})
