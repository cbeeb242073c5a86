/** Lets one waiter wait until something happened. What happens while nobody waits is not lost. */
export class Signal {
  #happened = false
  #wake: (() => void) | undefined

  set(): void {
    this.#happened = true
    this.#wake?.()
  }

  /** Resolves `gatherMs` after something happened, after `maxMs` without, or when the signal aborts. */
  async wait(maxMs: number, gatherMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#happened) await this.#pause(maxMs, signal, true)
    if (this.#happened && gatherMs > 0) await this.#pause(gatherMs, signal, false)
    this.#happened = false
  }

  #pause(ms: number, signal: AbortSignal | undefined, wakeable: boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(end, ms)
      if (wakeable) this.#wake = end
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted) end()
    })
  }
}
