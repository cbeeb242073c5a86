import { leaderTimings, type LeaderTimings } from '../cluster/leadership.ts'
import type { Plane } from '../model/common.ts'
import { ClusterChecker } from './checker.ts'
import { World } from './env.ts'
import { SimHost, type SimSurroundings } from './host.ts'
import { SimNetwork } from './network.ts'
import { SimStore } from './store.ts'

export interface SimClusterOptions {
  seed: number
  hosts: number
  heartbeats?: boolean
  /** Wrong timings, which the checker must catch. */
  timings?: LeaderTimings
  /** Called with each line of the log, begun with the virtual time. */
  log?: (line: string) => void
}

/** Heartbeats that an attacker on the wire keeps of each host, to send them again. */
const recorded = 60

/** A cluster in virtual time, with the faults that the lab knows and some that it cannot make. */
export class SimCluster {
  readonly world: World
  readonly network: SimNetwork
  readonly store: SimStore
  readonly hosts = new Map<string, SimHost>()
  readonly checker: ClusterChecker
  readonly #log: (line: string) => void
  readonly #wire = new Map<string, { plane: Plane; bytes: Uint8Array }[]>()
  #quorumSince: boolean | null = null

  constructor(options: SimClusterOptions) {
    this.world = new World(options.seed)
    this.network = new SimNetwork(this.world)
    this.#log = options.log ?? (() => {})
    const names = Array.from({ length: options.hosts }, (_, index) => `h${index + 1}`)
    const note = (line: string) => this.note(line)
    this.store = new SimStore({ world: this.world, network: this.network, hosts: names, note })
    this.checker = new ClusterChecker(this)
    const around: SimSurroundings = {
      world: this.world,
      network: this.network,
      store: this.store,
      hosts: names,
      heartbeats: options.heartbeats ?? false,
      timings: options.timings ?? leaderTimings,
      note,
      addressChanged: () => this.checker.check(),
      leadingChanged: (host, leading, term) => this.checker.leadingChanged(host, leading, term),
      deliver: (to, plane, bytes) => this.#deliver(to, plane, bytes),
    }
    for (const name of names) this.hosts.set(name, new SimHost(name, around))
    for (const host of this.hosts.values()) host.startAgent()
    this.#watchQuorum()
  }

  note(line: string): void {
    this.#log(`${(this.world.nowMs / 1000).toFixed(3).padStart(8)} ${line}`)
  }

  /** The host that holds the address; `h1` while nobody does. */
  get leader(): string {
    return [...this.hosts.values()].find((host) => host.holdsAddress)?.name ?? 'h1'
  }

  host(name: string): SimHost {
    const host = this.hosts.get(name)
    if (!host) throw new Error(`there is no host ${name}`)
    return host
  }

  runFor(durationMs: number): void {
    const endMs = this.world.nowMs + durationMs
    // In steps, so that what holds at every instant is looked at between changes, too.
    while (this.world.nowMs < endMs) {
      this.world.runUntil(Math.min(endMs, this.world.nowMs + 50))
      this.checker.check()
    }
  }

  powerOff(name: string): void {
    this.network.setLink(name, 'all', false)
    this.host(name).powerOff()
  }

  powerOn(name: string): void {
    this.network.setLink(name, 'all', true)
    this.host(name).powerOn()
  }

  /** A machine that stands still: its processes are frozen, its NICs cut. */
  pause(name: string): void {
    this.network.setLink(name, 'all', false)
    this.store.freeze(name)
    this.host(name).freezeAgent()
  }

  /** Undoes `pause` and `hang-agent`. */
  resume(name: string): void {
    this.network.setLink(name, 'all', true)
    this.store.thaw(name)
    this.host(name).thawAgent()
  }

  /** Sends what the wire recorded of a host's heartbeats once more to everybody. */
  replay(name: string): void {
    for (const { plane, bytes } of this.#wire.get(name) ?? [])
      for (const host of this.hosts.values()) if (host.name !== name) host.receive(plane, bytes)
  }

  #deliver(to: string, plane: Plane, bytes: Uint8Array): void {
    const name = new TextDecoder().decode(bytes.subarray(22, 22 + bytes[21]!))
    const wire = this.#wire.get(name) ?? []
    wire.push({ plane, bytes })
    if (wire.length > recorded) wire.shift()
    this.#wire.set(name, wire)
    this.host(to).receive(plane, bytes)
  }

  /** Notes when the store begins and ceases to have a majority. */
  #watchQuorum(): void {
    const quorum = this.store.raftLeader !== null
    if (quorum !== this.#quorumSince && this.#quorumSince !== null) this.note(quorum ? 'store: quorum' : 'store: no quorum')
    this.#quorumSince = quorum
    this.world.after(10, () => this.#watchQuorum())
  }
}
