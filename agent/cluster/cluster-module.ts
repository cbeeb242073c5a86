import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { heartbeatFlags, type SenderState } from '../../core/cluster/heartbeat.ts'
import { Leadership, type LeadershipHandover, type Term } from '../../core/cluster/leadership.ts'
import type { PathChange } from '../../core/cluster/watcher.ts'
import { joinNames } from '../../core/cluster/words.ts'
import type { Env } from '../../core/env.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Handover, Health } from '../runtime/module.ts'
import { joinDocSchema } from '../supervisor/enrolment.ts'
import { ClusterAddress } from './address.ts'
import { Announcer } from './announcer.ts'
import { isDismissed } from './dismissal.ts'
import { hostDocSchema, keys, type HostDoc } from './documents.ts'
import { EtcdGateway } from '../store/etcd-gateway.ts'
import { EtcdProcess } from './etcd-process.ts'
import { Heartbeats } from './heartbeats.ts'
import { createLeaderPort } from './leader-port.ts'
import { loadLibc } from './libc.ts'
import { LocalFiles } from './local-files.ts'
import { LocalMember } from './local-member.ts'
import { MemberKeeper } from './member-keeper.ts'
import { certificateEndMs, found, hasBootstrapKeys, renewCertificates } from './pki-store.ts'
import { Reports } from './reports.ts'
import { createSealerFor } from './sealer.ts'
import { EndpointMemory } from '../store/endpoint-memory.ts'
import { Store } from '../store/store.ts'
import { StoreView } from './store-view.ts'

/** Counters of paths, clocks and old files are looked at this often; everything else when it changes. */
const refreshMs = 10_000
/** What only time tells (quorum, a leader key that is not renewed, where the raft leader stays) is looked at this often. */
const tickMs = 1000
/** Certificates are renewed when they have less than this left: a third of a host's. */
const renewBeforeMs = 30 * 86_400_000
/** In standby the store may be silent for this long before the gate goes by the rest alone: it is as silent for the version that acts. */
const storeGraceMs = 8000

export interface ClusterModuleOptions {
  env: Env
  logger: Logger
  log: ObjectLog
  events: EventLog
  config: AgentConfig
  paths: AgentPaths
}

interface ClusterHandover {
  leadership: LeadershipHandover | null
  sender: SenderState | null
}

/** The module: membership, leadership, heartbeats and the documents of one host. Observes in standby, acts when active. */
export class ClusterModule {
  readonly #options: ClusterModuleOptions
  readonly clusterId: string
  readonly store: Store
  readonly view: StoreView
  readonly member: LocalMember
  readonly heartbeats: Heartbeats
  readonly leadership: Leadership
  readonly reports: Reports
  readonly keeper: MemberKeeper
  readonly #address: ClusterAddress
  readonly #endpoints: EndpointMemory
  readonly #files: LocalFiles
  readonly #announcer: Announcer
  readonly #createdAtMs: number
  #active = false
  /** Where heartbeats are to begin, until this host's own document is known. */
  #senderState: SenderState | null = null
  /** Set when this process is asked to end for good; then leadership is given up instead of left to a next version. */
  ending = false
  #hasReleased = false
  #wasMember = false
  #timers: Disposable[] = []
  #membersSeen = 0
  #founding = false

