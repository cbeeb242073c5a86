import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentPaths } from '../runtime/config.ts'

/** Endpoints of the store as last known, kept for the next start; what `join.json` named is the beginning. */
export class EndpointMemory {
  readonly #path: string
  #known: string[]

  constructor(paths: AgentPaths, initial: readonly string[]) {
    this.#path = join(paths.state, 'store-endpoints.json')
    this.#known = [...initial]
    try {
      const parsed = JSON.parse(readFileSync(this.#path, 'utf8')) as unknown
      if (Array.isArray(parsed) && parsed.length > 0 && parsed.every((each) => typeof each === 'string')) this.#known = parsed
    } catch {
      // Never written, or torn: join.json's will do.
    }
  }

  get known(): readonly string[] {
    return this.#known
  }

  set(endpoints: readonly string[]): void {
    if (endpoints.length === 0 || endpoints.join() === this.#known.join()) return
    this.#known = [...endpoints]
    writeFileSync(this.#path, JSON.stringify(this.#known), { mode: 0o600 })
  }
}
