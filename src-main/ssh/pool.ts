import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { SshTarget } from '../../core/contract/desktop/host.ts'
import type { SshConnection } from './connection.ts'
import type { HostKey, HostKeys } from './host-keys.ts'

/** A share in a connection. Disposing of the last one closes it. */
export interface SshLease extends Disposable {
  connection: SshConnection
}

interface Entry {
  connecting: Promise<SshConnection>
  holders: number
}

/** One connection a host and identity, shared by whoever needs a channel: installs, terminals, jumps. */
export class SshPool {
  readonly hostKeys: HostKeys
  readonly #entries = new Map<string, Entry>()

  constructor(hostKeys: HostKeys) {
    this.hostKeys = hostKeys
  }

  /** A share in the connection to a target, made if there is none. Errors as `connectSsh`. */
  async acquire(target: SshTarget, acceptedFingerprint?: string): Promise<SshLease> {
    const key = poolKey(target)
    let entry = this.#entries.get(key)
    if (!entry) {
      const fresh: Entry = { holders: 0, connecting: this.#connect(target, acceptedFingerprint, () => this.#forget(key, fresh)) }
      entry = fresh
      this.#entries.set(key, fresh)
    }
    entry.holders += 1
    try {
      const connection = await entry.connecting
      let held = true
      return {
        connection,
        [Symbol.dispose]: () => {
          if (!held) return
          held = false
          this.#release(key, entry, connection)
        },
      }
    } catch (error) {
      this.#forget(key, entry)
      throw error
    }
  }

  /** The key that a server shows, and whether it is the pinned one. Through a jump host that one's own key must be pinned already. */
  async look(address: string, port: number, jump?: SshTarget['jump']): Promise<HostKey & { pinned: 'yes' | 'no' | 'changed' }> {
    const pinned = this.hostKeys.pinned(address, port)
    const answer = (shown: HostKey) => ({
      ...shown,
      pinned: pinned === null ? ('no' as const) : pinned.fingerprint === shown.fingerprint ? ('yes' as const) : ('changed' as const),
    })
    const { scanHostKey } = await loadSsh()
    if (!jump) return answer(await scanHostKey(address, port, pinned))
    using lease = await this.acquire(jumpTarget(jump))
    return answer(await scanHostKey(address, port, pinned, await lease.connection.forward(address, port)))
  }

  /** Ends every connection, whoever holds a share. */
  close(): void {
    for (const entry of this.#entries.values()) {
      void entry.connecting.then(
        (connection) => connection.close(),
        () => undefined,
      )
    }
    this.#entries.clear()
  }

  async #connect(target: SshTarget, acceptedFingerprint: string | undefined, onClose: () => void): Promise<SshConnection> {
    const jumpLease = target.jump ? await this.acquire(jumpTarget(target.jump)) : undefined
    try {
      const via: Duplex | undefined = await jumpLease?.connection.forward(target.address, target.port)
      const { connectSsh } = await loadSsh()
      const connection = await connectSsh(target, this.hostKeys, { acceptedFingerprint, via })
      connection.onClose(() => {
        jumpLease?.[Symbol.dispose]()
        onClose()
      })
      return connection
    } catch (error) {
      jumpLease?.[Symbol.dispose]()
      throw error
    }
  }

  #release(key: string, entry: Entry, connection: SshConnection): void {
    entry.holders -= 1
    if (entry.holders > 0) return
    this.#forget(key, entry)
    connection.close()
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
  }
}

/** The SSH library is large, and most commands never need it. */
const loadSsh = () => import('./connect.ts')

function jumpTarget(jump: NonNullable<SshTarget['jump']>): SshTarget {
  return { address: jump.address, port: jump.port, user: jump.user, auth: { type: 'key', path: jump.keyPath } }
}

/** The secret is part of it, hashed, so that a wrong password never rides on a connection that a right one opened. */
function poolKey(target: SshTarget): string {
  return createHash('sha256')
    .update(JSON.stringify([target.address, target.port, target.user, target.auth, target.jump ?? null]))
    .digest('hex')
}
