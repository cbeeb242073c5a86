import {
  HeartbeatReceiver,
  HeartbeatSender,
  heartbeatPeriodMs,
  type Reception,
  type SealerFor,
  type SenderState,
} from '../../core/cluster/heartbeat.ts'
import { watchPlan, type PlanHost } from '../../core/cluster/watch-plan.ts'
import { PathWatcher, type PathChange } from '../../core/cluster/watcher.ts'
import type { Env } from '../../core/env.ts'
import { planes, type Plane } from '../../core/model/common.ts'
import type { AgentConfig } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { HostDoc } from './documents.ts'
import { PlaneSocket, targetOf, type Target } from './plane-socket.ts'

/** How often a plane whose address is not there (yet, or any more) is tried again. */
const rebindMs = 2000
/** No more than this is read from a plane at once: a flood costs datagrams, not the process. 50 hosts send 5. */
const datagramsPerBeat = 128
/** Link or route is down for now (ENETDOWN, ENETUNREACH, ECONNREFUSED, EHOSTUNREACH); the socket stays good. */
const transientErrnos = new Set([100, 101, 111, 113])
/** Wall clocks of a peer are compared over this many heartbeats; the one least delayed tells the difference. */
const clockSamples = 30

export interface HeartbeatsOptions {
  env: Env
  logger: Logger
  config: AgentConfig
  sealerFor: SealerFor
  /** Highest boot known of each peer from before this start. */
  knownBoots: Record<string, number>
  flags(): number
  onChanges(changes: PathChange[]): void
  /** A peer's flags changed, or a peer began a new boot. */
  onPeer(): void
}

interface PeerNews {
  flags: number
  /** Peer's wall clock minus ours, one a heartbeat. */
  offsetsMs: number[]
}

/** Sends this host's heartbeats on every plane and listens to its peers'. One timer for all. */
export class Heartbeats {
  readonly #options: HeartbeatsOptions
  readonly receiver: HeartbeatReceiver
  readonly watcher: PathWatcher
  readonly #sockets = new Map<Plane, PlaneSocket>()
  readonly #news = new Map<string, PeerNews>()
  #hosts: ReadonlyMap<string, HostDoc> = new Map()
  readonly #targets = new Map<Plane, Target[]>()
  /** Planes that could not be used at the last try; said once. */
  readonly #missing = new Set<Plane>()
  #sender: HeartbeatSender | null = null
  #timer: Disposable | null = null
  #rebindAtMs = 0

  constructor(options: HeartbeatsOptions) {
    this.#options = options
    this.receiver = new HeartbeatReceiver(options.sealerFor)
    this.watcher = new PathWatcher(options.env)
  }

  /** Begins to send, in the boot and from the sequences given, and to listen. `incarnation` is set when the host's document is known. */
  start(state: SenderState, incarnation: string): void {
    const { env, config, sealerFor } = this.#options
    this.#sender = new HeartbeatSender({ host: config.host, incarnation, sealerFor, state })
    this.#bind()
    this.#timer = env.every(heartbeatPeriodMs, () => this.#beat())
    this.#beat()
  }

  /** Stops, and answers where the sender stands; null when it never started. */
  stop(): SenderState | null {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
    for (const plane of planes) this.#drop(plane)
    const state = this.#sender?.state ?? null
    this.#sender = null
    return state
  }

  get running(): boolean {
    return this.#sender !== null
  }

