/** Waits between attempts: doubling from a quarter of a second, each between half and the whole of it so that many do not come at once. */
export class Backoff {
  readonly #maxMs: () => number
  #failures = 0

  /** @param maxMs longest wait in milliseconds, asked each time */
  constructor(maxMs: () => number) {
    this.#maxMs = maxMs
  }

  /** The next attempt may be made at once. */
  reset(): void {
    this.#failures = 0
  }

  /** How long to wait before the next attempt, in milliseconds. */
  nextMs(random: () => number = Math.random): number {
    const wholeMs = Math.min(this.#maxMs(), 250 * 2 ** Math.min(this.#failures++, 20))
    return wholeMs * (0.5 + random() / 2)
  }
}
