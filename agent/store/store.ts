import { HoldfastError } from '../../core/errors.ts'
import type { CallOptions, EtcdGateway } from './etcd-gateway.ts'

/** A key with its value (JSON) and the revision of its last write. */
export interface StoredKey {
  key: string
  value: unknown
  revision: number
}

/** The condition of a transaction: the key was last written at this revision; 0: it does not exist. */
export interface Unchanged {
  key: string
  revision: number
}

export type Write = { put: string; value: unknown; leaseId?: string } | { delete: string }

/** A member as etcd lists it. An empty name: it has not started yet. */
export interface StoreMember {
  id: string
  name: string
  peerUrls: string[]
  clientUrls: string[]
  learner: boolean
}

export interface StoreStatus {
  memberId: string
  /** Member id of the raft leader; null when this member knows none. */
  leaderId: string | null
  raftTerm: number
  version: string
  revision: number
  learner: boolean
}

/** What a watch tells: changes that were made at one revision; `null` value: deleted. */
export interface StoreChange {
  revision: number
  changes: { key: string; value: unknown }[]
}

/** The history before this revision is gone: read everything anew. */
export class CompactedError extends Error {}

/** Reads give up after this long; any member that runs may serve them. etcd 3.4 forgets some that an election overtakes, and never answers those. */
const read = { deadlineMs: 3000, attemptMs: 800 }
/** Changes wait through an election of etcd. */
const changeMs = 5000

/** Keys and values of the store, JSON both ways, over etcd's gateway. Throws HoldfastErrors: `quorum-lost`, `timeout`, `internal`. */
export class Store {
  readonly gateway: EtcdGateway

  constructor(gateway: EtcdGateway) {
    this.gateway = gateway
  }

  /** All keys under a prefix, with the store's revision. `stale`: from any member, also without a majority. */
  async list(prefix: string, options: { stale?: boolean; endpoint?: string } = {}): Promise<{ revision: number; items: StoredKey[] }> {
    const body = { key: base64(prefix), range_end: base64(prefixEnd(prefix)), serializable: options.stale ?? false }
    const answer = await this.gateway.call('/v3/kv/range', body, { ...read, ...(options.endpoint && { endpoint: options.endpoint }) })
    return { revision: revisionOf(answer), items: list(answer.kvs).map(storedKey) }
  }

  /** One key, or null when it does not exist. */
  async get(key: string): Promise<StoredKey | null> {
    const answer = await this.gateway.call('/v3/kv/range', { key: base64(key) }, read)
    const [item] = list(answer.kvs)
    return item ? storedKey(item) : null
  }

  /** Writes all or nothing, if no key of `unchanged` has changed. Answers whether it did, and the revision. */
  async change(
    unchanged: readonly Unchanged[],
    writes: readonly Write[],
    options: Partial<CallOptions> = {},
  ): Promise<{ done: boolean; revision: number }> {
    const answer = await this.gateway.call(
      '/v3/kv/txn',
      {
        compare: unchanged.map(({ key, revision }) => ({ key: base64(key), target: 'MOD', result: 'EQUAL', mod_revision: String(revision) })),
        success: writes.map((write) =>
          'put' in write
            ? { request_put: { key: base64(write.put), value: base64(JSON.stringify(write.value)), ...(write.leaseId && { lease: write.leaseId }) } }
            : { request_delete_range: { key: base64(write.delete) } },
        ),
      },
      { deadlineMs: changeMs, ...options },
    )
    return { done: answer.succeeded === true, revision: revisionOf(answer) }
  }

  /** A lease of whole seconds. */
  async grantLease(seconds: number, options: Partial<CallOptions> = {}): Promise<string> {
    const answer = await this.gateway.call('/v3/lease/grant', { TTL: seconds }, { deadlineMs: changeMs, ...options })
    return text(answer.ID)
  }

  /** Prolongs a lease. False when it is gone. */
  async keepLease(leaseId: string, deadlineMs: number): Promise<boolean> {
    const answer = await this.gateway.call('/v3/lease/keepalive', { ID: leaseId }, { deadlineMs })
    return answer.TTL !== undefined
  }

