import type { Election, LeaderKey, RenewOutcome, TakeOutcome, Term } from '../cluster/leadership.ts'
import { ProcessEnv, type World } from './env.ts'
import type { SimNetwork } from './network.ts'

/** etcd as Holdfast runs it: `--heartbeat-interval 50 --election-timeout 500`, pre-vote, check-quorum. */
const raft = { heartbeatMs: 50, electionMs: 500, leaseMs: 1000, expiryCheckMs: 500, clientTimeoutMs: 1000 } as const

/** A write: looks at the keys, changes them or refuses. */
type Apply = (store: Keys, revision: number) => string | null

interface Keys {
  key: (LeaderKey & { leaseId: string | null }) | null
  epoch: number
}

interface Entry {
  apply: Apply
  done: (result: { revision: number; refused: boolean } | null) => void
  /** Members that have it on disk. */
  replicas: Set<string>
  settled: boolean
}

interface Member {
  host: string
  env: ProcessEnv
  role: 'follower' | 'leader'
  term: number
  /** Highest term that it voted in. */
  votedTerm: number
  knownLeader: string | null
  heardLeaderMs: number
  electionTimer: Disposable | null
  /** As leader: when each peer last answered. */
  ackMs: Map<string, number>
  pending: Entry[]
  leases: Map<string, number>
  /** Commits that it has applied. */
  applied: number
  watchers: Set<(election: Election) => void>
}

/**
 * A store with etcd's timings and failures, holding the two keys of leadership: raft elections with random time-outs, commits that need
 * a majority, entries that a dead leader left behind and a new one commits late or never, answers that are lost, a deposed leader that
 * does not know it yet, leases that a new leader renews all, watches that lag. The log itself is one list: that etcd is linearizable is taken as given.
 */
export class SimStore {
  readonly #world: World
  readonly #network: SimNetwork
  readonly #members = new Map<string, Member>()
  /** State after each commit, from revision 1 on. */
  readonly #history: Election[] = []
  #keys: Keys = { key: null, epoch: 0 }
  #leases = 0
  readonly #note: (line: string) => void

  constructor(options: { world: World; network: SimNetwork; hosts: readonly string[]; note: (line: string) => void }) {
    this.#world = options.world
    this.#network = options.network
    this.#note = options.note
    for (const host of options.hosts) {
      const member: Member = {
        host,
        env: new ProcessEnv(this.#world),
        role: 'follower',
        term: 0,
        votedTerm: 0,
        knownLeader: null,
        heardLeaderMs: -raft.electionMs,
        electionTimer: null,
        ackMs: new Map(),
        pending: [],
        leases: new Map(),
        applied: 0,
        watchers: new Set(),
      }
      this.#members.set(host, member)
      this.#expectLeader(member)
    }
  }

  get revision(): number {
    return this.#history.length
  }

  /** Host of the member that leads by its own belief and has a majority; null when there is none. */
  get raftLeader(): string | null {
    const leaders = [...this.#members.values()].filter((member) => member.role === 'leader' && member.env.running && this.#canCommit(member))
    return leaders.sort((a, b) => b.term - a.term)[0]?.host ?? null
  }

  freeze(host: string): void {
    this.#member(host).env.freeze()
  }

  thaw(host: string): void {
    this.#member(host).env.thaw()
  }

  kill(host: string): void {
    this.#member(host).env.kill()
  }

  /** Whether a host's member runs. */
  runs(host: string): boolean {
    return this.#member(host).env.running
  }

  /** Starts a killed member again, with what it had on disk. */
  restart(host: string): void {
    const member = this.#member(host)
    member.env = new ProcessEnv(this.#world)
    member.role = 'follower'
    member.knownLeader = null
    member.heardLeaderMs = this.#world.nowMs
    this.#expectLeader(member)
  }

  /** Whom a member takes for the raft leader. */
  leaderSeenBy(host: string, done: (leader: string | null) => void): void {
    this.#ask<string | null>(host, (member, answer) => answer(member.knownLeader), done, null)
  }

  /** Delivers the keys now and then each later state, in order, as `host`'s member applies them, until disposed. */
  watch(host: string, deliver: (election: Election, continuous: boolean) => void): Disposable {
    const member = this.#member(host)
    let continuous = false
    const push = (election: Election) => {
      deliver(election, continuous)
      continuous = true
    }
    member.watchers.add(push)
    push(this.#history[member.applied - 1] ?? { key: null, epoch: 0 })
    return { [Symbol.dispose]: () => void member.watchers.delete(push) }
  }

  take(host: string, basis: { keyRevision: number; epoch: number }, done: (outcome: TakeOutcome) => void): void {
    const leaseId = `lease-${++this.#leases}`
    this.#write(
      host,
      (keys, revision) => {
        if ((keys.key?.revision ?? 0) !== basis.keyRevision || keys.epoch !== basis.epoch) return 'refused'
        keys.key = { holder: host, nominee: null, revision, leaseId }
        keys.epoch = revision
        return null
      },
      (result) =>
        done(
          result === null ? { type: 'failed' } : result.refused ? { type: 'refused' } : { type: 'won', term: { epoch: result.revision, leaseId } },
        ),
      leaseId,
    )
  }

  renew(host: string, term: Term, done: (outcome: RenewOutcome) => void): void {
    this.#write(
      host,
      (keys, revision) => {
        if (keys.epoch !== term.epoch || keys.key === null || keys.key.holder === null) return 'refused'
        keys.key = { ...keys.key, revision }
        return null
      },
      (result) => done(result === null ? 'failed' : result.refused ? 'refused' : 'done'),
      term.leaseId,
    )
  }

  resign(host: string, term: Term, nominee: string | null, done: (outcome: RenewOutcome) => void): void {
    this.#write(
      host,
      (keys, revision) => {
        if (keys.epoch !== term.epoch) return 'refused'
        keys.key = { holder: null, nominee, revision, leaseId: null }
        return null
      },
      (result) => done(result === null ? 'failed' : result.refused ? 'refused' : 'done'),
    )
  }

  /** etcd's MoveLeader: the present leader lets `to` win the next term at once. */
  moveRaftLeader(to: string): void {
    const leader = this.raftLeader
    const target = this.#member(to)
    if (leader === null || leader === to || !this.#network.reaches(leader, to, 'mgmt')) return
    this.#world.after(this.#world.between(3, 20), () => target.env.run(() => this.#campaign(target, true)))
  }

  #member(host: string): Member {
    const member = this.#members.get(host)
    if (!member) throw new Error(`no member on ${host}`)
    return member
  }

  #reach(from: Member, to: Member): boolean {
    return this.#network.reaches(from.host, to.host, 'mgmt') && this.#network.reaches(to.host, from.host, 'mgmt')
  }

