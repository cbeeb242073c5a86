import type { Env } from '../env.ts'

/**
 * Leadership of the cluster, and with it the cluster address.
 *
 * The store holds a leader key, bound to a lease of a second, which its holder writes anew every 330 ms, and an election key that is
 * written with each take-over only. The election key's revision is the epoch: a renewal is accepted only while it is the newest.
 *
 * Why two hosts never answer for the address at the same time:
 * - The holder adds the address for 1 s (kernel `valid_lft`), and only within `answerLimitMs` of having *sent* a renewal that the store
 *   committed. The kernel is late by up to `kernelLateMs` (measured, see agent/cluster/address.ts). So the address is gone at the latest
 *   `addressLifeMs` after that renewal was sent, whatever has become of the holder: hung, paused, cut off.
 * - Renewals are commits, so every other host sees each one, in order, before it can see a take-over's condition hold. It takes over only
 *   when the newest renewal is the one it saw, and it saw that one at least `addressLifeMs` ago by its own clock.
 *
 * So nobody waits for the lease to run out, which takes etcd 2.4 s after its leader died, since a new raft leader renews all leases.
 * The lease makes the key go by itself when nobody is left to take it, so that nobody is shown as leader then.
 */
export const leaderTimings = {
  renewEveryMs: 330,
  /** An answer later than this after its request was sent confirms leadership, but renews no address. */
  answerLimitMs: 250,
  /** How long a committed renewal makes its sender leader, and lifetime given to the address. */
  leaseMs: 1000,
  kernelLateMs: 300,
  addressLifeMs: 250 + 1000 + 300,
  /** What a host that is not the raft leader's waits beyond that, per place in the order of voters. */
  patienceMs: 400,
  /** What others leave to the host that a resigning leader named. */
  nomineeMs: 2000,
  /** How long a leader that resigned stays out. */
  holdOffMs: 3000,
  retryMs: 100,
  /** While etcd elects, its leader is asked for this often. */
  electingMs: 50,
  /** How long the raft leader may be elsewhere before the holder fetches it. */
  raftElsewhereMs: 1500,
} as const
export type LeaderTimings = Record<keyof typeof leaderTimings, number>

/** The leader key: who holds leadership. `holder: null`: given up in good order; `nominee` is to take it. */
export interface LeaderKey {
  holder: string | null
  nominee: string | null
  /** Store revision of its last write: of the last renewal. */
  revision: number
}

/** Both keys as of one moment of the store's history. `key: null`: no leader key, its lease ran out. `epoch: 0`: nobody ever led. */
export interface Election {
  key: LeaderKey | null
  epoch: number
}

/** A leadership: its epoch, and the lease that its key is bound to. */
export interface Term {
  epoch: number
  leaseId: string
}

/** `failed`: nothing is known of what became of the request. */
export type TakeOutcome = { type: 'won'; term: Term } | { type: 'refused' } | { type: 'failed' }
export type RenewOutcome = 'done' | 'refused' | 'failed'

/** What leadership does to the world. Every `done` is called exactly once, later, never from inside the call. */
export interface LeadershipPort {
  /** In one transaction, if leader key and election key have exactly these revisions (0: absent): write both, bound to a new lease. */
  take(basis: { keyRevision: number; epoch: number }, done: (outcome: TakeOutcome) => void): void
  /** In one transaction, if the election key's revision is the epoch and the leader key is there: write the leader key. Keeps the lease alive, too. */
  renew(term: Term, done: (outcome: RenewOutcome) => void): void
  /** In one transaction, if the election key's revision is the epoch: write the leader key with no holder, bound to no lease. */
  resign(term: Term, nominee: string | null, done: (outcome: RenewOutcome) => void): void
  /** Asks this host's own store member who the raft leader is; null when it knows none or does not answer. */
  raftLeader(done: (host: string | null) => void): void
  /** Asks the raft leader to make this host's member the raft leader. */
  fetchRaftLeader(): void
  /** Adds the address for `leaseMs` from now, or prolongs it. False when that cannot be done: the NIC is missing. */
  holdAddress(): boolean
  dropAddress(): void
  /** Leadership began or ended here. */
  changed(state: { leading: boolean; term: Term; reason: string }): void
}

/** Leadership in the hands of the next version of the module. Times are of the machine's monotonic clock. */
export interface LeadershipHandover {
  term: Term
  confirmedUntilMs: number
}

type State = { is: 'idle' } | { is: 'taking' } | { is: 'leader'; term: Term; confirmedUntilMs: number; requests: number }

/** One host's part in it. */
export class Leadership {
  readonly #env: Env
  readonly #host: string
  readonly #port: LeadershipPort
  readonly #timings: LeaderTimings
  /** Voters in the order in which they step in when the raft leader's host does not. Without being among them a host does not campaign. */
  #voters: readonly string[] = []
  #election: Election | null = null
  /** For words only: who led when the key was last seen with a holder. */
  #lastHolder: string | null = null
  /** When the last sign of a foreign holder's life was seen: its newest renewal, or when we began to look. */
  #renewalSeenMs = 0
  #changeSeenMs = 0
  #state: State = { is: 'idle' }
  #running = false
  #outUntilMs = 0
  /** When the store was last seen without a raft leader. */
  #electingMs = 0
  #raftElsewhereSinceMs: number | null = null
  #alarm: Disposable | null = null
  #renewal: Disposable | null = null

