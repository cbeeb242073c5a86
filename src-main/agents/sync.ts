import type { HoldfastError } from '../../core/errors.ts'
import { moduleNames } from '../../core/model/module.ts'
import type { Source } from '../../core/status/freshness.ts'
import type { SourceName } from '../inventory/apply.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { mergeReports } from '../inventory/merge.ts'
import { Backoff } from './backoff.ts'
import type { Dial } from './module-link.ts'
import { ModuleReader } from './module-reader.ts'
import { pause } from './wait.ts'

/** Parts of every agent that report documents. */
export const sourceModules = ['supervisor', ...moduleNames] as const

const longestWaitMs = 3000
const saveSeenPeriodMs = 2000
/** Changes of hosts that come close together are looked at together; for as long as ten looks take, so that looking never fills the day. */
const reconcileDelayMs = { min: 50, max: 2000 }
/** A host's clock that is off by more than this is worth a word. */
export const maxSkewMs = 60_000

export interface SyncOptions {
  inventory: Inventory
  context: string
  /** `host:port` of agents to begin with. Hosts of the cluster are learned from them, with their ports where they tell them. */
  endpoints: readonly string[]
  dial: Dial
  /** Also fetch samples and stay; false for a look. */
  samples: boolean
  /** Called when a host cannot be reached or is lost, and with null when it answers again. */
  onFailure?: (source: SourceName, error: HoldfastError | null) => void
  /** Called when a host's clock goes wrong (how far off, in milliseconds) and with null when it is right again. */
  onSkew?: (host: string, skewMs: number | null) => void
}

interface HostLinks {
  endpoint: string
  readers: ModuleReader[]
}

/**
 * Keeps the inventory of one context as its agents are: one reader for each module of each host. Hosts are learned from the cluster's own
 * documents; one that left the cluster is forgotten. Nothing is loaded anew that did not change, whatever happened in between.
 */
export class Sync implements AsyncDisposable {
  readonly #options: SyncOptions
  readonly #hosts = new Map<string, HostLinks>()
  readonly #seeds: { failed: boolean; answered: boolean }[] = []
  readonly #stop = new AbortController()
  readonly #failing = new Set<string>()
  readonly #skewed = new Set<string>()
  readonly #stored = new Map<string, number>()
  readonly #timers: NodeJS.Timeout[] = []
  readonly #changes: Disposable
  readonly #background = new Set<Promise<void>>()
  #reconciling: NodeJS.Timeout | undefined
  #reconcileMs = 0
  #looks = 0
  #lastTickMs = Date.now()
  #savedAtMs = 0
  #ready = false

