import type { Severity } from '../../core/model/event.ts'
import type { Inventory } from './inventory.ts'

/** Something that this laptop itself noticed. */
export interface Notice {
  /** Kebab-case, as events have it. */
  type: string
  severity: Severity
  message: string
  about?: string[]
  data?: Record<string, unknown>
}

/** Events of origin `laptop`, kept in a context's inventory beside those of its agents. */
export class Notices {
  readonly #inventory: Inventory
  #last = 0

  constructor(inventory: Inventory) {
    this.#inventory = inventory
  }

  /** Keeps an event. A full disk loses it, and nothing else. */
  async add(context: string, { type, severity, message, about = [], data = {} }: Notice): Promise<void> {
    // Numbers rise across programs and restarts as the clock does.
    this.#last = Math.max(this.#last + 1, Date.now())
    const atMs = Date.now()
    const doc = { origin: 'laptop', atMs, severity, type, message, about, data }
    await this.#inventory.putOwn(context, { kind: 'event', id: `laptop/${process.pid}-${this.#last}`, atMs, doc }).catch(() => {})
  }
}
