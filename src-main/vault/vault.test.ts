import * as fc from 'fast-check'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Vault } from './vault.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-vault-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const passphrase = 'correct horse'
const files = () => readdirSync(dir).map((name) => join(dir, name))

test('a secret comes back under the right passphrase alone, in files for their owner', async () => {
  const vault = new Vault({ dir })
  expect(vault.state).toBe('absent')
  await expect(vault.set('key', 's3cret')).rejects.toMatchObject({ code: 'vault-locked' })
  await vault.unlock(passphrase)
  await vault.set('key', 's3cret')
  expect(
    files()
      .map((path) => readFileSync(path, 'utf8'))
      .join(),
  ).not.toContain('s3cret')
  for (const path of files()) expect(statSync(path).mode & 0o777).toBe(0o600)

  const again = new Vault({ dir })
  expect(again.state).toBe('locked')
  expect(await again.get('other')).toBeNull()
  await expect(again.get('key')).rejects.toMatchObject({ code: 'vault-locked' })
  await expect(again.unlock('wrong horse')).rejects.toMatchObject({ code: 'passphrase-wrong' })
  await expect(again.get('key')).rejects.toMatchObject({ code: 'vault-locked' })
  await again.unlock(passphrase)
  expect(await again.get('key')).toBe('s3cret')
  again.lock()
  await expect(again.get('key')).rejects.toMatchObject({ code: 'vault-locked' })
  await again.unlock(passphrase)
  await again.delete('key')
  expect(await again.get('key')).toBeNull()
})

test('without a terminal a file holds the passphrase', async () => {
  const file = join(dir, 'passphrase')
  writeFileSync(file, `${passphrase}\n`)
  await new Vault({ dir: join(dir, 'v'), passphraseFile: file }).set('key', 's3cret')
  expect(await new Vault({ dir: join(dir, 'v'), passphraseFile: file }).get('key')).toBe('s3cret')
  writeFileSync(file, 'wrong horse')
  await expect(new Vault({ dir: join(dir, 'v'), passphraseFile: file }).get('key')).rejects.toMatchObject({ code: 'passphrase-wrong' })
  await expect(new Vault({ dir: join(dir, 'v'), passphraseFile: join(dir, 'none') }).get('key')).rejects.toMatchObject({ code: 'vault-locked' })
})

test('a new passphrase that is too short makes no vault', async () => {
  await expect(new Vault({ dir }).unlock('short')).rejects.toMatchObject({ code: 'bad-input' })
  expect(files()).toEqual([])
})

test('a secret that was changed, or put in the place of another, is not given out', async () => {
  const vault = new Vault({ dir })
  await vault.unlock(passphrase)
  await vault.set('a', 'of a')
  const [ofA] = files().filter((path) => path.endsWith('.sealed'))
  await vault.set('b', 'of b')
  const ofB = files().find((path) => path.endsWith('.sealed') && path !== ofA)!
  copyFileSync(ofA!, ofB)
  await expect(vault.get('b')).rejects.toMatchObject({ code: 'bad-input' })
  const sealed = JSON.parse(readFileSync(ofA!, 'utf8')) as { text: string }
  writeFileSync(ofA!, JSON.stringify({ ...sealed, text: Buffer.from('of x').toString('base64') }))
  await expect(vault.get('a')).rejects.toMatchObject({ code: 'bad-input' })
  writeFileSync(join(dir, 'vault.json'), '{')
  await expect(new Vault({ dir }).unlock(passphrase)).rejects.toMatchObject({ code: 'bad-input' })
})

test('any text is kept as it is', async () => {
  const vault = new Vault({ dir })
  await vault.unlock(passphrase)
  const property = fc.asyncProperty(fc.string({ minLength: 1 }), fc.string({ unit: 'grapheme' }), async (name, secret) => {
    await vault.set(name, secret)
    expect(await vault.get(name)).toBe(secret)
  })
  await fc.assert(property, { numRuns: 50 })
})