  setHosts(hosts: readonly HostDoc[]): void {
    const self = this.#options.config.host
    const plan = watchPlan(
      self,
      hosts.map((host): PlanHost => ({ name: host.name, planes: planes.filter((plane) => host.addresses[plane] !== undefined) })),
    )
    const byName = new Map(hosts.map((host) => [host.name, host]))
    this.#hosts = byName
    this.#targets.clear()
    for (const { peer, plane } of plan.send) {
      const host = byName.get(peer)!
      this.#targets.set(plane, [...(this.#targets.get(plane) ?? []), targetOf(host.addresses[plane]!, host.heartbeatPort)])
    }
    this.receiver.setPeers(new Map(hosts.filter((host) => host.name !== self).map((host) => [host.name, host.incarnation])), this.#options.knownBoots)
    this.watcher.setPaths(plan.watch)
    for (const name of this.#news.keys()) if (!byName.has(name)) this.#news.delete(name)
  }

  /** What a peer last said of itself; 0 when it is not heard. */
  flagsOf(peer: string): number {
    return this.heard(peer) ? (this.#news.get(peer)?.flags ?? 0) : 0
  }

  /** Whether a peer is heard on any plane. */
  heard(peer: string): boolean {
    return planes.some((plane) => this.watcher.state(peer, plane) === 'up')
  }

  /** Whether this host watches a peer at all. */
  watches(peer: string): boolean {
    return this.watcher.list().some((path) => path.peer === peer)
  }

  /** Peer's wall clock minus ours in ms; null while too little was heard. Right to the shortest delay on the way. */
  clockOffsetMs(peer: string): number | null {
    const offsets = this.#news.get(peer)?.offsetsMs ?? []
    return offsets.length < clockSamples ? null : Math.max(...offsets)
  }

  #beat(): void {
    const { env, logger, flags, onChanges } = this.#options
    const now = env.monotonicMs()
    if (now >= this.#rebindAtMs) this.#bind()
    // What came while we stood still is heard before anyone is judged.
    for (const [plane, socket] of this.#sockets) {
      const errno = socket.receive(datagramsPerBeat, (bytes, from) => this.#receive(bytes, from, plane))
      if (errno === 0 || transientErrnos.has(errno)) continue
      logger.warn('a plane’s socket is opened anew', { plane, errno })
      this.#drop(plane)
    }
    const changes = this.watcher.check()
    if (changes.length > 0) onChanges(changes)
    const wallMs = env.wallMs()
    const bits = flags()
    for (const [plane, socket] of this.#sockets) {
      const bytes = this.#sender!.next(plane, wallMs, bits)
      // What cannot be sent is not heard, which is how it shows.
      for (const target of this.#targets.get(plane) ?? []) socket.send(bytes, target)
    }
  }

  /** Opens the sockets of planes that have none; a plane whose address is missing is tried again later. */
  #bind(): void {
    const { env, config, logger } = this.#options
    this.#rebindAtMs = env.monotonicMs() + rebindMs
    for (const plane of planes) {
      const address = config.addresses[plane]
      const nic = config.nics[plane]
      if (address === undefined || nic === undefined || this.#sockets.has(plane)) continue
      try {
        this.#sockets.set(plane, new PlaneSocket({ nic, address, port: config.heartbeatPort }))
        this.#missing.delete(plane)
      } catch (cause) {
        if (!this.#missing.has(plane)) logger.warn('heartbeats cannot use a plane; it is tried again', { plane, address, cause })
        this.#missing.add(plane)
      }
    }
  }

  #drop(plane: Plane): void {
    this.#sockets.get(plane)?.[Symbol.dispose]()
    this.#sockets.delete(plane)
  }

  #receive(bytes: Uint8Array, from: string, plane: Plane): void {
    const { env, onChanges, onPeer } = this.#options
    const reception: Reception = this.receiver.receive(bytes, plane)
    if (reception.type !== 'heard') return
    const host = this.#hosts.get(reception.from)
    // Genuine, but not by the way that it stands for.
    if (host?.addresses[plane] !== from) return
    const news = this.#news.get(reception.from) ?? { flags: -1, offsetsMs: [] }
    this.#news.set(reception.from, news)
    news.offsetsMs.push(reception.wallMs - env.wallMs())
    if (news.offsetsMs.length > clockSamples) news.offsetsMs.shift()
    if (news.flags !== reception.flags || reception.newBoot) {
      news.flags = reception.flags
      onPeer()
    }
    const change = this.watcher.heard(reception.from, plane)
    if (change) onChanges([change])
  }
}
