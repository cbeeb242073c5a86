import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../runtime/logger.ts'
import { CompactedError, type Store, type StoredKey } from './store.ts'

const retryMs = 250
/** A member that says nothing for so long is asked whether it is still there. */
const statusPeriodMs = 2000

export interface FollowerOptions {
  logger: Logger
  store: Store
  /** Every key under it is followed; ends with a slash. */
  prefix: string
  /** Where the store's members answer now. */
  endpoints(): readonly string[]
  /** Everything under the prefix, after a first look or when history was lost; `revision` is the store's. */
  onAll(items: readonly StoredKey[], revision: number): void
  /** What changed at one revision; `value` null: deleted. */
  onChange(changes: readonly { key: string; value: unknown }[], revision: number): void
}

/** Follows what lies under a prefix of the store for as long as it is not disposed of, on whichever member answers. */
export class Follower implements Disposable {
  readonly #options: FollowerOptions
  readonly #end = new AbortController()

  constructor(options: FollowerOptions) {
    this.#options = options
    void this.#follow()
  }

  [Symbol.dispose](): void {
    this.#end.abort()
  }

  async #follow(): Promise<void> {
    const { store, logger, prefix, onAll, onChange } = this.#options
    const { signal } = this.#end
    let revision: number | null = null
    for (let turn = 0; !signal.aborted; turn++) {
      const endpoints = this.#options.endpoints()
      const endpoint = endpoints[turn % Math.max(1, endpoints.length)]
      const stream = new AbortController()
      try {
        if (endpoint === undefined) throw new Error('no endpoint is known')
        const status = await store.status(endpoint)
        // A learner serves nothing yet.
        if (status.learner) throw new Error('the member is a learner')
        if (revision === null) {
          const all = await store.list(prefix, { endpoint, stale: true })
          revision = all.revision
          onAll(all.items, revision)
        }
        void this.#watchOver(endpoint, stream)
        const options = { endpoint, signal: AbortSignal.any([signal, stream.signal]) }
        for await (const change of store.watch(prefix, revision + 1, options)) {
          revision = change.revision
          onChange(change.changes, revision)
        }
      } catch (cause) {
        if (cause instanceof CompactedError) revision = null
        else if (!signal.aborted && !stream.signal.aborted) logger.warn('the store is not watched', { prefix, endpoint, cause })
      } finally {
        stream.abort()
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Ends a stream whose member does not answer any more: it would tell only much later, or never. */
  async #watchOver(endpoint: string, stream: AbortController): Promise<void> {
    while (!stream.signal.aborted && !this.#end.signal.aborted) {
      await sleep(statusPeriodMs, undefined, { ref: false })
      if (!stream.signal.aborted) await this.#options.store.status(endpoint).catch(() => stream.abort())
    }
  }
}
