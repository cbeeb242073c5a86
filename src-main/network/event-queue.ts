/** What one side tells and the other reads in its own time, in order. A reader that goes away ends it. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = []
  /** Aborted when nobody reads any more. */
  readonly signal: AbortSignal
  #over: { failure?: unknown } | null = null
  #wake: () => void = () => undefined

  constructor(signal: AbortSignal) {
    this.signal = signal
    signal.addEventListener('abort', () => this.#wake(), { once: true })
  }

  push(event: T): void {
    this.#waiting.push(event)
    this.#wake()
  }

  /** What was pushed is still read. */
  end(): void {
    this.#over ??= {}
    this.#wake()
  }

  /** The same, and the reader gets `failure` after it. */
  fail(failure: unknown): void {
    this.#over ??= { failure }
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    while (!this.signal.aborted) {
      if (this.#waiting.length > 0) yield* this.#waiting.splice(0)
      else if (this.#over) {
        if ('failure' in this.#over) throw this.#over.failure
        return
      } else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
