import type { Env } from '../../core/env.ts'
import type { TunnelEnd } from '../../core/model/network.ts'
import { arpRequest } from '../../core/net/packet/compose.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import type { BroadcastPath } from './broadcast/path.ts'
import { networkKeys } from './documents.ts'
import { sendFrame } from './send-frame.ts'

/** Longer than a supervisor takes to start an agent again that has died. */
const leaseSeconds = 4
const lookMs = 1000
const renewalMs = 1500
/** Switches have learned where it is after the first; one may be lost. */
const announcements = 3

export interface ClusterAddressOptions {
  env: Env
  logger: Logger
  store: Store
  host: string
  /** Who holds it, as the store has it. */
  holder(): string | null
  /** What replicates here; null where this host is no node. */
  path(): BroadcastPath | null
  end(): TunnelEnd
  nic(): string
  /** It is to be answered for here again, though somebody else has announced it. */
  retake(): void
}

/**
 * Has one live node answer for the broadcast cluster's address: the one that wrote its name to the store, for as long as its lease is renewed.
 * While the store is away it stays where it is. A node whose agent is dead answers until the next one announces it, which its program obeys.
 */
export class ClusterAddress {
  readonly #options: ClusterAddressOptions
  #leaseId: string | null = null
  #toAnnounce = 0
  #timer: Disposable | null = null
  #looking = false
  #held = false

  constructor(options: ClusterAddressOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= this.#options.env.every(lookMs, () => void this.#look())
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
  }

  /** To be called when the path answers for what it is to answer for. */
  placed(): void {
    const { host, holder, path } = this.#options
    const held = holder() === host && path() !== null
    if (held && !this.#held) this.#toAnnounce = announcements
    this.#held = held
    if (held) this.#announce()
  }

  async #look(): Promise<void> {
    const { host, holder, path, logger, end, retake } = this.#options
    if (this.#looking || path() === null) return
    this.#looking = true
    try {
      if (holder() === null || (holder() === host && this.#leaseId === null)) await this.#take()
      else if (holder() === host) {
        if (!(await this.#options.store.keepLease(this.#leaseId!, renewalMs))) this.#leaseId = null
        if (!path()?.answersFor(end().ip)) {
          this.#toAnnounce = announcements
          retake()
        }
        this.#announce()
      } else this.#leaseId = null
    } catch (cause) {
      logger.warn('who answers for the broadcast cluster was not settled', { cause })
    } finally {
      this.#looking = false
    }
  }

  /** Where nobody has it, or this host had it before its agent was started again. */
  async #take(): Promise<void> {
    const { store, host } = this.#options
    const key = networkKeys.clusterAddress
    const before = await store.get(key)
    if (before && (before.value as { host?: unknown }).host !== host) return
    const leaseId = await store.grantLease(leaseSeconds)
    const { done } = await store.change([{ key, revision: before?.revision ?? 0 }], [{ put: key, value: { host }, leaseId }])
    if (done) this.#leaseId = leaseId
  }

  #announce(): void {
    if (this.#toAnnounce === 0) return
    this.#toAnnounce--
    const end = this.#options.end()
    sendFrame(this.#options.nic(), Buffer.from(arpRequest(end, end.ip)))
  }
}
