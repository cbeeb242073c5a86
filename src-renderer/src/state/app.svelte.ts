import { untrack } from 'svelte'
import { freshForMs, type ReportedEntity } from '../../../core/status/freshness.ts'
import { statusOf } from '../../../core/status/status.ts'
import { topologyOf } from '../../../core/topology/topology.ts'
import type { ContextDoc } from '../../../core/contract/desktop/context.ts'
import type { Status } from '../../../core/contract/desktop/inventory.ts'
import type { EntityKind } from '../../../core/model/entity.ts'
import type { ModuleState } from '../../../core/model/module.ts'
import { Desktop, asErrorDoc, connectorOf, type ConnectionState, type DesktopClient } from '../desktop.ts'
import { notices } from './notices.svelte.ts'
import { overlays } from './overlays.svelte.ts'
import { Inventory } from './inventory.svelte.ts'
import { navigation } from './navigation.svelte.ts'

/** Silence of every source for longer than this, in ms, is called offline. */
const lateForMs = 10_000

/** The window's state that every screen shares: the connection, the clusters known, the inventory of the current one, and the time. */
class App {
  #desktop = new Desktop(connectorOf(window))
  connection = $state<ConnectionState>('connecting')
  contexts = $state.raw<ContextDoc[]>([])
  contextsLoaded = $state(false)
  inventory = new Inventory()
  /** The laptop's wall clock, a second at a time: what ages are counted from. */
  nowMs = $state(Date.now())

  context = $derived(this.contexts.find((known) => known.current))
  /** A recording has no cluster behind it: nothing in it can be changed. */
  readOnly = $derived(this.context?.recording === true)

  status: Status = $derived(
    statusOf({
      name: this.context?.name ?? '',
      entities: this.#entities('host', 'path', 'cluster', 'module'),
      sources: this.inventory.sources,
      nowMs: this.nowMs,
    }),
  )
  topology = $derived(topologyOf({ entities: this.#entities('host', 'nic', 'neighbour'), sources: this.inventory.sources, nowMs: this.nowMs }))

  /** When anything of the cluster was heard last; null: never. */
  seenAtMs = $derived(
    this.inventory.sources.reduce<number | null>((latest, { seenAtMs }) => (seenAtMs !== null && seenAtMs > (latest ?? 0) ? seenAtMs : latest), null),
  )
  /** `live`: something answers now. `late`: nothing lately. `offline`: all on the screen is from the past. `none`: nothing was ever heard. */
  freshness: 'live' | 'late' | 'offline' | 'none' = $derived.by(() => {
    if (this.seenAtMs === null) return 'none'
    const ageMs = this.nowMs - this.seenAtMs
    return ageMs <= freshForMs ? 'live' : ageMs <= lateForMs ? 'late' : 'offline'
  })

  /** The line to the main program. Throws `offline` while it is cut. */
  get client(): DesktopClient {
    return this.#desktop.client
  }

  whileOpen(work: (client: DesktopClient, signal: AbortSignal) => Promise<void>): () => void {
    return this.#desktop.whileOpen(work)
  }

  start(): void {
    setInterval(() => (this.nowMs = Date.now()), 1000)
    this.#desktop.onState((state) => (this.connection = state))
    this.#desktop.whileOpen(async (client, signal) => {
      await this.#readContexts(client, true)
      // A locked vault is why no agent can be asked: say so before anybody wonders.
      if ((await client.context.keys()).state === 'locked') overlays.vault = true
      for await (const frame of await client.inventory.feed(undefined, { signal })) {
        this.nowMs = Date.now()
        this.inventory.apply(frame)
        // Another cluster became the current one, or the first one was made.
        if (frame.type === 'snapshot' && frame.rev > 1) await this.#readContexts(client, false)
      }
    })
    void this.#desktop.run()
  }

  /** Makes another cluster the current one; its inventory comes with the next snapshot of the feed. */
  async useContext(name: string): Promise<void> {
    const done = await this.attempt(async () => {
      await this.client.context.use({ name })
      this.inventory.clear()
    })
    const screen = { context: done ? name : (this.context?.name ?? ''), screen: 'overview' } as const
    // An address of that cluster, followed from elsewhere, stays what it was.
    if (!done || navigation.place.context !== name) navigation.go(screen)
    if (done) this.contexts = await this.client.context.list()
  }

  /** When the address names another cluster than the current one, that one is meant. The body of an effect. */
  followAddress(): void {
    const wanted = navigation.place.context
    if (wanted !== this.context?.name && this.contexts.some(({ name }) => name === wanted)) untrack(() => void this.useContext(wanted))
  }

  /** Runs an action; a failure becomes a notice with its hint. Answers whether it worked. */
  async attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action()
      return true
    } catch (thrown) {
      const error = asErrorDoc(thrown)
      if (!overlays.askIfLocked(error)) notices.error(error)
      return false
    }
  }

  /** What a module is doing, `unknown` once its agent is not heard any more. `id`: `host/name`. */
  moduleState(id: string): ModuleState | 'unknown' {
    const host = id.split('/')[0]!
    const fresh = this.inventory.sources.some(
      (source) => source.host === host && source.seenAtMs !== null && this.nowMs - source.seenAtMs <= freshForMs,
    )
    return fresh ? (this.inventory.get('module', id)?.doc.state ?? 'unknown') : 'unknown'
  }

  #entities(...kinds: EntityKind[]): ReportedEntity[] {
    return kinds.flatMap((kind) => this.inventory.all(kind)) as ReportedEntity[]
  }

  /**
   * Reads which clusters there are. When the window opens its address says which one is meant; later whoever made another one
   * current (the first host's installation, the command line) is followed.
   */
  async #readContexts(client: DesktopClient, opening: boolean): Promise<void> {
    this.contexts = await client.context.list()
    this.contextsLoaded = true
    const { place } = navigation
    const current = this.contexts.find((known) => known.current)?.name ?? ''
    if (place.context === current) return
    if (place.context === '') return navigation.go({ ...place, context: current }, 'replace')
    if (opening && this.contexts.some((known) => known.name === place.context)) return
    navigation.go({ context: current, screen: 'overview' }, 'replace')
  }
}

export const app = new App()
