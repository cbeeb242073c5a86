import { readFileSync, renameSync } from 'node:fs'
import { z } from 'zod'
import { replaceFile } from './files.ts'
import { moduleRecordSchema, type ModuleRecord } from './swap.ts'

const journalSchema = z.object({
  /** Highest generation ever given out, of any module. */
  lastGeneration: z.number().int().nonnegative(),
  modules: z.record(z.string(), moduleRecordSchema),
})

/** `/var/lib/holdfast/modules.json`: which version of each module runs, and how far a swap got. On disk before it returns. */
export class Journal {
  readonly #path: string
  #state: z.infer<typeof journalSchema>

  /** Set when the journal on disk could not be read: it was moved here and an empty one took its place. */
  readonly damagedPath: string | undefined

  /** Reads the journal; an empty one where there is none. */
  constructor(path: string) {
    this.#path = path
    this.#state = { lastGeneration: 0, modules: {} }
    try {
      this.#state = journalSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
      // Hosts must come up: without a journal, modules start again in the supervisor's own version.
      this.damagedPath = `${path}.damaged`
      renameSync(path, this.damagedPath)
    }
  }

  get(name: string): ModuleRecord | undefined {
    return this.#state.modules[name]
  }

  set(name: string, record: ModuleRecord): void {
    this.#state.modules[name] = record
    this.#write()
  }

  /** A number that no start of a module had before. Durable with the record that is set next. */
  nextGeneration(): number {
    return ++this.#state.lastGeneration
  }

  #write(): void {
    replaceFile(this.#path, `${JSON.stringify(this.#state, null, 2)}\n`, 0o600)
  }
}
