import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Env } from '../../core/env.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { EtcdBirth, EtcdProcess } from './etcd-process.ts'
import type { Store, StoreMember } from '../store/store.ts'

const lookPeriodMs = 1000
/** The list of members is asked for anew at least this often; sooner when something hints that it changed. */
const listPeriodMs = 15_000
const backoffMs = [0, 500, 1000, 2000, 5000, 10_000]

/** What to do about the member of this host; decided by `planLocalMember`. */
export type LocalStep = { do: 'nothing' } | { do: 'start'; birth: EtcdBirth } | { do: 'wipe' }

/**
 * Decides from what lies here and what the other members say. `members: null`: they cannot be asked, as when the whole cluster starts;
 * then data that is here is trusted. A member that the others list without a name has not begun: it is a learner, whose vote does
 * not count, so whatever data lies here is of an earlier membership and goes.
 */
export function planLocalMember(options: {
  running: boolean
  hasData: boolean
  /** This host made the cluster, and its first member has never been up. */
  founding: boolean
  name: string
  peerUrl: string
  members: readonly StoreMember[] | null
}): LocalStep {
  const { running, hasData, founding, name, peerUrl, members } = options
  if (running) return { do: 'nothing' }
  if (founding) return { do: 'start', birth: { state: 'new', initialCluster: [`${name}=${peerUrl}`] } }
  const own = members?.find((member) => member.peerUrls.includes(peerUrl))
  const birth: EtcdBirth = {
    state: 'existing',
    initialCluster: (members ?? []).map((member) => `${member.peerUrls.includes(peerUrl) ? name : member.name}=${member.peerUrls[0]}`),
  }
  if (members === null) return hasData ? { do: 'start', birth } : { do: 'nothing' }
  if (!own) return hasData ? { do: 'wipe' } : { do: 'nothing' }
  if (own.name === '') return hasData ? { do: 'wipe' } : { do: 'start', birth }
  // Without its data a member must not come back under its old identity: it has forgotten its votes. The leader replaces it.
  return hasData ? { do: 'start', birth } : { do: 'nothing' }
}

export interface LocalMemberOptions {
  env: Env
  logger: Logger
  config: AgentConfig
  paths: AgentPaths
  clusterId: string
  founding: boolean
  etcd: EtcdProcess
  store: Store
  /** Whether somebody else just heard from the own member; then it need not be asked. */
  answersAnyway(): boolean
  /** What must be in place before etcd starts. */
  beforeStart(): void
  /** The list of members, or how the own member does, changed. */
  onChange(): void
}

/** Keeps this host's member running while the cluster wants one here, and knows the list of all members. */
export class LocalMember {
  readonly #options: LocalMemberOptions
  readonly peerUrl: string
  readonly endpoint: string
  members: StoreMember[] = []
  /** Whether the own member answered at the last look. */
  well = false
  #listedAtMs = -Infinity
  #failures = 0
  #notBeforeMs = 0
  #timer: Disposable | null = null
  #busy: Promise<void> = Promise.resolve()
  problem: string | null = null

  constructor(options: LocalMemberOptions) {
    this.#options = options
    const { config } = options
    this.peerUrl = `https://${config.addresses.mgmt}:${config.storePeerPort}`
    this.endpoint = `https://127.0.0.1:${config.storeClientPort}`
  }

  /** Whether a member has ever been here. */
  get hasData(): boolean {
    return this.#options.etcd.hasData
  }

  /** The id of this host's member when the cluster has one; null otherwise. */
  get own(): StoreMember | null {
    return this.members.find((member) => member.peerUrls.includes(this.peerUrl)) ?? null
  }

  hostOf(memberId: string): string | null {
    return this.members.find((member) => member.id === memberId)?.name || null
  }

  start(): void {
    this.#options.etcd.adopt()
    this.#timer = this.#options.env.every(lookPeriodMs, () => void this.look())
    void this.look()
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
  }

