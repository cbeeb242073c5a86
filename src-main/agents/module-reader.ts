import { HoldfastError, asHoldfastError } from '../../core/errors.ts'
import type { SourceName } from '../inventory/apply.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { Backoff } from './backoff.ts'
import type { Dial, ModuleLink } from './module-link.ts'
import { pause, whileTalking } from './wait.ts'

/** A module says something at least each second. Silent for longer than this it is given up and connected to anew. */
const silenceMs = 3000

export interface ReaderOptions {
  source: SourceName
  /** Where to reach the host; asked at each attempt, since hosts move. */
  endpoint: () => string
  inventory: Inventory
  dial: Dial
  /** Also fetch samples, for as long as it is connected. */
  samples: boolean
  maxWaitMs: () => number
  /** Called with each frame, by which clock the host goes. */
  onFrame: (source: SourceName, hostMs: number) => void
  /** Called when it cannot be connected to, or is lost. */
  onFailure: (source: SourceName, error: HoldfastError) => void
}

/**
 * Keeps one watch on one module of one host: writes each frame into the inventory and goes on from where it was, through disconnections,
 * restarts of the module, sleep of the laptop and changes of its network.
 */
export class ModuleReader implements AsyncDisposable {
  readonly source: SourceName
  readonly #options: ReaderOptions
  readonly #stop = new AbortController()
  readonly #backoff: Backoff
  readonly #done: Promise<void>
  #kick = new AbortController()
  /** Attempts that failed since the beginning. */
  failures = 0
  connected = false
  /** When the last frame came, by the laptop's wall clock. */
  seenAtMs: number | null = null

  constructor(options: ReaderOptions) {
    this.#options = options
    this.source = options.source
    this.#backoff = new Backoff(options.maxWaitMs)
    this.#done = this.#run()
  }

  /** Drops what stands and tries again at once: the network is not what it was. */
  kick(): void {
    this.#backoff.reset()
    this.#kick.abort()
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#kick = new AbortController()
      const signal = AbortSignal.any([this.#stop.signal, this.#kick.signal])
      try {
        await this.#readOnce(signal)
      } catch (error) {
        if (!signal.aborted) {
          this.failures++
          this.#options.onFailure(this.source, asHoldfastError(error))
        }
      }
      this.connected = false
      if (!signal.aborted) await pause(this.#backoff.nextMs(), signal)
    }
  }

  async #readOnce(signal: AbortSignal): Promise<void> {
    const { source, endpoint, dial } = this.#options
    using link = await dial({ endpoint: endpoint(), host: source.host, module: source.module }, signal)
    const ended = new AbortController()
    const whole = AbortSignal.any([signal, ended.signal])
    // An abort need not reach a peer that is gone: cutting the connection does.
    whole.addEventListener('abort', () => link[Symbol.dispose](), { once: true })
    try {
      await Promise.race([this.#watch(link, whole), ...(this.#options.samples ? [this.#fetchSamples(link, whole)] : [])])
    } finally {
      ended.abort()
    }
  }

  async #watch(link: ModuleLink, signal: AbortSignal): Promise<void> {
    const { inventory, source, onFrame } = this.#options
    while (!signal.aborted) {
      const from = await inventory.position(source)
      const frames = whileTalking(
        link.watch(from, signal),
        silenceMs,
        () => new HoldfastError('timeout', `${source.module} on ${source.host} fell silent`, 'It is connected to anew by itself.'),
      )
      for await (const frame of frames) {
        const receivedAtMs = Date.now()
        // An idle frame changes nothing but when the source was seen, which is saved now and then for all sources at once.
        const result = frame.type === 'idle' ? 'applied' : await inventory.apply({ ...source, frame, receivedAtMs })
        if (signal.aborted) return
        this.connected = true
        this.seenAtMs = receivedAtMs
        this.#backoff.reset()
        onFrame(source, frame.nowMs)
        if (result === 'resync') break
      }
    }
  }

  /** Ends only by an error or the signal; the watch decides how long the connection lives. */
  async #fetchSamples(link: ModuleLink, signal: AbortSignal): Promise<void> {
    const { inventory, source } = this.#options
    const sinceMs = (await inventory.lastSampleMs(source.context, source.host)) ?? 0
    for await (const samples of link.samples(sinceMs, signal)) {
      if (signal.aborted) return
      if (samples.length > 0) await inventory.putSamples(source.context, source.host, samples)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
  }
}
