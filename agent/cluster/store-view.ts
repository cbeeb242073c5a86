import type { Election } from '../../core/cluster/leadership.ts'
import type { Env } from '../../core/env.ts'
import type { Logger } from '../runtime/logger.ts'
import {
  electionDocSchema,
  hostDocSchema,
  keys,
  leaderDocSchema,
  moveLeaderDocSchema,
  revokedDocSchema,
  type HostDoc,
  type RevokedDoc,
} from './documents.ts'
import { CompactedError, type Store, type StoredKey, type StoreStatus } from '../store/store.ts'

const statusPeriodMs = 1000
const retryMs = 250
/** So long may the store be without a leader, or too busy to answer, before its majority counts as lost. */
const quorumGraceMs = 3000
/** Why a watch was ended: another one on the first endpoint is better. */
const toFirst = 'to the first endpoint'

export interface StoreViewOptions {
  env: Env
  logger: Logger
  store: Store
  /** The leader key or the election key changed. */
  onElection(election: Election, continuous: boolean): void
  /** Documents changed, or the status of the store as this host sees it. */
  onChange(): void
}

/**
 * What this host knows of the store, kept up to date by one watch on one member: the host's own if it has one, else any that answers.
 * Without a majority it goes on with what that member has, and says so.
 */
export class StoreView {
  readonly #options: StoreViewOptions
  readonly hosts = new Map<string, HostDoc>()
  readonly revoked = new Map<string, RevokedDoc>()
  election: Election | null = null
  elections = 0
  moveLeader: { to: string; epoch: number } | null = null
  /** Last answer of the member that we watch; null when none answers. */
  status: StoreStatus | null = null
  /** When the leader key was last written, as seen here (monotonic). */
  renewalSeenMs = 0
  raftElections = 0
  /** Rises when the store's members were changed. */
  membersChanged = 0
  /** Whether a first look has succeeded. */
  ready = false
  #leaderSeenMs = -Infinity
  #raftTerm = 0
  #revision = 0
  #endpoint: string | null = null
  #end = new AbortController()
  #stream: AbortController | null = null

  constructor(options: StoreViewOptions) {
    this.#options = options
  }

  /** Whether a member that we reach knew a raft leader just now: then a majority elected one and keeps it. An election is no loss. */
  get quorum(): boolean {
    return this.#options.env.monotonicMs() - this.#leaderSeenMs < quorumGraceMs
  }

  /** The member that we watch, by its endpoint; null while there is none. */
  get endpoint(): string | null {
    return this.#endpoint
  }

  start(): void {
    this.#end = new AbortController()
    const { signal } = this.#end
    void this.#follow(signal)
    void this.#poll(signal)
  }

  stop(): void {
    this.#end.abort()
    this.#stream?.abort()
  }