  constructor(options: ClusterModuleOptions) {
    this.#options = options
    const { env, logger, log, events, config, paths } = options
    this.#files = new LocalFiles(paths)
    // Loading it takes tens of milliseconds, which a standby has and one that takes over has not.
    loadLibc()
    this.#createdAtMs = env.monotonicMs()
    const joinDoc = joinDocSchema.parse(JSON.parse(readFileSync(paths.join, 'utf8')))
    this.clusterId = joinDoc.clusterId
    this.#endpoints = new EndpointMemory(paths, joinDoc.storeEndpoints)
    this.store = new Store(new EtcdGateway(paths.pki, this.#endpoints.known))
    this.view = new StoreView({
      env,
      logger,
      store: this.store,
      onElection: (election, continuous) => this.leadership.see(election, continuous),
      onChange: () => this.#changed(),
    })
    const etcd = new EtcdProcess(paths, config, logger, this.#files.revocationList)
    const founding = joinDoc.initialClusterState === 'new'
    const answersAnyway = () => this.view.status !== null && this.view.endpoint === this.member.endpoint
    this.member = new LocalMember({
      env,
      logger,
      config,
      paths,
      clusterId: this.clusterId,
      founding,
      etcd,
      store: this.store,
      answersAnyway,
      beforeStart: () => this.#files.keepRevocationList([...this.view.revoked.values()], env.wallMs()),
      onChange: () => this.#changed(),
    })
    this.heartbeats = new Heartbeats({
      env,
      logger,
      config,
      sealerFor: createSealerFor(Buffer.from(readFileSync(join(paths.pki, 'heartbeat.key'), 'utf8').trim(), 'base64')),
      knownBoots: this.#files.heardBoots(),
      flags: () => this.#flags(),
      onChanges: (changes) => this.#pathsChanged(changes),
      onPeer: () => this.#peerChanged(),
    })
    this.#announcer = new Announcer({ env, events, host: config.host, heartbeats: this.heartbeats, missing: () => this.missing() })
    this.#address = new ClusterAddress({ env, logger, config })
    this.leadership = new Leadership({
      env,
      host: config.host,
      port: createLeaderPort({
        host: config.host,
        logger,
        store: this.store,
        view: this.view,
        member: this.member,
        address: this.#address,
        changed: (state) => this.#leadingChanged(state),
      }),
    })
    this.reports = new Reports({ env, log, config, view: this.view, member: this.member, heartbeats: this.heartbeats })
    this.keeper = new MemberKeeper({
      ...{ env, logger, events, host: config.host, store: this.store, view: this.view, member: this.member, heartbeats: this.heartbeats },
      leading: () => this.leadership.leading,
    })
    for (const doc of this.#files.knownHosts()) this.view.hosts.set(doc.name, doc)
    this.#wasMember = this.self !== undefined
    this.#applyEndpoints()
    this.view.start()
  }

  get self(): HostDoc | undefined {
    return this.view.hosts.get(this.#options.config.host)
  }

  health(): Health {
    if (this.#active || this.view.ready) return { healthy: true }
    if (this.#options.env.monotonicMs() - this.#createdAtMs > storeGraceMs) return { healthy: true }
    return { healthy: false, reason: 'the store has not answered yet' }
  }

  activate(handover: Handover = {}): void {
    const { env } = this.#options
    const { leadership = null, sender = null } = handover as Partial<ClusterHandover>
    this.#active = true
    // After an unlucky swap the other version may have sent on from where we stopped: a new boot keeps us from repeating it.
    const state = sender !== null && !this.#hasReleased ? sender : { boot: this.#files.nextBoot(), sequences: { mgmt: 0, storage: 0, tenant: 0 } }
    this.#senderState = state
    // First of all, and before anything that touches a disk: peers wait for it since the other version stopped.
    this.#startHeartbeats()
    this.member.start()
    this.keeper.start()
    this.leadership.start(leadership && { ...leadership, confirmedUntilMs: leadership.confirmedUntilMs - clockDifferenceMs(env) })
    this.#timers = [env.every(refreshMs, () => this.#refresh()), env.every(tickMs, () => this.#tick())]
    this.#changed()
  }

  async release(): Promise<ClusterHandover> {
    const { env } = this.#options
    this.#active = false
    this.#hasReleased = true
    for (const timer of this.#timers.splice(0)) timer[Symbol.dispose]()
    this.keeper.stop()
    this.member.stop()
    if (this.ending) {
      this.leadership.resign('its agent is stopped')
      // The store is to know before we go; it answers in a few milliseconds or the lease tells it.
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    const held = this.leadership.release()
    this.#address.leave()
    const sender = this.heartbeats.stop() ?? this.#senderState
    return { sender, leadership: held && { ...held, confirmedUntilMs: held.confirmedUntilMs + clockDifferenceMs(env) } }
  }

  /** Throws `quorum-lost` with who is missing when nothing can be changed now. */
  async requireQuorum(): Promise<void> {
    if (this.view.quorum) return
    await this.view.refresh()
    if (this.view.quorum) return
    const missing = this.missing()
    throw new HoldfastError(
      'quorum-lost',
      `The cluster ${this.#options.config.cluster} has no majority: ${missing.length > 0 ? `${joinNames(missing)} ${missing.length > 1 ? 'are' : 'is'} missing` : 'its store does not answer'}`,
      'What was known can still be read. Bring hosts back until a majority of the voters is up; then changes are taken again.',
      { missing },
    )
  }

  /** Voters that do not answer. */
  missing(): string[] {
    return this.reports
      .members()
      .filter((doc) => doc.state !== 'up')
      .map((doc) => doc.host)
  }

  /** Renews this host's certificates now. Answers their end. */
  async rotate(): Promise<number> {
    const { env, config, paths } = this.#options
    const renewed = await renewCertificates({ store: this.store, paths, config, clusterId: this.clusterId, nowMs: env.wallMs() })
    this.store.gateway.reloadCertificates()
    await this.#noteCertificates(renewed)
    return Math.min(...renewed.map((each) => each.notAfterMs))
  }

  /** Heartbeats need this host's own document, for its incarnation, and whom to send to. */
  #startHeartbeats(): void {
    if (this.heartbeats.running || !this.#senderState || !this.self) return
    this.heartbeats.setHosts([...this.view.hosts.values()])
    this.heartbeats.start(this.#senderState, this.self.incarnation)
    this.#options.logger.info('heartbeats begin', { boot: this.#senderState.boot })
    this.#senderState = null
  }

  /** Documents, members or the store's status changed: everything that follows from them is brought up to date. */
  #changed(): void {
    const { config, env, paths } = this.#options
    this.#applyEndpoints()
    this.reports.publish()
    this.heartbeats.setHosts([...this.view.hosts.values()])
    if (!this.#active) return
    if (this.self) {
      this.#wasMember = true
      this.#startHeartbeats()
    } else if (this.#wasMember && this.view.ready && this.view.quorum) this.#removed()
    if (this.view.ready && this.view.quorum && hasBootstrapKeys(paths)) this.#found()
    this.reports.publishPaths()
    const voters = this.member.members.filter(({ name, learner }) => !learner && name !== '' && this.view.hosts.get(name)?.leaving === false)
    this.leadership.setVoters(voters.map(({ name }) => name).sort())
    if (this.view.status?.leaderId) {
      // A leader that the list does not know is a member that we have not heard of yet.
      if (this.member.hostOf(this.view.status.leaderId) === null) this.#listMembersAgain()
    }
    if (this.view.membersChanged !== this.#membersSeen) this.#listMembersAgain()
    this.#membersSeen = this.view.membersChanged
    if (this.view.ready) {
      this.#announcer.quorumIs(this.view.quorum)
      this.#files.keepHosts(this.view.hosts.values())
      this.#files.keepRefused([...this.view.revoked.values()], (host) => this.view.hosts.has(host))
      this.#files.keepRevocationList([...this.view.revoked.values()], env.wallMs())
    }
    const move = this.view.moveLeader
    if (move && this.leadership.term && move.epoch === this.leadership.term.epoch && move.to !== config.host)
      this.leadership.resign(`an administrator moved it to ${move.to}`, move.to)
    this.keeper.look()
  }

  #listMembersAgain(): void {
    this.member.listAgain()
    void this.member.look()
  }

  /** Endpoints of the store: the own member first, then those of the members, else what was known last. */
  #applyEndpoints(): void {
    const own = this.member.own
    const members = this.member.members.filter(({ learner }) => !learner).flatMap(({ clientUrls }) => clientUrls)
    this.#endpoints.set(members)
    const others = this.#endpoints.known.filter((endpoint) => own === null || !own.clientUrls.includes(endpoint))
    const local = (own !== null && !own.learner) || this.member.hasData ? [this.member.endpoint] : []
    this.store.gateway.setEndpoints([...local, ...others])
    if (local.length > 0 && this.member.well) this.view.reconnect()
  }

  /** The first host of the cluster writes itself down and hands the CAs to the store, however often it was interrupted. */
  #found(): void {
    if (this.#founding) return
    this.#founding = true
    const { config, env, paths, events, logger } = this.#options
    found({ store: this.store, config, paths, clusterId: this.clusterId, nowMs: Math.trunc(env.wallMs()) })
      .then((isNew) => {
        if (isNew) events.emit('cluster-founded', 'info', `${config.host} founded the cluster ${config.cluster}`, [`host/${config.host}`])
      })
      .catch((cause: unknown) => logger.error('the cluster could not be founded', { cause }))
      .finally(() => (this.#founding = false))
  }

  /** The cluster took this host out: it stops everything it does for it. */
  #removed(): void {
    const { config, events, logger } = this.#options
    this.#wasMember = false
    events.emit('host-removed', 'warning', `${config.host} was removed from the cluster ${config.cluster}`, [`host/${config.host}`])
    this.heartbeats.stop()
    this.leadership.setVoters([])
    this.member.end().catch((cause: unknown) => logger.error('the store member could not be ended', { cause }))
  }

  #flags(): number {
    const own = this.member.own
    return (
      (this.member.well ? heartbeatFlags.memberWell : 0) |
      (own !== null && this.view.status?.leaderId === own.id ? heartbeatFlags.raftLeader : 0) |
      (this.leadership.leading ? heartbeatFlags.leader : 0)
    )
  }

  #leadingChanged({ leading, term, reason }: { leading: boolean; term: Term; reason: string }): void {
    const { config, events, logger } = this.#options
    logger.info(leading ? 'this host leads' : 'this host leads no more', { epoch: term.epoch, reason })
    if (leading && reason !== 'taken over from the version before')
      events.emit('leader-changed', 'info', `${config.host} leads the cluster: ${reason}`, [`host/${config.host}`, 'cluster/cluster'], {
        leader: config.host,
        epoch: term.epoch,
        reason,
      })
    this.reports.publish()
    if (leading) this.keeper.look()
  }

  #pathsChanged(changes: PathChange[]): void {
    this.reports.publishPaths()
    this.reports.publish()
    this.#announcer.pathsChanged(changes)
    this.keeper.look()
  }

  #peerChanged(): void {
    this.reports.publish()
    this.#files.keepBoots(this.heartbeats.receiver.boots)
    this.keeper.look()
  }

  #tick(): void {
    this.leadership.seeRaftLeader(this.view.status?.leaderId ? this.member.hostOf(this.view.status.leaderId) : null)
    this.reports.publish()
    if (this.view.ready) this.#announcer.quorumIs(this.view.quorum)
  }

  #refresh(): void {
    const { paths, env, logger } = this.#options
    if (!this.view.quorum) this.#askWhetherRemoved().catch((cause: unknown) => logger.warn('the other hosts could not be asked', { cause }))
    this.reports.publishPaths()
    this.#announcer.clocksOf(this.view.hosts.keys())
    if (this.view.quorum && this.self && certificateEndMs(paths) - env.wallMs() < renewBeforeMs)
      this.rotate().catch((cause: unknown) => logger.error('the certificates could not be renewed', { cause }))
    if (this.leadership.leading) this.#forgetRevoked().catch((cause: unknown) => logger.warn('old certificates could not be forgotten', { cause }))
  }

  /** Without the store, which knows a removed host no more, only the other hosts' agents can say that it is one. */
  async #askWhetherRemoved(): Promise<void> {
    const { config, paths } = this.#options
    const others = [...this.view.hosts.values()].filter(({ name }) => name !== config.host)
    if (this.#wasMember && (await isDismissed(paths, others)) && this.#active && this.#wasMember) this.#removed()
  }

  async #forgetRevoked(): Promise<void> {
    const now = this.#options.env.wallMs()
    for (const [id, doc] of this.view.revoked) if (doc.untilMs < now) await this.store.change([], [{ delete: keys.revoked(id) }])
  }

  /** Notes new certificates in this host's document, so that they can be refused one day. */
  async #noteCertificates(renewed: HostDoc['certificates']): Promise<void> {
    const now = this.#options.env.wallMs()
    for (let attempt = 0; attempt < 3; attempt++) {
      const stored = await this.store.get(keys.host(this.#options.config.host))
      const doc = hostDocSchema.safeParse(stored?.value).data
      if (!stored || !doc) return
      const certificates = [...doc.certificates.filter((each) => each.notAfterMs > now), ...renewed]
      const { done } = await this.store.change(
        [{ key: stored.key, revision: stored.revision }],
        [{ put: stored.key, value: { ...doc, certificates } }],
      )
      if (done) return
    }
  }
}

/** What the monotonic clock of the machine shows beyond the process's own, ms; the same for every process. */
function clockDifferenceMs(env: Env): number {
  return Number(process.hrtime.bigint()) / 1e6 - env.monotonicMs()
}