  constructor(options: SyncOptions) {
    this.#options = options
    this.#changes = options.inventory.onChange(({ context, puts, dels }) => {
      const concernsHosts = ({ kind }: { kind: string }) => kind === 'host' || kind === 'cluster'
      if (context === options.context && (puts.some(concernsHosts) || dels.some(concernsHosts))) this.#reconcileSoon()
    })
    this.#timers.push(setInterval(() => this.#tick(), saveSeenPeriodMs))
    this.#inBackground(this.#start())
  }

  /** How each source stands. Those that were heard before but are not read now count as not connected. */
  sources(): Source[] {
    const found = new Map<string, Source>()
    for (const [key, seenAtMs] of this.#stored) {
      const [host = '', module = ''] = key.split('/')
      found.set(key, { host, module, connected: false, seenAtMs, remembered: true })
    }
    for (const { source, connected, seenAtMs } of this.#readers()) {
      const { host, module } = source
      const key = `${host}/${module}`
      if (seenAtMs !== null || !found.has(key)) found.set(key, { host, module, connected, seenAtMs })
    }
    return [...found.values()]
  }

  /** Resolves when each source has answered or failed since the beginning, or after some time. */
  async settled(withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs
    while (performance.now() < untilMs && !this.#stop.signal.aborted && !this.#isSettled()) await pause(20, this.#stop.signal)
  }

  #isSettled(): boolean {
    if (!this.#ready || this.#reconciling || this.#looks > 0) return false
    const tried = this.#seeds.every(({ failed, answered }) => failed || answered)
    return tried && this.#readers().every(({ seenAtMs, failures }) => seenAtMs !== null || failures > 0)
  }

  /** Drops all connections and makes them again at once, as after sleep or a change of network. */
  kick(): void {
    for (const reader of this.#readers()) reader.kick()
  }

  #readers(): ModuleReader[] {
    return [...this.#hosts.values()].flatMap(({ readers }) => readers)
  }

  async #start(): Promise<void> {
    const { inventory, context, endpoints } = this.#options
    for (const { host, module, seenAtMs } of await inventory.sources(context)) if (seenAtMs !== null) this.#stored.set(`${host}/${module}`, seenAtMs)
    await this.#reconcile()
    const known = new Set([...this.#hosts.values()].map(({ endpoint }) => endpoint))
    for (const endpoint of endpoints) if (!known.has(endpoint)) this.#inBackground(this.#seed(endpoint))
    this.#ready = true
  }

  /** Asks at an address that no known host has who answers there, until somebody does or a host of that address becomes known. */
  async #seed(endpoint: string): Promise<void> {
    const seed = { failed: false, answered: false }
    this.#seeds.push(seed)
    const backoff = new Backoff(() => longestWaitMs)
    const { signal } = this.#stop
    while (!signal.aborted && ![...this.#hosts.values()].some((links) => links.endpoint === endpoint)) {
      try {
        using link = await this.#options.dial({ endpoint, host: null, module: 'cluster' }, signal)
        this.#foundAt(link.host, endpoint)
        seed.answered = true
        return
      } catch (error) {
        seed.failed = true
        if (!signal.aborted) this.#failed({ context: this.#options.context, host: endpoint, module: 'cluster' }, error as HoldfastError)
      }
      await pause(backoff.nextMs(), signal)
    }
    seed.answered = true
  }

  /** A host answers at this address. What we remember of it may be older: a cluster of the same name made anew has its hosts elsewhere. */
  #foundAt(host: string, endpoint: string): void {
    const links = this.#hosts.get(host)
    if (!links) return this.#add(host, endpoint)
    if (links.readers.some(({ connected }) => connected)) return
    links.endpoint = endpoint
    for (const reader of links.readers) reader.kick()
  }

  #add(host: string, endpoint: string): void {
    const { inventory, context, dial, samples } = this.#options
    const links: HostLinks = { endpoint, readers: [] }
    this.#hosts.set(host, links)
    links.readers = sourceModules.map(
      (module) =>
        new ModuleReader({
          source: { context, host, module },
          endpoint: () => links.endpoint,
          inventory,
          dial,
          samples: samples && module === 'monitor',
          // A thousand hosts that are off must not keep the laptop busy.
          maxWaitMs: () => Math.max(longestWaitMs, this.#hosts.size * 15),
          onFrame: (source, hostMs) => this.#heard(source, hostMs),
          onFailure: (source, error) => this.#failed(source, error),
        }),
    )
  }

  #reconcileSoon(): void {
    const { min, max } = reconcileDelayMs
    this.#reconciling ??= setTimeout(
      () => {
        // From here on a change asks for another look.
        this.#reconciling = undefined
        this.#looks++
        this.#inBackground(this.#reconcile().finally(() => this.#looks--))
      },
      Math.min(max, Math.max(min, this.#reconcileMs * 10)),
    )
  }

  /** Makes links to the hosts that the cluster has, and ends those to hosts that it no longer has. */
  async #reconcile(): Promise<void> {
    const { inventory, context, endpoints } = this.#options
    const startMs = performance.now()
    const reports = await inventory.reports(context, { only: ['host', 'cluster'] })
    if (this.#stop.signal.aborted) return
    this.#reconcileMs = performance.now() - startMs
    const merged = mergeReports(reports, this.sources(), Date.now())
    const port = endpoints[0]?.split(':').at(-1) ?? '7443'
    const hosts = new Map<string, string>()
    for (const { kind, id, doc } of merged) {
      const mgmt = (doc.addresses as Record<string, unknown> | undefined)?.mgmt
      if (kind === 'host' && typeof mgmt === 'string') hosts.set(id, `${mgmt}:${Number(doc.apiPort) || port}`)
    }
    for (const [host, endpoint] of hosts) {
      const links = this.#hosts.get(host)
      if (!links) this.#add(host, endpoint)
      else if (links.endpoint !== endpoint) {
        links.endpoint = endpoint
        for (const reader of links.readers) reader.kick()
      }
    }
    if (!this.#isAuthoritative(merged)) return
    for (const [host, { readers }] of this.#hosts) {
      if (hosts.has(host)) continue
      this.#hosts.delete(host)
      for (const module of sourceModules) this.#stored.delete(`${host}/${module}`)
      this.#inBackground(Promise.all(readers.map((reader) => reader[Symbol.asyncDispose]())).then(() => inventory.forgetHost(context, host)))
    }
  }

  /** Whether the list of hosts comes from an agent that is connected and reaches a majority: only then a host that it lacks is gone. */
  #isAuthoritative(merged: { kind: string; reporter: string; doc: Record<string, unknown> }[]): boolean {
    const reporter = merged.find(({ kind }) => kind === 'host')?.reporter
    const cluster = merged.find(({ kind }) => kind === 'cluster')
    const reader = this.#hosts.get(reporter ?? '')?.readers.find(({ source }) => source.module === 'cluster')
    return reader?.connected === true && cluster?.doc.quorum === true
  }

  #heard(source: SourceName, hostMs: number): void {
    if (this.#failing.delete(`${source.host}/${source.module}`)) this.#options.onFailure?.(source, null)
    const skewMs = hostMs - Date.now()
    const wrong = Math.abs(skewMs) > maxSkewMs
    if (wrong === this.#skewed.has(source.host)) return
    if (wrong) this.#skewed.add(source.host)
    else this.#skewed.delete(source.host)
    this.#options.onSkew?.(source.host, wrong ? skewMs : null)
  }

  #failed(source: SourceName, error: HoldfastError): void {
    this.#failing.add(`${source.host}/${source.module}`)
    this.#options.onFailure?.(source, error)
  }

  #tick(): void {
    const nowMs = Date.now()
    // Timers stand still while the laptop sleeps; its wall clock does not.
    if (Math.abs(nowMs - this.#lastTickMs - saveSeenPeriodMs) > 3000) this.kick()
    this.#lastTickMs = nowMs
    this.#inBackground(this.#saveSeen())
  }

  async #saveSeen(): Promise<void> {
    const since = this.#savedAtMs
    this.#savedAtMs = Date.now()
    const seen = this.#readers().flatMap(({ source, seenAtMs }) => (seenAtMs !== null && seenAtMs >= since ? [{ ...source, seenAtMs }] : []))
    await this.#options.inventory.saveSeen(seen)
  }

  /** Work that nobody awaits. What goes wrong in it is tried again by the next change or tick. */
  #inBackground(work: Promise<unknown>): void {
    const tracked = work.then(
      () => {},
      () => {},
    )
    this.#background.add(tracked)
    void tracked.finally(() => this.#background.delete(tracked))
  }

  /** Ends all connections and notes when each source was last heard. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#changes[Symbol.dispose]()
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#reconciling)
    await Promise.all(this.#readers().map((reader) => reader[Symbol.asyncDispose]()))
    await Promise.all(this.#background)
    await this.#saveSeen().catch(() => {})
  }
}