  /** Begins the watch anew on the first endpoint: the host's own member is back, or the endpoints are others. */
  reconnect(): void {
    if (this.#endpoint !== this.#options.store.gateway.endpoints[0]) this.#stream?.abort(toFirst)
  }

  /** Asks the member that we watch for its status now. */
  async refresh(): Promise<void> {
    const { store } = this.#options
    const endpoint = this.#endpoint ?? store.gateway.endpoints[0]
    if (endpoint === undefined) return
    try {
      this.#seeStatus(await store.status(endpoint))
    } catch {
      this.#seeStatus(null)
      // The member that we watch is gone or hangs; its stream would only tell much later.
      if (endpoint === this.#endpoint) this.#stream?.abort()
    }
  }

  #seeStatus(status: StoreStatus | null): void {
    const before = this.status
    this.status = status
    if (status?.leaderId != null) {
      this.#leaderSeenMs = this.#options.env.monotonicMs()
      if (this.#raftTerm !== 0 && status.raftTerm > this.#raftTerm) this.raftElections++
      this.#raftTerm = Math.max(this.#raftTerm, status.raftTerm)
    }
    if (before?.leaderId !== status?.leaderId || before?.memberId !== status?.memberId) this.#options.onChange()
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.refresh()
      await this.#sleep(statusPeriodMs, signal)
    }
  }

  /** Looks, then watches; when a watch ends, goes on from the next revision on the next endpoint that answers. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { store, logger } = this.#options
    let turn = 0
    let anew = true
    while (!signal.aborted) {
      const { endpoints } = store.gateway
      const endpoint = endpoints[turn++ % Math.max(1, endpoints.length)]
      const stream = new AbortController()
      this.#stream = stream
      try {
        if (endpoint === undefined) throw new Error('no endpoint is known')
        const status = await store.status(endpoint)
        // A learner serves nothing yet.
        if (status.learner) throw new Error('the member is a learner')
        this.#endpoint = endpoint
        this.#seeStatus(status)
        if (anew) await this.#look(endpoint)
        anew = false
        turn = 0
        for await (const { revision, changes } of store.watch(keys.prefix, this.#revision + 1, {
          endpoint,
          signal: AbortSignal.any([signal, stream.signal]),
        })) {
          this.#revision = revision
          this.#apply(
            changes.map((change) => ({ ...change, revision })),
            true,
          )
        }
      } catch (cause) {
        if (cause instanceof CompactedError) anew = true
        else if (!signal.aborted && !stream.signal.aborted) logger.warn('the store is not watched', { endpoint, cause })
        if (this.#endpoint === endpoint) this.#endpoint = null
        // Where the watch broke, the next endpoint comes first.
        if (turn === 0 && stream.signal.reason !== toFirst) turn = 1
      }
      await this.#sleep(retryMs, signal)
    }
  }

  async #look(endpoint: string): Promise<void> {
    const { store } = this.#options
    const { revision, items } = await store.list(keys.prefix, { endpoint, stale: true })
    this.hosts.clear()
    this.revoked.clear()
    this.moveLeader = null
    this.election = { key: null, epoch: 0 }
    this.#revision = revision
    this.ready = true
    this.#apply(items, false)
  }

  /** Takes changes of one revision, or everything at once after a look. */
  #apply(items: readonly StoredKey[], continuous: boolean): void {
    const { onElection, onChange, env } = this.#options
    const before = this.election ?? { key: null, epoch: 0 }
    const election: Election = { ...before }
    let documents = !continuous
    for (const { key, value, revision } of items) {
      if (key === keys.leader) {
        const doc = leaderDocSchema.safeParse(value)
        election.key = doc.success ? { ...doc.data, revision } : null
        if (doc.success) this.renewalSeenMs = env.monotonicMs()
      } else if (key === keys.election) {
        const doc = electionDocSchema.safeParse(value)
        election.epoch = revision
        this.elections = doc.success ? doc.data.count : this.elections
      } else documents = this.#applyDocument(key, value) || documents
    }
    this.election = election
    const moved = election.epoch !== before.epoch || election.key?.revision !== before.key?.revision
    if (moved || !continuous) onElection(election, continuous)
    // A renewal alone concerns nobody else.
    if (documents || election.epoch !== before.epoch || election.key?.holder !== before.key?.holder) onChange()
  }

  #applyDocument(key: string, value: unknown): boolean {
    if (key.startsWith(keys.hosts)) return keep(this.hosts, key.slice(keys.hosts.length), hostDocSchema.safeParse(value).data)
    if (key.startsWith(keys.revokedAll)) return keep(this.revoked, key.slice(keys.revokedAll.length), revokedDocSchema.safeParse(value).data)
    if (key === keys.members) this.membersChanged++
    if (key !== keys.moveLeader) return key === keys.members
    this.moveLeader = moveLeaderDocSchema.safeParse(value).data ?? null
    return true
  }

  #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const timer = this.#options.env.after(delayMs, () => {
        signal.removeEventListener('abort', end)
        resolve()
      })
      const end = () => {
        timer[Symbol.dispose]()
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
    })
  }
}

function keep<T>(map: Map<string, T>, name: string, doc: T | undefined): true {
  if (doc === undefined) map.delete(name)
  else map.set(name, doc)
  return true
}
