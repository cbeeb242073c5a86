import { connect } from 'node:net'
import { planMembership, type MembershipMember, type MembershipStep } from '../../core/cluster/membership.ts'
import { heartbeatFlags } from '../../core/cluster/heartbeat.ts'
import type { Env } from '../../core/env.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import { hostDocSchema, keys, type HostDoc } from './documents.ts'
import { EtcdError } from '../store/etcd-gateway.ts'
import type { Heartbeats } from './heartbeats.ts'
import type { LocalMember } from './local-member.ts'
import type { Store, StoreMember } from '../store/store.ts'
import type { StoreView } from './store-view.ts'

const periodMs = 2000
const probeMs = 500

export interface MemberKeeperOptions {
  env: Env
  logger: Logger
  events: EventLog
  host: string
  store: Store
  view: StoreView
  member: LocalMember
  heartbeats: Heartbeats
  /** Whether this host leads; only then anything is changed. */
  leading(): boolean
}

/** Brings the store's members to what core/cluster/membership.ts wants, one step at a time, while this host leads. */
export class MemberKeeper {
  readonly #options: MemberKeeperOptions
  readonly #since = new Map<string, { well: boolean; atMs: number }>()
  #timer: Disposable | null = null
  #busy = false

  constructor(options: MemberKeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = this.#options.env.every(periodMs, () => this.look())
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
    this.#since.clear()
  }

  /** Looks now; steps follow each other at once as long as there are any. */
  look(): void {
    const { leading, logger, view } = this.#options
    if (this.#busy || !leading() || !view.quorum || !this.#timer) return
    this.#busy = true
    this.#step()
      .catch((cause: unknown) => {
        logger.warn('the store’s members could not be changed', { cause })
        return false
      })
      .then(
        (again) => {
          this.#busy = false
          if (again) this.look()
        },
        () => {},
      )
  }

  async #step(): Promise<boolean> {
    const { view, member, logger } = this.#options
    const { members } = member
    if (members.length === 0) return false
    // A learner gets its name when it has begun, which nobody tells.
    if (members.some(({ learner }) => learner)) member.listAgain()
    const hosts = await Promise.all(
      [...view.hosts.values()].map(async (doc) => ({
        name: doc.name,
        joinedAtMs: doc.joinedAtMs,
        leaving: doc.leaving,
        alive: await this.#alive(doc),
      })),
    )
    const raftLeader = view.status?.leaderId ? member.hostOf(view.status.leaderId) : null
    const step = planMembership({ hosts, members: await Promise.all(members.map((each) => this.#judge(each))), raftLeader })
    if (!step) return false
    logger.info('a change of the store’s members', { step })
    try {
      await this.#do(step)
    } catch (cause) {
      // Not in sync yet, or the members are not healthy enough: it is tried again at the next look.
      if (!(cause instanceof EtcdError)) throw cause
      logger.info('the store does not take the change yet', { step, cause })
      member.listAgain()
      return false
    }
    member.listAgain()
    // The next step is decided on the list as it is after this one.
    await member.look()
    await this.#options.store.change([], [{ put: keys.members, value: step }])
    return false
  }

  async #do(step: MembershipStep): Promise<void> {
    const { store, view, member, events } = this.#options
    switch (step.do) {
      case 'add-learner': {
        const doc = view.hosts.get(step.host)
        if (!doc) return
        await store.addLearner(`https://${doc.addresses.mgmt}:${doc.storePeerPort}`)
        await this.#setRole(step.host, 'voter')
        return
      }
      case 'promote':
        await store.promote(step.id)
        events.emit('member-added', 'info', `${step.host} votes in the store now`, [`member/${step.host}`, `host/${step.host}`])
        return
      case 'remove':
        await store.removeMember(step.id)
        await this.#setRole(step.host, 'client')
        events.emit(
          'member-removed',
          'warning',
          `${step.host} votes in the store no more: ${step.why}`,
          [`member/${step.host}`, `host/${step.host}`],
          { why: step.why },
        )
        return
      case 'move-raft-leader': {
        const from = member.members.find((each) => each.id === view.status?.leaderId)?.clientUrls[0]
        const to = member.members.find((each) => each.name === step.to)
        if (from && to) await store.moveRaftLeader(from, to.id)
        return
      }
      case 'forget-host':
        return this.#forget(step.host)
    }
  }

  /** Removes a host's document and has its certificates refused from now on. */
  async #forget(host: string): Promise<void> {
    const { store, env, events } = this.#options
    const stored = await store.get(keys.host(host))
    const doc = hostDocSchema.safeParse(stored?.value).data
    if (!stored || !doc) return
    const now = env.wallMs()
    const certificates = doc.certificates.filter((each) => each.notAfterMs > now)
    const revoked = { host, serials: certificates.map((each) => each.serial), untilMs: Math.max(now, ...certificates.map((each) => each.notAfterMs)) }
    await store.change(
      [{ key: stored.key, revision: stored.revision }],
      [{ delete: stored.key }, { put: keys.revoked(`${host}-${doc.incarnation}`), value: revoked }],
    )
    events.emit('host-removed', 'info', `${host} was removed from the cluster; its certificates are refused from now on`, [`host/${host}`])
  }

  async #setRole(host: string, role: HostDoc['role']): Promise<void> {
    const { store } = this.#options
    const stored = await store.get(keys.host(host))
    const doc = hostDocSchema.safeParse(stored?.value).data
    if (stored && doc && doc.role !== role)
      await store.change([{ key: stored.key, revision: stored.revision }], [{ put: stored.key, value: { ...doc, role } }])
  }

  async #judge(member: StoreMember): Promise<MembershipMember> {
    const { env } = this.#options
    const host = member.name || this.#hostByUrl(member)
    const well = await this.#well(member, host)
    const now = env.monotonicMs()
    const before = this.#since.get(member.id)
    if (before?.well !== well) this.#since.set(member.id, { well, atMs: now })
    return { id: member.id, host, learner: member.learner, well, sinceMs: now - (before?.well === well ? before.atMs : now) }
  }

  /** Whether a member answers: by its host's heartbeats, or where those are not watched, by asking it. */
  async #well(member: StoreMember, host: string): Promise<boolean> {
    const { host: self, member: local, heartbeats, store } = this.#options
    if (member.name === '') return false
    if (host === self) return local.well
    if (heartbeats.watches(host)) return (heartbeats.flagsOf(host) & heartbeatFlags.memberWell) !== 0
    const endpoint = member.clientUrls[0]
    return (
      endpoint !== undefined &&
      (await store.status(endpoint, probeMs).then(
        () => true,
        () => false,
      ))
    )
  }

  async #alive(doc: HostDoc): Promise<boolean> {
    const { host, heartbeats } = this.#options
    if (doc.name === host) return true
    return heartbeats.watches(doc.name) ? heartbeats.heard(doc.name) : answersTcp(doc.addresses.mgmt, doc.apiPort)
  }

  #hostByUrl(member: StoreMember): string {
    return (
      [...this.#options.view.hosts.values()].find((doc) => member.peerUrls.includes(`https://${doc.addresses.mgmt}:${doc.storePeerPort}`))?.name ?? ''
    )
  }
}

/** Whether something accepts connections there. */
function answersTcp(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: probeMs })
    const end = (answers: boolean) => {
      socket.destroy()
      resolve(answers)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
