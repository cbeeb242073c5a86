import { leaderTimings } from '../../core/cluster/leadership.ts'
import type { Env } from '../../core/env.ts'
import type { AgentConfig } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { announceAddress } from './announce.ts'
import { AddressSocket } from './rtnetlink.ts'

/** When a new holder tells its segment, after it added the address: a switch or a guest may miss the first. */
const announceAtMs = [0, 100, 300, 1000, 3000]

/** The cluster address on this host's mgmt NIC. A cluster without one has nothing to hold, which always succeeds. */
export class ClusterAddress {
  readonly #env: Env
  readonly #logger: Logger
  readonly #nic: string
  readonly #address: string | null
  #socket: AddressSocket | null = null
  #held = false
  #announcing: Disposable[] = []

  constructor(options: { env: Env; logger: Logger; config: AgentConfig }) {
    this.#env = options.env
    this.#logger = options.logger
    this.#nic = options.config.nics.mgmt
    this.#address = options.config.clusterIp?.split('/')[0] ?? null
  }

  /** Adds the address or prolongs it by the length of the lease. False when the kernel refuses. */
  hold(): boolean {
    if (this.#address === null) return true
    try {
      this.#socket ??= new AddressSocket()
      const errno = this.#socket.hold(this.#nic, this.#address, leaderTimings.leaseMs / 1000)
      if (errno !== 0) throw new Error(`errno ${errno}`)
    } catch (cause) {
      this.#logger.error('the cluster address cannot be added', { nic: this.#nic, address: this.#address, cause })
      return false
    }
    if (!this.#held) this.#announcing = announceAtMs.map((delayMs) => this.#env.after(delayMs, () => this.#announce()))
    this.#held = true
    return true
  }

  /** Removes the address at once; it may be gone already. */
  drop(): void {
    for (const timer of this.#announcing.splice(0)) timer[Symbol.dispose]()
    if (this.#address === null || !this.#held) return
    this.#held = false
    const errno = this.#socket?.drop(this.#nic, this.#address) ?? 0
    const gone = errno === 0 || errno === 99 || errno === 19
    if (!gone) this.#logger.error('the cluster address cannot be removed; it ends by itself', { nic: this.#nic, address: this.#address, errno })
  }

  /** Leaves the address to the next version of the module. */
  leave(): void {
    for (const timer of this.#announcing.splice(0)) timer[Symbol.dispose]()
    this.#held = false
  }

  #announce(): void {
    try {
      if (this.#held && this.#address) announceAddress(this.#nic, this.#address)
    } catch (cause) {
      this.#logger.warn('the cluster address could not be announced', { cause })
    }
  }
}
