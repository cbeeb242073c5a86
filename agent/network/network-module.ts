import { readFileSync } from 'node:fs'
import type { Drops, Failover, HostPlacement } from '../../core/contract/agent/network.ts'
import type { Env } from '../../core/env.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Forwarding, VirtualNetwork } from '../../core/model/network.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import { electionDocSchema, keys } from '../cluster/documents.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Handover } from '../runtime/module.ts'
import { EndpointMemory } from '../store/endpoint-memory.ts'
import { EtcdGateway } from '../store/etcd-gateway.ts'
import { Follower } from '../store/follower.ts'
import { Store } from '../store/store.ts'
import { joinDocSchema } from '../supervisor/enrolment.ts'
import { Desired } from './desired.ts'
import { networkKeys } from './documents.ts'
import { readDrops } from './drops.ts'
import { BroadcastPart } from './broadcast-part.ts'
import { Probe } from './probe.ts'
import { reportVips } from './vip-report.ts'
import { handoverMs, reportNetwork, withdrawNetwork } from './reports.ts'
import { Forwarder } from './forwarder.ts'

/** Flows, guests and the switch are looked at again this often, whatever nobody said. */
const verifyMs = 5000

export interface NetworkModuleOptions {
  env: Env
  logger: Logger
  log: ObjectLog
  events: EventLog
  config: AgentConfig
  paths: AgentPaths
}

/** The module: makes this host forward as the virtual network in the store says, and tells what is in place. */
export class NetworkModule {
  readonly #options: NetworkModuleOptions
  readonly #store: Store
  readonly #gateway: EtcdGateway
  readonly #desired: Desired
  readonly #forwarder: Forwarder
  readonly #broadcast: BroadcastPart
  readonly probe: Probe
  #leader: string | null = null
  #active = false
  #withdrawing: Disposable | null = null
  /** What was last written to the store of this host, to write only what is new. */
  #told = ''

