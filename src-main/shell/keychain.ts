import type { SafeStorage } from 'electron'
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../../core/errors.ts'
import { writeAtomically } from '../contexts/atomic-file.ts'
import type { SecretStore } from '../vault/secret-store.ts'

export type Sealer = Pick<SafeStorage, 'isAsyncEncryptionAvailable' | 'encryptStringAsync' | 'decryptStringAsync' | 'getSelectedStorageBackend'>

/**
 * Secrets in files that a key in the system's keychain seals (Electron's safeStorage: Keychain, DPAPI, libsecret or KWallet).
 * Null where the system has no keychain: Electron would then seal with a key that everyone knows, which the vault is better than.
 * Call when the app is ready.
 */
export async function openKeychain(sealer: Sealer, dir: string): Promise<SecretStore | null> {
  if (!(await sealer.isAsyncEncryptionAvailable())) return null
  if (process.platform === 'linux' && ['basic_text', 'unknown'].includes(sealer.getSelectedStorageBackend())) return null
  const fileOf = (name: string) => join(dir, `${createHash('sha256').update(name).digest('hex')}.sealed`)
  const seal = async (name: string, secret: string) => {
    // The name goes inside, so that no file can be put in another's place.
    const sealed = await sealer.encryptStringAsync(JSON.stringify([name, secret]))
    writeAtomically(fileOf(name), sealed.toString('base64'))
  }
  return {
    kind: 'keychain',
    async get(name) {
      const text = await readFile(fileOf(name), 'utf8').catch(() => null)
      if (text === null) return null
      const { result, shouldReEncrypt } = await sealer.decryptStringAsync(Buffer.from(text, 'base64')).catch((cause: unknown) => {
        throw unreadable(name, cause)
      })
      const [sealedName, secret] = JSON.parse(result) as [string, string]
      if (sealedName !== name) throw unreadable(name)
      if (shouldReEncrypt) await seal(name, secret)
      return secret
    },
    set: seal,
    delete: (name) => rm(fileOf(name), { force: true }),
  }
}

function unreadable(name: string, cause?: unknown): HoldfastError {
  const hint = 'Unlock the keychain. If it was made anew, add the secret again.'
  return new HoldfastError('vault-locked', `The keychain does not open the secret ${name}`, hint, {}, { cause })
}