  /** `timings` other than the proven ones are for proofs that a checker catches wrong ones. */
  constructor(options: { env: Env; host: string; port: LeadershipPort; timings?: LeaderTimings }) {
    this.#timings = options.timings ?? leaderTimings
    this.#env = options.env
    this.#host = options.host
    this.#port = options.port
  }

  get leading(): boolean {
    return this.#state.is === 'leader' && this.#env.monotonicMs() < this.#state.confirmedUntilMs
  }

  get term(): Term | null {
    return this.#state.is === 'leader' ? this.#state.term : null
  }

  /** Begins to take part, or goes on with a leadership that was handed over. */
  start(handover: LeadershipHandover | null = null): void {
    this.#running = true
    const now = this.#env.monotonicMs()
    if (handover && now < handover.confirmedUntilMs) {
      this.#lead(handover.term, handover.confirmedUntilMs, 'taken over from the version before')
      this.#renew()
    }
    this.#consider()
  }

  /** Takes no part any more, and leaves the address to whoever gets the answer. Null when this host does not lead. */
  release(): LeadershipHandover | null {
    const state = this.#state
    this.#stop()
    this.#running = false
    return state.is === 'leader' && this.#env.monotonicMs() < state.confirmedUntilMs
      ? { term: state.term, confirmedUntilMs: state.confirmedUntilMs }
      : null
  }

