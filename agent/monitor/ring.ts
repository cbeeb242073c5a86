import type { Sample } from '../../core/model/sample.ts'

export interface Batch {
  /** Whether samples that were asked for are no longer held. */
  gap: boolean
  samples: Sample[]
}

/** Longest batch, so that an hour does not travel as one message. */
const maxBatch = 300
/** Samples come each second; a hole of up to this many milliseconds before the oldest one is none. */
const periodToleranceMs = 2000

/**
 * The latest samples, oldest first. They are kept as JSON texts (about 400 bytes each; as objects ten times that).
 * Readers hold a place and fetch from the ring itself, so a slow one costs no memory: it is told that it missed some.
 */
export class SampleRing {
  readonly #capacity: number
  #items: { atMs: number; json: string }[] = []
  /** Number of the first item. Numbers rise by one with each sample; times may step back with the clock. */
  #first = 0
  readonly #waiting = new Set<() => void>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get length(): number {
    return this.#items.length
  }

  push(sample: Sample): void {
    this.#items.push({ atMs: sample.atMs, json: JSON.stringify(sample) })
    // Dropping from the front costs the whole array, so it is done an eighth at a time.
    if (this.#items.length > this.#capacity * 1.125) {
      const dropped = this.#items.length - this.#capacity
      this.#items.splice(0, dropped)
      this.#first += dropped
    }
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  /** The newest sample, if there is one. */
  latest(): Sample | undefined {
    const item = this.#items.at(-1)
    return item && (JSON.parse(item.json) as Sample)
  }

  /** One sample a line, oldest first: what a next version of the module takes over. */
  toLines(): string {
    return this.#items.map((item) => `${item.json}\n`).join('')
  }

  /** Puts samples from before one's own first in front of it, as far as they fit. */
  prepend(older: readonly Sample[]): void {
    const ownFromMs = this.#items[0]?.atMs ?? Infinity
    const room = Math.max(0, this.#capacity - this.#items.length)
    const fitting = room === 0 ? [] : older.filter((sample) => sample.atMs < ownFromMs).slice(-room)
    this.#items = [...fitting.map((sample) => ({ atMs: sample.atMs, json: JSON.stringify(sample) })), ...this.#items]
    this.#first -= fitting.length
  }

  /** Samples later than `sinceMs` (all if left out), then each as it comes, until `signal` aborts. */
  async *read(sinceMs?: number, signal?: AbortSignal): AsyncGenerator<Batch, void, undefined> {
    const start = sinceMs === undefined ? 0 : this.#items.findIndex((item) => item.atMs > sinceMs)
    let next = this.#first + (start < 0 ? this.#items.length : start)
    const oldest = this.#items[0]
    let gap = sinceMs !== undefined && (oldest === undefined || oldest.atMs > sinceMs + periodToleranceMs)
    while (!signal?.aborted) {
      if (next < this.#first) {
        gap = true
        next = this.#first
      }
      const items = this.#items.slice(next - this.#first, next - this.#first + maxBatch)
      if (items.length > 0) {
        next += items.length
        yield { gap, samples: items.map((item) => JSON.parse(item.json) as Sample) }
        gap = false
      } else await this.#changed(signal)
    }
  }

  #changed(signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    const end = (): void => {
      this.#waiting.delete(resolve)
      resolve()
    }
    signal?.addEventListener('abort', end, { once: true })
    return promise.finally(() => signal?.removeEventListener('abort', end))
  }
}
