import { joinTarget, type SshIdentity, type SshSecrets } from '../ssh/identities.ts'
import type { SshConnection } from '../ssh/connection.ts'
import type { SshLease, SshPool } from '../ssh/pool.ts'

/** A task's share in the SSH connection to its host: made when first needed, and again when it was lost. */
export class HostSession {
  readonly #pool: SshPool
  readonly #identity: SshIdentity
  readonly #secrets: SshSecrets | undefined
  readonly #fingerprint: string | undefined
  #lease: SshLease | undefined

  constructor(pool: SshPool, identity: SshIdentity, secrets: SshSecrets | undefined, fingerprint?: string) {
    this.#pool = pool
    this.#identity = identity
    this.#secrets = secrets
    this.#fingerprint = fingerprint
  }

  /** Errors as `connectSsh`. */
  async ssh(): Promise<SshConnection> {
    if (this.#lease?.connection.closed) this.close()
    this.#lease ??= await this.#pool.acquire(joinTarget(this.#identity, this.#secrets), this.#fingerprint)
    return this.#lease.connection
  }

  close(): void {
    this.#lease?.[Symbol.dispose]()
    this.#lease = undefined
  }
}
