import { type Algorithm, hashRaw } from '@node-rs/argon2'
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { writeAtomically } from '../contexts/atomic-file.ts'
import type { SecretStore } from './secret-store.ts'

/** Argon2id as OWASP's cheat sheet has it at 64 MiB: a guess costs as much as an unlock, about a tenth of a second. */
const derivation = { memoryKiB: 65_536, passes: 3, lanes: 1 }
/** `Algorithm.Argon2id`, whose declaration is a const enum and so has no value here. */
const argon2id = 2 as Algorithm
const minPassphraseLength = 8

const sealedSchema = z.object({ nonce: z.base64(), tag: z.base64(), text: z.base64() })
type Sealed = z.infer<typeof sealedSchema>

const headerSchema = z.object({
  version: z.literal(1),
  salt: z.base64(),
  memoryKiB: z.number().int().max(4_194_304),
  passes: z.number().int().max(64),
  lanes: z.number().int().max(16),
  /** A known text sealed with the key, to tell a wrong passphrase from a damaged secret. */
  check: sealedSchema,
})
type Header = z.infer<typeof headerSchema>

const checkName = 'check'
const checkText = 'holdfast vault'

interface Options {
  dir: string
  /** A file that holds the passphrase, for programs without a terminal: `HOLDFAST_PASSPHRASE_FILE`. */
  passphraseFile?: string | undefined
}

/**
 * Secrets sealed with AES-256-GCM under a key that Argon2id makes of a passphrase; for machines without a keychain. One file a secret,
 * bound to its name, so that programs may write at once and no secret can be put in another's place. The key lives in memory only.
 */
export class Vault implements SecretStore {
  readonly kind = 'vault'
  readonly #dir: string
  readonly #passphraseFile: string | undefined
  #key: Buffer | undefined
  #unlocking: Promise<void> | undefined

  constructor(options: Options) {
    this.#dir = options.dir
    this.#passphraseFile = options.passphraseFile
  }

  /** `absent`: no passphrase was ever set. */
  get state(): 'absent' | 'locked' | 'open' {
    if (this.#key) return 'open'
    return existsSync(this.#headerPath) ? 'locked' : 'absent'
  }

  /** Opens the vault; the first passphrase ever given makes it. Throws `passphrase-wrong`, and `bad-input` for a new one that is too short. */
  async unlock(passphrase: string): Promise<void> {
    const header = this.#readHeader() ?? (await this.#create(passphrase))
    const key = await deriveKey(passphrase, header)
    if (open(key, checkName, header.check) !== checkText) {
      throw new HoldfastError(
        'passphrase-wrong',
        'The passphrase does not open the vault',
        'Try again; without it the keys in the vault are lost and contexts must be made anew.',
      )
    }
    this.#key = key
  }

  /** Forgets the key. */
  lock(): void {
    this.#key?.fill(0)
    this.#key = undefined
  }

  async get(name: string): Promise<string | null> {
    const path = this.#secretPath(name)
    if (!existsSync(path)) return null
    const key = await this.#unlocked()
    const sealed = sealedSchema.safeParse(parseJson(readFileSync(path, 'utf8')))
    const secret = sealed.success ? open(key, name, sealed.data) : null
    if (secret === null) {
      throw new HoldfastError('bad-input', `The secret ${name} in the vault is damaged`, `Remove ${path} and make the context anew.`)
    }
    return secret
  }

  async set(name: string, secret: string): Promise<void> {
    const key = await this.#unlocked()
    writeAtomically(this.#secretPath(name), JSON.stringify(seal(key, name, secret)))
  }

  delete(name: string): Promise<void> {
    rmSync(this.#secretPath(name), { force: true })
    return Promise.resolve()
  }

  async #unlocked(): Promise<Buffer> {
    // Once for all who ask meanwhile: a key derivation for each of a dozen connections would take seconds.
    if (!this.#key && this.#passphraseFile) {
      this.#unlocking ??= this.unlock(readPassphrase(this.#passphraseFile)).finally(() => (this.#unlocking = undefined))
      await this.#unlocking
    }
    if (this.#key) return this.#key
    const how = this.state === 'absent' ? 'Choose a passphrase for it' : 'Give its passphrase'
    throw new HoldfastError(
      'vault-locked',
      'The vault that holds the key is locked',
      `${how}, or name a file that holds it in HOLDFAST_PASSPHRASE_FILE.`,
    )
  }

  get #headerPath(): string {
    return join(this.#dir, 'vault.json')
  }

  /** Names are hashed: they need not be fit for a file system. */
  #secretPath(name: string): string {
    return join(this.#dir, `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.sealed`)
  }

  #readHeader(): Header | null {
    if (!existsSync(this.#headerPath)) return null
    const header = headerSchema.safeParse(parseJson(readFileSync(this.#headerPath, 'utf8')))
    if (header.success) return header.data
    throw new HoldfastError(
      'bad-input',
      'The header of the vault cannot be read',
      `Put back ${this.#headerPath} from a copy; without it no secret in the vault can be read.`,
    )
  }

  /** Of two programs that make the vault at once the first wins, and the other one's passphrase is then tried on it. */
  async #create(passphrase: string): Promise<Header> {
    if (passphrase.length < minPassphraseLength) {
      throw new HoldfastError('bad-input', 'The passphrase is too short', `Choose one of at least ${minPassphraseLength} characters.`)
    }
    const parameters = { version: 1 as const, salt: randomBytes(16).toString('base64'), ...derivation }
    const header = { ...parameters, check: seal(await deriveKey(passphrase, parameters), checkName, checkText) }
    const fresh = `${this.#headerPath}.${process.pid}`
    writeAtomically(fresh, JSON.stringify(header))
    try {
      linkSync(fresh, this.#headerPath)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(fresh, { force: true })
    }
    return this.#readHeader()!
  }
}

async function deriveKey(passphrase: string, header: Omit<Header, 'check'>): Promise<Buffer> {
  return await hashRaw(passphrase.normalize('NFKC'), {
    algorithm: argon2id,
    salt: Buffer.from(header.salt, 'base64'),
    memoryCost: header.memoryKiB,
    timeCost: header.passes,
    parallelism: header.lanes,
    outputLen: 32,
  })
}

function seal(key: Buffer, name: string, text: string): Sealed {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return { nonce: nonce.toString('base64'), tag: cipher.getAuthTag().toString('base64'), text: sealed.toString('base64') }
}

/** Null when the key does not fit or the text was changed. */
function open(key: Buffer, name: string, sealed: Sealed): string | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'base64'), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(name)).setAuthTag(Buffer.from(sealed.tag, 'base64'))
    return Buffer.concat([decipher.update(Buffer.from(sealed.text, 'base64')), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

function readPassphrase(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw new HoldfastError('vault-locked', `The passphrase file ${path} cannot be read`, 'Correct HOLDFAST_PASSPHRASE_FILE.', {}, { cause })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