  constructor(options: NetworkModuleOptions) {
    this.#options = options
    const { env, logger, paths } = options
    const initial = joinDocSchema.parse(JSON.parse(readFileSync(paths.join, 'utf8'))).storeEndpoints
    this.#gateway = new EtcdGateway(paths.pki, new EndpointMemory(paths, initial).known)
    this.#store = new Store(this.#gateway)
    const endpoints = (): readonly string[] => this.#gateway.endpoints
    this.#desired = new Desired({ logger, store: this.#store, endpoints, onChange: () => this.#changed() })
    this.#forwarder = new Forwarder({
      ...options,
      onForwarding: (forwarding) => this.#placed(forwarding),
      onPlaced: (place) => this.#broadcast.place(place),
    })
    this.#broadcast = new BroadcastPart({
      ...{ ...options, store: this.#store, desired: this.#desired, virtualSwitch: this.#forwarder.switch, onSeen: () => this.#changed() },
      leads: () => this.#leader === options.config.host,
    })
    this.probe = new Probe(this.#forwarder, options.config, paths)
    new Follower({
      logger,
      store: this.#store,
      prefix: keys.election,
      endpoints,
      onAll: (items) => this.#sawElection(items[0]?.value),
      onChange: (changes) => this.#sawElection(changes.at(-1)?.value),
    })
    env.every(verifyMs, () => {
      this.#gateway.setEndpoints(new EndpointMemory(paths, initial).known)
      this.#changed()
      if (this.#active) this.#forwarder.verifyInTurn()
    })
  }

  /** Why it cannot do its work; null when it can. */
  ails(): string | null {
    return this.#desired.ready ? this.#forwarder.ails : 'the store has not been read yet'
  }

  activate(): Promise<void> {
    this.#active = true
    this.#forwarder.start()
    this.#broadcast.start()
    this.#changed()
    this.probe.removeLeftovers().catch((cause: unknown) => this.#options.logger.warn('what taps left behind is still there', { cause }))
    return Promise.resolve()
  }

  /** Flows, guests and the switch stay as they are. */
  async release(): Promise<Handover> {
    this.#active = false
    await this.#forwarder.stop()
    this.#broadcast.stop()
    return {}
  }

  current(): { revision: number; network: VirtualNetwork } {
    this.#mustBeReady()
    return { revision: this.#desired.revision, network: this.#desired.network }
  }

  async apply(declaration: string, { prune, revision }: { prune: boolean; revision?: number | undefined }) {
    this.#mustBeReady()
    const hosts = async (): Promise<string[]> => (await this.#store.list(keys.hosts)).items.map(({ key }) => key.slice(keys.hosts.length))
    return await this.#desired.apply(declaration, { prune, revision, hosts })
  }

  /** Hosts with ports, and what each has in place; waits until all have `revision`, at most `waitMs`. */
  async placement(revision: number, waitMs: number): Promise<HostPlacement[]> {
    this.#mustBeReady()
    const endMs = this.#options.env.monotonicMs() + waitMs
    for (;;) {
      const foreign = new Set(this.#desired.network.hosts.filter(({ tunnelEnd }) => tunnelEnd).map(({ name }) => name))
      const names = [...new Set(this.#desired.network.ports.map((port) => port.host))].filter((name) => !foreign.has(name)).sort()
      const hosts = names.map((host): HostPlacement => ({ host, ...(this.#desired.placed.get(host) ?? { revision: null, problems: [] }) }))
      const remainingMs = endMs - this.#options.env.monotonicMs()
      const all = this.#desired.revision >= revision && hosts.every((host) => host.revision !== null && host.revision >= revision)
      if (all || remainingMs <= 0) return hosts
      await this.#desired.changed(remainingMs)
    }
  }

  async failover(): Promise<Failover> {
    const { outageMs, connectionsCut, way } = await this.#forwarder.switch.failover()
    return { outageMs, connectionsCut, way }
  }

  drops(): Promise<Drops> {
    return readDrops(this.#forwarder.switch, this.#desired.network)
  }

  #mustBeReady(): void {
    if (this.#desired.unreadable !== null) throw new HoldfastError('internal', this.#desired.unreadable, 'Upgrade this host’s agent.')
    if (!this.#desired.ready) throw new HoldfastError('quorum-lost', 'The store has not been read yet', 'Try again in a few seconds.')
  }

  #changed(): void {
    if (!this.#desired.ready || !this.#active) return
    const { network, revision, ends } = this.#desired
    const { owners } = this.#broadcast
    this.#forwarder.want({ network, revision, ends, owners })
    // Flows first.
    this.#options.env.after(0, () => this.#report())
  }

  #placed(forwarding: Forwarding): void {
    const { log, config } = this.#options
    log.put({ kind: 'forwarding', id: config.host, doc: forwarding })
    this.#tell(forwarding).catch((cause: unknown) => this.#options.logger.warn('the store was not told what is in place', { cause }))
  }

  /** Tells the others where tunnels end here, and what is in place. */
  async #tell({ revision, problems, tunnelEnd }: Forwarding): Promise<void> {
    const { host } = this.#options.config
    const writes = [
      { put: networkKeys.end(host), value: tunnelEnd },
      { put: networkKeys.placed(host), value: { revision, problems } },
    ]
    const text = JSON.stringify(writes)
    if (text === this.#told) return
    const end = this.#desired.ends.get(host)
    const same = end?.ip === tunnelEnd.ip && end.mac === tunnelEnd.mac
    await this.#store.change([], same ? writes.slice(1) : writes)
    this.#told = text
  }

  #sawElection(value: unknown): void {
    this.#leader = electionDocSchema.safeParse(value).data?.host ?? null
    this.#report()
  }

  /** The host that leads the cluster reports the virtual network; one that led before takes its reports back after a while. */
  #report(): void {
    const { env, log, config } = this.#options
    if (!this.#desired.ready || this.#leader === null) return
    if (this.#leader === config.host) {
      this.#withdrawing?.[Symbol.dispose]()
      this.#withdrawing = null
      reportNetwork(log, this.#desired.network, this.#desired.revision)
      reportVips(log, this.#desired, env.wallMs())
    } else if (!this.#withdrawing && [...log.list('overlay')].length > 0) {
      this.#withdrawing = env.after(handoverMs, () => {
        this.#withdrawing = null
        if (this.#leader !== config.host) withdrawNetwork(log)
      })
    }
  }
}