  #majority(count: number): boolean {
    return count * 2 > this.#members.size
  }

  /** Followers that would accept an entry of this leader right now, itself included. */
  #followersOf(leader: Member): Member[] {
    return [...this.#members.values()].filter(
      (member) => member === leader || (this.#reach(leader, member) && member.votedTerm <= leader.term && member.env.running),
    )
  }

  #canCommit(leader: Member): boolean {
    return this.#majority(this.#followersOf(leader).length)
  }

  #expectLeader(member: Member): void {
    member.electionTimer?.[Symbol.dispose]()
    member.electionTimer = member.env.after(this.#world.between(raft.electionMs, raft.electionMs * 2), () => this.#campaign(member, false))
  }

  /** Stands for election. With pre-vote nobody's term rises unless a majority would vote; `forced` asks also those that have a leader. */
  #campaign(member: Member, forced: boolean): void {
    this.#expectLeader(member)
    if (member.role === 'leader') return
    const silent = (voter: Member) => voter.role !== 'leader' && this.#world.nowMs - voter.heardLeaderMs >= raft.electionMs
    const voters = [...this.#members.values()].filter(
      (voter) => voter === member || (voter.env.running && this.#reach(member, voter) && (forced || silent(voter))),
    )
    if (!this.#majority(voters.length)) return
    const term = Math.max(...voters.map((voter) => voter.votedTerm)) + 1
    for (const voter of voters) voter.votedTerm = term
    this.#world.after(this.#world.between(3, 30), () =>
      member.env.run(() => {
        const still = voters.filter((voter) => voter === member || (voter.env.running && this.#reach(member, voter)))
        if (member.votedTerm === term && this.#majority(still.length)) this.#win(member, term, still)
      }),
    )
  }

  #win(member: Member, term: number, voters: readonly Member[]): void {
    member.role = 'leader'
    member.term = term
    member.knownLeader = member.host
    member.electionTimer?.[Symbol.dispose]()
    const now = this.#world.nowMs
    member.ackMs = new Map([...this.#members.keys()].map((host) => [host, now]))
    // A new leader renews every lease, since it does not know when the old one last did.
    member.leases = new Map(this.#keys.key?.leaseId ? [[this.#keys.key.leaseId, now + raft.leaseMs + raft.electionMs]] : [])
    this.#note(`store: ${member.host} is raft leader of term ${term}`)
    // Entries that a voter has on disk are committed by the new leader, the others are gone.
    for (const old of this.#members.values()) {
      for (const entry of old === member ? [] : old.pending.splice(0)) {
        if (voters.some((voter) => entry.replicas.has(voter.host)) && this.#world.random() < 0.5) this.#commit(entry)
        else this.#settle(entry, null)
      }
    }
    this.#beat(member, term)
    this.#checkQuorum(member, term)
    this.#expireLeases(member, term)
  }

  #leads(member: Member, term: number): boolean {
    return member.role === 'leader' && member.term === term
  }

  #beat(member: Member, term: number): void {
    if (!this.#leads(member, term)) return
    for (const peer of this.#members.values()) {
      if (peer === member) continue
      this.#network.message(member.host, peer.host, 'mgmt', () =>
        peer.env.run(() => {
          if (term < peer.votedTerm)
            return this.#network.message(peer.host, member.host, 'mgmt', () => member.env.run(() => this.#depose(member, term)))
          if (peer.role === 'leader') this.#depose(peer, peer.term)
          peer.votedTerm = term
          peer.knownLeader = member.host
          peer.heardLeaderMs = this.#world.nowMs
          this.#expectLeader(peer)
          this.#applyUpTo(peer, this.#history.length)
          this.#network.message(peer.host, member.host, 'mgmt', () => member.env.run(() => member.ackMs.set(peer.host, this.#world.nowMs)))
        }),
      )
    }
    this.#replicate(member)
    member.env.after(raft.heartbeatMs, () => this.#beat(member, term))
  }

  #checkQuorum(member: Member, term: number): void {
    member.env.after(raft.electionMs, () => {
      if (!this.#leads(member, term)) return
      const heard = [...member.ackMs].filter(([host, atMs]) => host === member.host || this.#world.nowMs - atMs <= raft.electionMs)
      if (this.#majority(heard.length)) this.#checkQuorum(member, term)
      else this.#depose(member, term)
    })
  }

  #depose(member: Member, term: number): void {
    if (!this.#leads(member, term)) return
    member.role = 'follower'
    member.knownLeader = null
    this.#note(`store: ${member.host} no longer leads term ${term}`)
    this.#expectLeader(member)
  }

  #expireLeases(member: Member, term: number): void {
    member.env.after(raft.expiryCheckMs, () => {
      if (!this.#leads(member, term)) return
      for (const [leaseId, expiresMs] of member.leases) {
        if (expiresMs > this.#world.nowMs) continue
        member.leases.delete(leaseId)
        this.#propose(
          member,
          (keys) => (keys.key?.leaseId === leaseId ? ((keys.key = null), null) : 'refused'),
          () => {},
        )
      }
      this.#expireLeases(member, term)
    })
  }

  /** A client's request through the member of its host; times out with null, whether it took effect or not. */
  #write(host: string, apply: Apply, done: (result: { revision: number; refused: boolean } | null) => void, leaseId?: string): void {
    this.#ask<{ revision: number; refused: boolean } | null>(
      host,
      (member, answer) => {
        const leader = member.knownLeader === null ? undefined : this.#member(member.knownLeader)
        if (!leader) return
        this.#network.message(host, leader.host, 'mgmt', () =>
          leader.env.run(() => {
            if (leader.role !== 'leader') return
            if (leaseId) leader.leases.set(leaseId, this.#world.nowMs + raft.leaseMs)
            this.#propose(leader, apply, (result) => this.#network.message(leader.host, host, 'mgmt', () => member.env.run(() => answer(result))))
          }),
        )
      },
      done,
      null,
    )
  }

  #ask<T>(host: string, work: (member: Member, answer: (value: T) => void) => void, done: (value: T) => void, otherwise: T): void {
    const member = this.#member(host)
    let open = true
    const answer = (value: T) => {
      if (open) done(value)
      open = false
    }
    this.#world.after(raft.clientTimeoutMs, () => answer(otherwise))
    this.#world.after(this.#world.between(0.3, 3), () => member.env.run(() => work(member, answer)))
  }

  #propose(leader: Member, apply: Apply, done: Entry['done']): void {
    const entry: Entry = { apply, done, replicas: new Set([leader.host]), settled: false }
    leader.pending.push(entry)
    // Written to disk and sent to the others, then counted.
    this.#world.after(this.#network.delayMs() + this.#world.between(1, 10), () => leader.env.run(() => this.#replicate(leader)))
  }

  #replicate(leader: Member): void {
    if (leader.role !== 'leader') return
    const followers = this.#followersOf(leader)
    for (const entry of leader.pending) for (const follower of followers) entry.replicas.add(follower.host)
    if (!this.#majority(followers.length)) return
    for (const entry of leader.pending.splice(0)) this.#commit(entry)
    this.#applyUpTo(leader, this.#history.length)
  }

  #commit(entry: Entry): void {
    const revision = this.#history.length + 1
    const refused = entry.apply(this.#keys, revision) !== null
    if (!refused) {
      const { key, epoch } = this.#keys
      this.#history.push({ key: key && { holder: key.holder, nominee: key.nominee, revision: key.revision }, epoch })
      for (const member of this.#members.values())
        this.#network.message(this.raftLeader ?? member.host, member.host, 'mgmt', () => member.env.run(() => this.#applyUpTo(member, revision)))
    }
    this.#settle(entry, { revision, refused })
  }

  #settle(entry: Entry, result: { revision: number; refused: boolean } | null): void {
    if (entry.settled) return
    entry.settled = true
    if (result) entry.done(result)
  }

  #applyUpTo(member: Member, revision: number): void {
    while (member.applied < revision) {
      const election = this.#history[member.applied++]!
      for (const watcher of member.watchers) watcher(election)
    }
  }
}
