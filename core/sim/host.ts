import { HeartbeatReceiver, HeartbeatSender, type SenderState } from '../cluster/heartbeat.ts'
import { Leadership, leaderTimings, type LeaderTimings, type LeadershipPort, type Term } from '../cluster/leadership.ts'
import { watchPlan, type PlanHost } from '../cluster/watch-plan.ts'
import { PathWatcher, watchTimings, type PathChange } from '../cluster/watcher.ts'
import { planes, type Plane } from '../model/common.ts'
import { createSealerFor } from './check-sum.ts'
import { ProcessEnv, type World } from './env.ts'
import type { SimNetwork } from './network.ts'
import type { SimStore } from './store.ts'

/** What a host needs of the world it is in. */
export interface SimSurroundings {
  world: World
  network: SimNetwork
  store: SimStore
  hosts: readonly string[]
  /** Whether hosts send heartbeats; proofs of leadership alone go without. */
  heartbeats: boolean
  timings: LeaderTimings
  note(line: string): void
  /** The kernel of a host holds the cluster address, or no longer does. */
  addressChanged(host: string, held: boolean): void
  leadingChanged(host: string, leading: boolean, term: Term): void
  /** Hands a datagram to a host's kernel. */
  deliver(to: string, plane: Plane, bytes: Uint8Array): void
}

/** One host: a kernel with the cluster address, a store member, and the agent's cluster module. */
export class SimHost {
  readonly name: string
  readonly #around: SimSurroundings
  wallOffsetMs = 0
  /** Called when the agent has sent a renewal, for faults that strike at the worst moment. */
  onRenewal: (() => void) | null = null
  #bootCount = 0
  #sender: SenderState | null = null
  /** Kernel: when the address goes by itself; null when it is not there. */
  #address: Disposable | null = null
  #agent: { env: ProcessEnv; leadership: Leadership; receiver: HeartbeatReceiver; watcher: PathWatcher; watch: Disposable } | null = null

  constructor(name: string, around: SimSurroundings) {
    this.name = name
    this.#around = around
  }

  get holdsAddress(): boolean {
    return this.#address !== null
  }

  /** Whether the agent runs and takes itself for the leader. */
  get leads(): boolean {
    return this.#agent !== null && this.#agent.env.running && this.#agent.leadership.leading
  }

  /** Whether the agent runs. */
  get running(): boolean {
    return this.#agent?.env.running ?? false
  }

  startAgent(): void {
    if (this.#agent) throw new Error(`the agent of ${this.name} runs already`)
    const { world, store, hosts } = this.#around
    const env = new ProcessEnv(world, () => this.wallOffsetMs)
    const leadership = new Leadership({ env, host: this.name, port: this.#port(env), timings: this.#around.timings })
    const receiver = new HeartbeatReceiver(simSealerFor)
    const watcher = new PathWatcher(env)
    const watch = store.watch(this.name, (election, continuous) => env.run(() => leadership.see(election, continuous)))
    this.#agent = { env, leadership, receiver, watcher, watch }
    leadership.setVoters(hosts)
    leadership.start()
    env.every(1000, () => store.leaderSeenBy(this.name, (host) => env.run(() => leadership.seeRaftLeader(host))))
    if (this.#around.heartbeats) this.#beat(env, receiver, watcher)
  }

  killAgent(): void {
    this.#agent?.env.kill()
    this.#agent?.watch[Symbol.dispose]()
    this.#agent = null
  }

  freezeAgent(): void {
    this.#agent?.env.freeze()
  }

  thawAgent(): void {
    this.#agent?.env.thaw()
  }

  resign(nominee: string | null): void {
    this.#agent?.leadership.resign('an administrator asked for it', nominee)
  }

  /** Power off: the kernel forgets the address with everything else. */
  powerOff(): void {
    this.killAgent()
    this.#around.store.kill(this.name)
    this.#setAddress(null)
  }

  powerOn(): void {
    this.#around.store.restart(this.name)
    this.startAgent()
  }

  /** The kernel hands a datagram to the agent. */
  receive(plane: Plane, bytes: Uint8Array): void {
    const agent = this.#agent
    agent?.env.run(() => {
      const reception = agent.receiver.receive(bytes, plane)
      if (reception.type === 'heard') this.#report(agent.watcher.heard(reception.from, plane))
    })
  }

  /** What was refused of a peer so far, over all planes. */
  refused(peer: string): { replayed: number; forged: number } {
    const counters = planes.map((plane) => this.#agent?.receiver.counters(peer, plane))
    return {
      replayed: counters.reduce((sum, each) => sum + (each?.replayed ?? 0), 0),
      forged: counters.reduce((sum, each) => sum + (each?.forged ?? 0), 0),
    }
  }

  #beat(env: ProcessEnv, receiver: HeartbeatReceiver, watcher: PathWatcher): void {
    const { hosts, network, deliver } = this.#around
    const plan = watchPlan(
      this.name,
      hosts.map((name): PlanHost => ({ name, planes })),
    )
    watcher.setPaths(plan.watch)
    receiver.setPeers(new Map(hosts.filter((host) => host !== this.name).map((host) => [host, ''])))
    const state = { boot: ++this.#bootCount, sequences: { mgmt: 0, storage: 0, tenant: 0 } }
    const sender = new HeartbeatSender({ host: this.name, incarnation: '', sealerFor: simSealerFor, state })
    env.every(watchTimings.checkEveryMs, () => {
      for (const plane of planes) {
        const bytes = sender.next(plane, env.wallMs(), 0)
        for (const { peer } of plan.send.filter((path) => path.plane === plane))
          network.datagram(this.name, peer, plane, () => deliver(peer, plane, bytes))
      }
      this.#sender = sender.state
      for (const change of watcher.check()) this.#report(change)
    })
  }

  /** How far this host's heartbeats are; for scenarios that replay old ones. */
  get sender(): SenderState | null {
    return this.#sender
  }

  #report(change: PathChange | null): void {
    if (change && change.before !== 'unknown') this.#around.note(`${this.name} hears ${change.peer} on ${change.plane}: ${change.state}`)
  }

  #port(env: ProcessEnv): LeadershipPort {
    const { store, world, note, leadingChanged } = this.#around
    const host = this.name
    const later =
      <T>(done: (value: T) => void) =>
      (value: T) =>
        env.run(() => done(value))
    return {
      take: (basis, done) => store.take(host, basis, later(done)),
      renew: (term, done) => {
        store.renew(host, term, later(done))
        this.onRenewal?.()
      },
      resign: (term, nominee, done) => store.resign(host, term, nominee, later(done)),
      raftLeader: (done) => store.leaderSeenBy(host, later(done)),
      fetchRaftLeader: () => {
        note(`${host} fetches raft leadership`)
        store.moveRaftLeader(host)
      },
      holdAddress: () => {
        this.#setAddress(world.after(leaderTimings.leaseMs + world.between(0, 250), () => this.#setAddress(null, 'expired')))
        return true
      },
      dropAddress: () => this.#setAddress(null, 'dropped'),
      changed: ({ leading, term, reason }) => {
        note(leading ? `${host} leads (${reason})` : `${host} leads no more (${reason})`)
        leadingChanged(host, leading, term)
      },
    }
  }

  #setAddress(address: Disposable | null, how = 'gone'): void {
    const before = this.#address
    before?.[Symbol.dispose]()
    this.#address = address
    if ((before === null) === (address === null)) return
    this.#around.note(`${this.name} address ${address ? 'added' : how}`)
    this.#around.addressChanged(this.name, address !== null)
  }
}

const simSealerFor = createSealerFor()
