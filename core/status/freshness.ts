import type { z } from 'zod'
import type { sourceSchema } from '../contract/desktop/inventory.ts'
import type { Entity } from '../model/index.ts'

/** How fresh the laptop's copy of one module of one host is. */
export type Source = z.infer<typeof sourceSchema>

/** An entity and the host whose agent reported it. */
export type ReportedEntity = Entity & { reporter: string }

/** A source says something at least every second (`idle` frames); silent for longer than this, in milliseconds, it is stale. */
export const freshForMs = 2500

/**
 * Which sources are fresh. Only the time of the last frame counts, not whether a connection stands: a hung host keeps its connection,
 * and a module that is being replaced loses its for a moment. A time in the future (the laptop's clock stepped back) is stale.
 */
export class Freshness {
  #seenAtMs = new Map<string, number>()
  #signAtMs = new Map<string, number>()
  #nowMs: number

  constructor(sources: Iterable<Source>, nowMs: number) {
    this.#nowMs = nowMs
    for (const source of sources) {
      if (source.seenAtMs === null) continue
      for (const key of [source.host, `${source.host}/${source.module}`]) {
        note(this.#seenAtMs, key, source.seenAtMs)
        if (!source.remembered) note(this.#signAtMs, key, source.seenAtMs)
      }
    }
  }

  /** When the host (or one module of it) was last heard, by the laptop's clock; null: never. */
  seenAtMs(host: string, module?: string): number | null {
    return this.#seenAtMs.get(module === undefined ? host : `${host}/${module}`) ?? null
  }

  /** Whether the host (or one module of it) was heard lately, by this run of the program. */
  isFresh(host: string, module?: string): boolean {
    const signAtMs = this.#signAtMs.get(module === undefined ? host : `${host}/${module}`)
    return signAtMs !== undefined && Math.abs(this.#nowMs - signAtMs) <= freshForMs
  }
}

function note(times: Map<string, number>, key: string, atMs: number): void {
  times.set(key, Math.max(atMs, times.get(key) ?? -Infinity))
}
