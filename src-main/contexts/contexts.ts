import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { ContextDoc } from '../../core/contract/desktop/context.ts'
import { HoldfastError } from '../../core/errors.ts'
import { nameSchema } from '../../core/model/common.ts'
import type { SecretStore } from '../vault/secret-store.ts'
import { writeAtomically } from './atomic-file.ts'

const pem = z.string().max(16_384)

const storedSchema = z.looseObject({
  name: nameSchema,
  clusterId: z.string(),
  clusterName: z.string(),
  /** `host:port` of agents to try; empty for a recording. */
  endpoints: z.array(z.string()),
  caPem: pem,
  certificatePem: pem,
  /** Where the private key lies: a store of secrets, a 0600 file beside the context, or nowhere (a recording). */
  key: z.enum(['store', 'file', 'none']),
  /** The laptop's address to connect from. A lab's goes with the lab, so that nothing meant for a lab that is down leaves the machine. */
  localAddress: z.ipv4().optional(),
})

/** A cluster as this laptop knows it, without its private key. */
export type Context = z.infer<typeof storedSchema>

/** What it takes to be let in by a cluster's agents. PEM texts. */
export interface Credentials {
  clusterId: string
  caPem: string
  certificatePem: string
  keyPem: string
  localAddress?: string | undefined
}

/**
 * The clusters that this laptop knows: a folder each in `contexts/`, apart from the inventory, so that a damaged inventory takes no
 * context along. Read anew each time, because the app and the command line work on the same folders.
 */
export class Contexts {
  readonly #dir: string
  readonly #secrets: SecretStore
  #override: string | undefined

  /** @param override the context that this program works with, whichever is current for the others */
  constructor(home: string, secrets: SecretStore, override?: string) {
    this.#dir = join(home, 'contexts')
    this.#secrets = secrets
    this.#override = override
  }

  /** All contexts, by name. A folder that holds no readable context is left out. */
  list(): ContextDoc[] {
    const current = this.currentName()
    return this.#names().flatMap((name) => {
      const context = this.#read(name)
      return context ? [describe(context, name === current)] : []
    })
  }

  /** Throws `no-context` when there is none of that name. */
  get(name: string): Context {
    const context = nameSchema.safeParse(name).success ? this.#read(name) : null
    if (context) return context
    throw new HoldfastError(
      'no-context',
      `There is no context ${name}`,
      `Known are: ${this.#names().join(', ') || 'none yet; add a host to make the first'}.`,
    )
  }

  /** The context that is worked with; null when there is none. */
  current(): Context | null {
    const name = this.currentName()
    return name === null ? null : this.#read(name)
  }

  currentName(): string | null {
    const chosen = this.#override ?? readText(join(this.#dir, 'current'))?.trim()
    const names = this.#names()
    if (chosen && names.includes(chosen)) return chosen
    return names[0] ?? null
  }

  use(name: string): ContextDoc {
    const context = this.get(name)
    this.#override = undefined
    writeAtomically(join(this.#dir, 'current'), `${name}\n`)
    return describe(context, true)
  }

  /**
   * Keeps a context, in place of one of the same name.
   * @param keyPem its private key; null for a recording
   * @param keyPlace `store`: keychain or vault; `file`: a 0600 file of its own, for a lab, whose cluster is worth nothing to a thief
   */
  async save(context: Omit<Context, 'key'>, keyPem: string | null, keyPlace: 'store' | 'file' = 'store'): Promise<void> {
    const stored = storedSchema.parse({ ...context, key: keyPem === null ? 'none' : keyPlace })
    const { key } = stored
    if (keyPem !== null && key === 'store') await this.#secrets.set(secretName(stored.name), keyPem)
    if (keyPem !== null && key === 'file') writeAtomically(join(this.#dir, stored.name, 'client.key'), keyPem)
    this.#write(stored)
  }

  /** Replaces the list of agents to try. */
  setEndpoints(name: string, endpoints: readonly string[]): void {
    this.#write({ ...this.get(name), endpoints: [...new Set(endpoints)] })
  }

  /** Connects to its agents from this address of the laptop alone. */
  setLocalAddress(name: string, localAddress: string): void {
    this.#write({ ...this.get(name), localAddress })
  }

  /** Forgets a context and its key. */
  async remove(name: string): Promise<void> {
    const context = this.get(name)
    if (context.key === 'store') await this.#secrets.delete(secretName(name))
    rmSync(join(this.#dir, name), { recursive: true, force: true })
  }

  /** Throws `read-only` for a recording, `vault-locked` or `passphrase-wrong` when the key cannot be had, `bad-input` when it is gone. */
  async credentials(name: string): Promise<Credentials> {
    const { clusterId, caPem, certificatePem, key, localAddress } = this.get(name)
    if (key === 'none')
      throw new HoldfastError('read-only', `${name} is a recording; there is no cluster behind it`, 'Use the context of a live cluster.')
    const keyPem = key === 'file' ? readText(join(this.#dir, name, 'client.key')) : await this.#secrets.get(secretName(name))
    if (keyPem === null) {
      throw new HoldfastError(
        'bad-input',
        `The private key of the context ${name} is gone from ${key === 'file' ? 'its file' : `the ${this.#secrets.kind}`}`,
        `Remove the context and add one of the cluster's hosts again.`,
      )
    }
    return { clusterId, caPem, certificatePem, keyPem, localAddress }
  }

  #names(): string[] {
    if (!existsSync(this.#dir)) return []
    const folders = readdirSync(this.#dir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return folders.map(({ name }) => name).sort()
  }

  #read(name: string): Context | null {
    const text = readText(join(this.#dir, name, 'context.json'))
    if (text === null) return null
    try {
      return storedSchema.parse(JSON.parse(text))
    } catch {
      return null
    }
  }

  #write(context: Context): void {
    writeAtomically(join(this.#dir, context.name, 'context.json'), JSON.stringify(context, null, 2))
  }
}

/** Whether a context is a recording: read-only, with no cluster behind it. */
export function isRecording(context: Context): boolean {
  return context.key === 'none'
}

function describe(context: Context, current: boolean): ContextDoc {
  return { name: context.name, clusterName: context.clusterName, endpoints: context.endpoints, current, recording: isRecording(context) }
}

const secretName = (context: string): string => `context/${context}/key`

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
