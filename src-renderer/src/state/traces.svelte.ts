import type { DropReason, TraceResult } from '../../../core/model/trace.ts'
import type { ErrorDoc } from '../../../core/errors.ts'
import { asErrorDoc } from '../desktop.ts'
import { blankForm, inputOf, queryOf, sameQuery, type TraceForm } from '../trace/request.ts'
import { answerOf, hopId, hopOf, parseHopId, type Side, type TraceAnswer } from '../trace/result.ts'
import { app } from './app.svelte.ts'
import { navigation } from './navigation.svelte.ts'
import { overlays } from './overlays.svelte.ts'
import type { TraceQuery } from './place.ts'

/** A trace that was run since the window opened. */
export interface PastTrace {
  query: TraceQuery
  verdict: TraceResult['verdict']
  reason: DropReason | null
  atMs: number
}

/** How many of them are kept. */
const pastTraces = 5

/** The trace that is on the screen, wherever it is drawn: asked once, shown as a list, on the picture and in the inspector. */
class Traces {
  form = $state<TraceForm>(blankForm())
  /** Whether packets are sent through the draft of the virtual network instead of the network itself. */
  onDraft = $state(false)
  running = $state(false)
  error = $state.raw<ErrorDoc | null>(null)
  result = $state.raw<TraceResult | null>(null)
  /** What the result answers, and when it was asked. */
  asked = $state.raw<{ form: TraceForm; onDraft: boolean; atMs: number } | null>(null)
  past = $state.raw<PastTrace[]>([])
  /** The hop under the mouse, on the list or on the picture. */
  hovered = $state<string | null>(null)
  #wantedSide = $state<Side>('live')
  #running: AbortController | null = null

  answer: TraceAnswer | null = $derived(this.result && answerOf(this.result))
  /** The way that is drawn. */
  side: Side = $derived(this.answer?.sides[this.#wantedSide] ? this.#wantedSide : this.answer?.sides.live ? 'live' : 'simulated')
  drawn: TraceResult | null = $derived(this.answer?.sides[this.side] ?? null)
  /** The hop that is selected, as `side-n`. */
  chosen = $derived(navigation.selection?.kind === 'hop' ? navigation.selection.id : null)
  /** The hop to show: the one under the mouse, else the selected one. */
  marked = $derived(this.hovered ?? this.chosen)

  show(side: Side): void {
    this.#wantedSide = side
  }

  hop(id: string) {
    return hopOf(this.answer, id)
  }

  /** Selects a hop everywhere, and draws the way that it is on. */
  choose(id: string): void {
    const parsed = parseHopId(id)
    if (parsed) this.#wantedSide = parsed.side
    navigation.select({ kind: 'hop', id })
  }

  /** The hop before or after the selected one, on the way that is drawn. */
  step(by: number): void {
    const hops = this.drawn?.hops ?? []
    const at = hops.findIndex(({ n }) => hopId(this.side, n) === this.chosen)
    const next = hops[Math.min(hops.length - 1, Math.max(0, at + by))]
    if (next) this.choose(hopId(this.side, next.n))
  }

  /** To the screen, with a port filled in as the sender. */
  openFrom(port: string): void {
    this.form = { ...this.form, from: port, to: this.form.to === port ? '' : this.form.to }
    navigation.show('trace')
  }

  /** To the screen, with packets going through the draft. */
  openOnDraft(): void {
    this.onDraft = true
    navigation.show('trace')
  }

  /** Whether the result on the screen answers this. */
  answers(query: TraceQuery): boolean {
    return this.asked !== null && sameQuery(queryOf(this.asked.form), query)
  }

  /** Asks. `declared`: on the draft of the network, which is simulated only. */
  async run(form: TraceForm, declared: { declaration: string; prune: boolean } | null): Promise<void> {
    this.stop()
    const running = (this.#running = new AbortController())
    const asked = { form: { ...form }, onDraft: declared !== null, atMs: Date.now() }
    this.running = true
    this.error = null
    try {
      const input = declared === null ? inputOf(form) : { ...inputOf(form), mode: 'simulated' as const, ...declared }
      const result = await app.client.network.trace(input, { signal: running.signal })
      if (running.signal.aborted) return
      this.result = result
      this.asked = asked
      const { verdict, drop } = result
      const query = queryOf(form)
      const others = this.past.filter((past) => !sameQuery(past.query, query))
      this.past = [{ query, verdict, reason: drop?.reason ?? null, atMs: asked.atMs }, ...others].slice(0, pastTraces)
    } catch (thrown) {
      if (running.signal.aborted) return
      const error = asErrorDoc(thrown)
      if (!overlays.askIfLocked(error)) this.error = error
      this.result = null
      this.asked = asked
    } finally {
      if (this.#running === running) this.running = false
    }
  }

  /** Waits no longer for the answer. */
  stop(): void {
    this.#running?.abort()
    this.#running = null
    this.running = false
  }

  /** Takes the trace off the screen. */
  clear(): void {
    this.stop()
    this.result = null
    this.asked = null
    this.error = null
    this.hovered = null
  }
}

export const traces = new Traces()