  /** Changes under a prefix from a revision on, in order, each revision whole. Throws `CompactedError` when that revision is gone. */
  async *watch(prefix: string, fromRevision: number, options: { endpoint: string; signal: AbortSignal }): AsyncGenerator<StoreChange> {
    const body = { create_request: { key: base64(prefix), range_end: base64(prefixEnd(prefix)), start_revision: String(fromRevision) } }
    for await (const message of this.gateway.stream('/v3/watch', body, options)) {
      if (message.compact_revision !== undefined) throw new CompactedError(`revision ${fromRevision} is compacted`)
      if (message.canceled === true)
        throw new HoldfastError('internal', `The store ended a watch: ${text(message.cancel_reason)}`, 'It is begun anew.')
      const byRevision = new Map<number, StoreChange>()
      for (const event of list(message.events)) {
        const { key, value, revision } = storedKey(event.kv as Record<string, unknown>)
        const change = byRevision.get(revision) ?? { revision, changes: [] }
        byRevision.set(revision, change)
        change.changes.push({ key, value: event.type === 'DELETE' ? null : value })
      }
      yield* byRevision.values()
    }
  }

  async members(options: { endpoint?: string } = {}): Promise<StoreMember[]> {
    const answer = await this.gateway.call('/v3/cluster/member/list', {}, { ...read, ...options })
    return list(answer.members).map(member)
  }

  async addLearner(peerUrl: string): Promise<StoreMember> {
    const answer = await this.gateway.call('/v3/cluster/member/add', { peerURLs: [peerUrl], isLearner: true }, { deadlineMs: changeMs })
    return member(answer.member as Record<string, unknown>)
  }

  async promote(memberId: string): Promise<void> {
    await this.gateway.call('/v3/cluster/member/promote', { ID: memberId }, { deadlineMs: changeMs })
  }

  async removeMember(memberId: string): Promise<void> {
    await this.gateway.call('/v3/cluster/member/remove', { ID: memberId }, { deadlineMs: changeMs })
  }

  /** What one member says of itself; fails fast. */
  async status(endpoint: string, deadlineMs = 800): Promise<StoreStatus> {
    const answer = await this.gateway.call('/v3/maintenance/status', {}, { deadlineMs, endpoint })
    const header = answer.header as Record<string, unknown>
    return {
      memberId: text(header.member_id),
      leaderId: answer.leader === undefined ? null : text(answer.leader),
      raftTerm: Number(answer.raftTerm ?? 0),
      version: text(answer.version),
      revision: revisionOf(answer),
      learner: answer.isLearner === true,
    }
  }

  /** Moves raft leadership; `endpoint` must be the present leader's. */
  async moveRaftLeader(endpoint: string, memberId: string): Promise<void> {
    await this.gateway.call('/v3/maintenance/transfer-leadership', { targetID: memberId }, { deadlineMs: changeMs, endpoint })
  }
}

const base64 = (value: string) => Buffer.from(value).toString('base64')
const fromBase64 = (value: unknown) => Buffer.from(text(value), 'base64').toString()
const text = (value: unknown) => (typeof value === 'string' ? value : '')
const list = (value: unknown) => (Array.isArray(value) ? (value as Record<string, unknown>[]) : [])
const revisionOf = (answer: Record<string, unknown>) => Number((answer.header as { revision?: string } | undefined)?.revision ?? 0)

/** The first key after all that begin with the prefix. */
function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}

function storedKey(kv: Record<string, unknown>): StoredKey {
  return { key: fromBase64(kv.key), value: json(fromBase64(kv.value)), revision: Number(kv.mod_revision ?? 0) }
}

/** A value that is not JSON was not written by us; it is read as undefined and fails its schema where it is used. */
function json(value: string): unknown {
  try {
    return value === '' ? undefined : JSON.parse(value)
  } catch {
    return undefined
  }
}

function member(raw: Record<string, unknown>): StoreMember {
  return {
    id: text(raw.ID),
    name: text(raw.name),
    peerUrls: list(raw.peerURLs).map(String),
    clientUrls: list(raw.clientURLs).map(String),
    learner: raw.isLearner === true,
  }
}
