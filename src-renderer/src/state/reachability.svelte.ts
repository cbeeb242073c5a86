import type { ReachabilityDoc } from '../../../core/contract/desktop/network.ts'
import type { ErrorDoc } from '../../../core/errors.ts'
import { draft } from '../declaration/draft.svelte.ts'
import { asErrorDoc } from '../desktop.ts'
import { parseProbe, type Probe } from '../reachability/probe.ts'
import { reachTable, type ReachTable } from '../reachability/table.ts'
import { app } from './app.svelte.ts'
import { navigation } from './navigation.svelte.ts'
import { overlays } from './overlays.svelte.ts'
import { virtual } from './virtual.svelte.ts'

/** How long after something changed it is asked for, in ms. */
const quietMs = 200

type Declared = (typeof draft)['declared']

interface Asked {
  vpc: string
  probe: Probe
  /** The draft, where its difference is asked for. */
  declared: Declared | null
}

/** Who reaches whom in a VPC, as it was computed last. The address says which VPC and what is asked. */
class Reachability {
  /** Whether the difference is shown that the draft of the network would make. */
  wantsPlan = $state(false)
  running = $state(false)
  error = $state.raw<ErrorDoc | null>(null)
  #doc = $state.raw<{ doc: ReachabilityDoc; asked: Asked; atMs: number } | null>(null)

  /** VPCs that have ports. */
  vpcs = $derived(
    virtual.view.vpcs.map(({ name }) => name).filter((vpc) => virtual.view.networksOf(vpc).some(({ name }) => virtual.view.portsOf(name).length > 0)),
  )
  vpc = $derived(this.vpcs.find((name) => name === navigation.place.reach?.vpc) ?? this.vpcs[0] ?? '')
  probe: Probe = $derived(parseProbe(navigation.place.reach?.probe))
  /** Whether there is a draft whose difference can be shown. */
  canPlan = $derived(draft.begun && !draft.late && (draft.plan?.changes.length ?? 0) > 0)
  onPlan = $derived(this.wantsPlan && this.canPlan)
  // States are worked out anew each second: nothing is asked again unless one is another.
  #statesKey = $derived(app.status.hosts.map(({ name, state }) => `${name} ${state}`).join())

  /** The answer to what is asked now; null before it is there. */
  answer = $derived(this.#doc && this.#doc.asked.vpc === this.vpc ? this.#doc : null)
  table: ReachTable | null = $derived(this.answer && reachTable(this.answer.doc, (port) => virtual.view.port.get(port)?.network ?? ''))

  /** Asks, after a pause, whenever what is asked or what it depends on is another. The body of an effect. */
  follow(): (() => void) | undefined {
    const asked: Asked = { vpc: this.vpc, probe: this.probe, declared: this.onPlan ? draft.declared : null }
    // Hosts that fail and networks that change answer otherwise.
    void virtual.view.revision
    void this.#statesKey
    if (asked.vpc === '' || app.connection !== 'open') return undefined
    const ended = new AbortController()
    const timer = setTimeout(() => void this.#ask(asked, ended.signal), quietMs)
    return () => {
      clearTimeout(timer)
      ended.abort()
    }
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<void> {
    this.running = true
    try {
      const doc = await reachabilityOf(asked, signal)
      if (signal.aborted) return
      this.#doc = { doc, asked, atMs: Date.now() }
      this.error = null
    } catch (thrown) {
      if (signal.aborted) return
      const error = asErrorDoc(thrown)
      this.error = overlays.askIfLocked(error) ? null : error
      this.#doc = null
    } finally {
      if (!signal.aborted) this.running = false
    }
  }
}

/** Asks the desktop. `declared`: with the difference that it would make. */
export function reachabilityOf({ vpc, probe, declared }: Asked, signal?: AbortSignal): Promise<ReachabilityDoc> {
  const { proto, dport } = probe
  const input = { vpc, proto, ...(dport !== null && { dport }), ...declared }
  return app.client.network.reachability(input, signal ? { signal } : {})
}

export const reachability = new Reachability()