  /** Looks now whether something is to be done; one look at a time. */
  look(): Promise<void> {
    this.#busy = this.#busy
      .then(() => this.#look())
      .catch((cause: unknown) => this.#options.logger.error('the store member cannot be looked after', { cause }))
    return this.#busy
  }

  /** The list of members is old. */
  listAgain(): void {
    this.#listedAtMs = -Infinity
  }

  /** Host of the raft leader as the own member knows it; null when it knows none. Throws when it does not answer. */
  async raftLeader(deadlineMs: number): Promise<string | null> {
    const { leaderId } = await this.#options.store.status(this.endpoint, deadlineMs)
    return leaderId === null ? null : this.hostOf(leaderId)
  }

  /** Makes the own member the raft leader. */
  async fetchRaftLeader(): Promise<void> {
    const { store } = this.#options
    const { leaderId } = await store.status(this.endpoint)
    const leader = this.members.find((member) => member.id === leaderId)
    const endpoint = leader?.clientUrls[0]
    if (this.own && endpoint && leader.id !== this.own.id) await store.moveRaftLeader(endpoint, this.own.id)
  }

  /** Takes the own member out of operation for good: this host was removed. */
  async end(): Promise<void> {
    this.stop()
    await this.#busy
    await this.#options.etcd.stop()
    this.#options.etcd.wipe()
  }

  async #look(): Promise<void> {
    const { env, etcd, config, founding, clusterId, logger, store } = this.#options
    const now = env.monotonicMs()
    const before = this.well
    if (etcd.running && this.#wanted) {
      const asked = () =>
        store.status(this.endpoint).then(
          () => true,
          () => false,
        )
      this.well = this.#options.answersAnyway() || (await asked())
      if (this.well) {
        this.#failures = 0
        this.#markMade()
      }
    } else this.well = false
    if (now - this.#listedAtMs > listPeriodMs || (!etcd.running && etcd.hasData)) {
      await this.#list()
      etcd.trimLog()
    }
    if (before !== this.well) {
      // Back to the own member, or away from it.
      if (this.well) store.gateway.preferFirst()
      this.#options.onChange()
    }
    if (etcd.running || now < this.#notBeforeMs) return

    const step = planLocalMember({
      running: etcd.running,
      hasData: etcd.hasData,
      founding: founding && !existsSync(this.#madeFile),
      name: config.host,
      peerUrl: this.peerUrl,
      members: this.#listedAtMs > -Infinity ? this.members : null,
    })
    if (step.do === 'wipe') {
      logger.warn('the store knows this host’s member no more, its data goes')
      etcd.wipe()
    } else if (step.do === 'start') {
      this.#notBeforeMs = now + backoffMs[Math.min(this.#failures, backoffMs.length - 1)]!
      this.#failures++
      try {
        this.#options.beforeStart()
        etcd.start(step.birth, clusterId)
        this.problem = null
      } catch (thrown) {
        if (!(thrown instanceof HoldfastError)) throw thrown
        this.problem = thrown.message
        logger.error(thrown.message, { hint: thrown.hint })
      }
    }
  }

  get #wanted(): boolean {
    return this.#options.etcd.hasData || this.#options.founding
  }

  /** Asks whoever answers, other members before the own one, whose view may be old. */
  async #list(): Promise<void> {
    const { store, env, onChange } = this.#options
    const others = store.gateway.endpoints.filter((endpoint) => endpoint !== this.endpoint)
    for (const endpoint of this.well ? [this.endpoint, ...others] : others) {
      try {
        const status = await store.status(endpoint)
        // Without a majority a member may list what was taken back since.
        if (status.leaderId === null || status.learner) continue
        const members = await store.members({ endpoint })
        this.#listedAtMs = env.monotonicMs()
        if (JSON.stringify(members) !== JSON.stringify(this.members)) {
          this.members = members
          onChange()
        }
        return
      } catch {
        // The next one may answer.
      }
    }
    // Nobody answers with authority; what was known is kept for showing, not for deciding.
    this.#listedAtMs = -Infinity
  }

  /** Once the first member was up, its data must never be made anew: that would be another, empty cluster. */
  #markMade(): void {
    if (!this.#options.founding || existsSync(this.#madeFile)) return
    mkdirSync(this.#options.paths.state, { recursive: true, mode: 0o700 })
    writeFileSync(this.#madeFile, '', { mode: 0o600 })
  }

  get #madeFile(): string {
    return join(this.#options.paths.state, 'store-made')
  }
}
