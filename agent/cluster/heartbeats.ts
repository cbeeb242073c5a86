import { createSocket, type Socket } from 'node:dgram'
import {
  heartbeatFlags,
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

/** How often a plane whose address is not there (yet, or any more) is tried again. */
const rebindMs = 2000
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
  readonly #sockets = new Map<Plane, Socket>()
  readonly #news = new Map<string, PeerNews>()
  #hosts: readonly HostDoc[] = []
  #targets: { plane: Plane; address: string; port: number }[] = []
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
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
    const state = this.#sender?.state ?? null
    this.#sender = null
    return state
  }

  get running(): boolean {
    return this.#sender !== null
  }

  setHosts(hosts: readonly HostDoc[]): void {
    const self = this.#options.config.host
    this.#hosts = hosts
    const plan = watchPlan(
      self,
      hosts.map((host): PlanHost => ({ name: host.name, planes: planes.filter((plane) => host.addresses[plane] !== undefined) })),
    )
    const byName = new Map(hosts.map((host) => [host.name, host]))
    this.#targets = plan.send.map(({ peer, plane }) => ({
      plane,
      address: byName.get(peer)!.addresses[plane]!,
      port: byName.get(peer)!.heartbeatPort,
    }))
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
    const { env, flags, onChanges } = this.#options
    if (env.monotonicMs() >= this.#rebindAtMs) this.#bind()
    const wallMs = env.wallMs()
    const bits = flags()
    for (const [plane, socket] of this.#sockets) {
      const bytes = this.#sender!.next(plane, wallMs, bits)
      for (const target of this.#targets) {
        // What cannot be sent is not heard, which is how it shows.
        if (target.plane === plane) socket.send(bytes, target.port, target.address, ignoreError)
      }
    }
    const changes = this.watcher.check()
    if (changes.length > 0) onChanges(changes)
  }

  /** Opens the sockets of planes that have none; a plane whose address is missing is tried again later. */
  #bind(): void {
    const { env, config, logger } = this.#options
    this.#rebindAtMs = env.monotonicMs() + rebindMs
    for (const plane of planes) {
      const address = config.addresses[plane]
      if (address === undefined || this.#sockets.has(plane)) continue
      const socket = createSocket('udp4')
      this.#sockets.set(plane, socket)
      const drop = (cause: unknown) => {
        logger.warn('heartbeats cannot use a plane', { plane, address, cause })
        if (this.#sockets.get(plane) === socket) this.#sockets.delete(plane)
        socket.close()
      }
      socket.once('error', (cause) => {
        socket.on('error', () => {})
        drop(cause)
      })
      socket.on('message', (bytes, remote) => this.#receive(bytes, remote.address, plane))
      // A heartbeat that a router passed on would say that a plane works which does not.
      socket.bind({ address, port: config.heartbeatPort, exclusive: true }, () => socket.setTTL(1))
    }
  }

  #receive(bytes: Uint8Array, from: string, plane: Plane): void {
    const { env, onChanges, onPeer } = this.#options
    const reception: Reception = this.receiver.receive(bytes, plane)
    if (reception.type !== 'heard') return
    const host = this.#hosts.find(({ name }) => name === reception.from)
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

/** Names of the bits, for whoever sets or reads them. */
export { heartbeatFlags }

const ignoreError = () => {}