  /** Gives leadership up in good order, to `nominee` if one is named. */
  resign(reason: string, nominee: string | null = null): void {
    if (this.#state.is !== 'leader') return
    const { term } = this.#state
    this.#stepDown(reason)
    this.#outUntilMs = this.#env.monotonicMs() + this.#timings.holdOffMs
    this.#port.resign(term, nominee, () => this.#consider())
  }

  setVoters(voters: readonly string[]): void {
    this.#voters = voters
    if (this.#state.is === 'leader' && !voters.includes(this.#host)) this.resign('its host runs no store member any more')
    this.#consider()
  }

  /**
   * Tells what the store's keys are now. Every change must be told, in order. `continuous: false` when changes may have been missed
   * (first look, or the watch had to begin anew): then the holder counts as alive right now.
   */
  see(election: Election, continuous: boolean): void {
    const now = this.#env.monotonicMs()
    const before = this.#election
    if (!before || !continuous || (election.key?.holder && election.key.revision !== before.key?.revision)) this.#renewalSeenMs = now
    if (election.key?.revision !== before?.key?.revision) this.#changeSeenMs = now
    this.#election = election
    this.#lastHolder = election.key?.holder ?? this.#lastHolder
    if (this.#state.is === 'leader' && election.epoch > this.#state.term.epoch) this.#stepDown('another host took it')
    this.#consider()
  }

  /** Tells on which host the raft leader was seen, or that there is none. */
  seeRaftLeader(host: string | null): void {
    const now = this.#env.monotonicMs()
    if (this.#state.is !== 'leader' || host === this.#host || host === null) {
      this.#raftElsewhereSinceMs = null
      return
    }
    this.#raftElsewhereSinceMs ??= now
    if (now - this.#raftElsewhereSinceMs < this.#timings.raftElsewhereMs) return
    this.#raftElsewhereSinceMs = now
    this.#port.fetchRaftLeader()
  }

  /** Looks whether leadership is to be had, now or when the alarm set here rings. */
  #consider(): void {
    this.#alarm?.[Symbol.dispose]()
    this.#alarm = null
    if (!this.#running || this.#state.is !== 'idle' || !this.#election || !this.#voters.includes(this.#host)) return
    const now = this.#env.monotonicMs()
    const freeAtMs = Math.max(this.#freeAtMs(this.#election), this.#outUntilMs)
    if (now < freeAtMs) return this.#ring(freeAtMs - now)
    // Time passes while we ask; what was seen meanwhile sets a new alarm, and then this answer is not ours to act on.
    const election = this.#election
    this.#state = { is: 'taking' }
    this.#port.raftLeader((leader) => {
      if (this.#state.is !== 'taking') return
      this.#state = { is: 'idle' }
      if (!this.#running || this.#election !== election) return this.#consider()
      if (leader === null) {
        this.#electingMs = this.#env.monotonicMs()
        return this.#ring(this.#timings.electingMs)
      }
      const patienceMs = leader === this.#host || this.#formerly(election) ? 0 : this.#timings.patienceMs * (1 + this.#place(leader))
      const waitMs = Math.max(freeAtMs, this.#electingMs) + patienceMs - this.#env.monotonicMs()
      if (waitMs > 0) return this.#ring(Math.min(waitMs, this.#timings.retryMs))
      this.#take(election)
    })
  }

  /** When no foreign address can be left of the last leadership, by what we saw of it. */
  #freeAtMs(election: Election): number {
    if (election.epoch === 0 || this.#formerly(election)) return 0
    const resigned = election.key !== null && election.key.holder === null
    if (!resigned) return this.#renewalSeenMs + this.#timings.addressLifeMs
    const forAnother = election.key!.nominee !== null && election.key!.nominee !== this.#host
    return this.#changeSeenMs + (forAnother ? this.#timings.nomineeMs : 0)
  }

  /** Whether the key is this very host's, of an earlier life of this module or for it: then no foreign address is in the way. */
  #formerly({ key }: Election): boolean {
    return key !== null && (key.holder === this.#host || (key.holder === null && key.nominee === this.#host))
  }

  #place(raftLeader: string): number {
    return this.#voters.filter((voter) => voter !== raftLeader).indexOf(this.#host)
  }

  #take(election: Election): void {
    const sentAtMs = this.#env.monotonicMs()
    // Now, since our own key may be seen before the answer comes.
    const reason = reasonOf(election, this.#host, this.#lastHolder)
    this.#state = { is: 'taking' }
    this.#port.take({ keyRevision: election.key?.revision ?? 0, epoch: election.epoch }, (outcome) => {
      if (this.#state.is !== 'taking') return
      this.#state = { is: 'idle' }
      const now = this.#env.monotonicMs()
      const confirmedUntilMs = sentAtMs + this.#timings.leaseMs
      if (outcome.type !== 'won' || !this.#running || now >= confirmedUntilMs) {
        if (this.#running) this.#ring(this.#timings.retryMs)
        return
      }
      this.#lead(outcome.term, confirmedUntilMs, reason)
      this.#confirm(outcome.term, sentAtMs)
    })
  }

  #lead(term: Term, confirmedUntilMs: number, reason: string): void {
    this.#alarm?.[Symbol.dispose]()
    this.#state = { is: 'leader', term, confirmedUntilMs, requests: 0 }
    this.#raftElsewhereSinceMs = null
    this.#expectConfirmation()
    this.#renewLater(this.#timings.renewEveryMs)
    this.#port.changed({ leading: true, term, reason })
  }

  #renewLater(delayMs: number): void {
    this.#renewal?.[Symbol.dispose]()
    this.#renewal = this.#env.after(Math.max(0, delayMs), () => this.#renew())
  }

  #renew(): void {
    const state = this.#state
    if (state.is !== 'leader') return
    const sentAtMs = this.#env.monotonicMs()
    if (sentAtMs >= state.confirmedUntilMs) return this.#stepDown('it could not be confirmed in time')
    this.#renewLater(this.#timings.renewEveryMs)
    // A store that stands still must not collect requests without end.
    if (state.requests >= 4) return
    state.requests++
    this.#port.renew(state.term, (outcome) => {
      if (this.#state.is !== 'leader' || this.#state.term !== state.term) return
      this.#state.requests--
      if (outcome === 'refused') this.#stepDown('its key is gone')
      else if (outcome === 'done') this.#confirm(state.term, sentAtMs)
    })
  }

  /** A request sent at `sentAtMs` was committed under our epoch. */
  #confirm(term: Term, sentAtMs: number): void {
    const state = this.#state
    if (state.is !== 'leader' || state.term !== term) return
    const now = this.#env.monotonicMs()
    if (now >= Math.max(state.confirmedUntilMs, sentAtMs + this.#timings.leaseMs)) return this.#stepDown('it could not be confirmed in time')
    state.confirmedUntilMs = Math.max(state.confirmedUntilMs, sentAtMs + this.#timings.leaseMs)
    if (now - sentAtMs > this.#timings.answerLimitMs) return
    if (!this.#port.holdAddress()) this.resign('the cluster address cannot be added')
  }

  /** Looks when confirmation is due; steps down if it did not come. */
  #expectConfirmation(): void {
    if (this.#state.is !== 'leader') return
    const remainingMs = this.#state.confirmedUntilMs - this.#env.monotonicMs()
    if (remainingMs <= 0) return this.#stepDown('it could not be confirmed in time')
    this.#alarm = this.#env.after(remainingMs, () => this.#expectConfirmation())
  }

  #stepDown(reason: string): void {
    if (this.#state.is !== 'leader') return
    const { term } = this.#state
    this.#stop()
    this.#port.dropAddress()
    this.#port.changed({ leading: false, term, reason })
    // Our own key must not look like an earlier life's: others may hold the address by the time we could take it again.
    this.#renewalSeenMs = this.#env.monotonicMs()
    this.#ring(this.#timings.retryMs)
  }

  #stop(): void {
    this.#alarm?.[Symbol.dispose]()
    this.#renewal?.[Symbol.dispose]()
    this.#alarm = this.#renewal = null
    this.#state = { is: 'idle' }
  }

  #ring(delayMs: number): void {
    this.#alarm?.[Symbol.dispose]()
    this.#alarm = this.#env.after(delayMs, () => this.#consider())
  }
}

function reasonOf({ key, epoch }: Election, host: string, lastHolder: string | null): string {
  if (epoch === 0) return 'it is the first'
  if (key?.holder === host) return 'it led before and lost touch'
  return key && key.holder === null ? 'it was given up' : `${lastHolder ?? 'the last leader'} fell silent`
}
