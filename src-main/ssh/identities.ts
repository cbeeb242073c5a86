import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { sshJumpSchema, type SshTarget } from '../../core/contract/desktop/host.ts'
import { HoldfastError } from '../../core/errors.ts'
import { writeAtomically } from '../contexts/atomic-file.ts'

/** How a host is reached by SSH, without any secret: what may be kept in files and in a task's parameters. */
export const sshIdentitySchema = z.object({
  address: z.string(),
  port: z.number().int(),
  user: z.string(),
  auth: z.discriminatedUnion('type', [
    z.object({ type: z.literal('password') }),
    z.object({ type: z.literal('key'), path: z.string() }),
    z.object({ type: z.literal('agent') }),
  ]),
  jump: sshJumpSchema.optional(),
})
export type SshIdentity = z.infer<typeof sshIdentitySchema>

/** The part of a target that is never written anywhere. */
export interface SshSecrets {
  password?: string
  passphrase?: string
}

/** Parts a target into what may be kept and what may not. */
export function splitTarget(target: SshTarget): { identity: SshIdentity; secrets: SshSecrets } {
  const { auth, ...rest } = target
  if (auth.type === 'password') return { identity: { ...rest, auth: { type: 'password' } }, secrets: { password: auth.password } }
  if (auth.type === 'agent') return { identity: { ...rest, auth }, secrets: {} }
  return {
    identity: { ...rest, auth: { type: 'key', path: auth.path } },
    secrets: auth.passphrase === undefined ? {} : { passphrase: auth.passphrase },
  }
}

/** Puts a target together again: `ssh-auth-failed` where it needs a password that nobody kept. */
export function joinTarget(identity: SshIdentity, secrets: SshSecrets = {}): SshTarget {
  const { auth, ...rest } = identity
  if (auth.type === 'agent') return { ...rest, auth }
  if (auth.type === 'key') return { ...rest, auth: { ...auth, ...(secrets.passphrase === undefined ? {} : { passphrase: secrets.passphrase }) } }
  if (secrets.password !== undefined) return { ...rest, auth: { type: 'password', password: secrets.password } }
  throw new HoldfastError(
    'ssh-auth-failed',
    `${rest.user}@${rest.address} was reached by password, and passwords are not kept`,
    'Start again with the password, or put a key into the host’s authorized_keys and add the host by that key.',
  )
}

/** How the hosts of each context are reached: one small 0600 file each in `DATA/ssh/CONTEXT/HOST.json`. */
export class SshIdentities {
  readonly #dir: string

  constructor(dataDir: string) {
    this.#dir = join(dataDir, 'ssh')
  }

  /** Null where the host was never reached from this laptop. */
  get(context: string, host: string): SshIdentity | null {
    try {
      return sshIdentitySchema.parse(JSON.parse(readFileSync(this.#path(context, host), 'utf8')))
    } catch {
      return null
    }
  }

  put(context: string, host: string, identity: SshIdentity): void {
    writeAtomically(this.#path(context, host), JSON.stringify(identity))
  }

  forget(context: string, host: string): void {
    rmSync(this.#path(context, host), { force: true })
  }

  #path(context: string, host: string): string {
    return join(this.#dir, encodeURIComponent(context), `${encodeURIComponent(host)}.json`)
  }
}
