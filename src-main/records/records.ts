import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { callWorker, type Remote } from '../inventory/rpc.ts'
import type { RecordsApi } from './records.worker.ts'

/**
 * What this laptop itself must not forget: tasks, the audit log, places in the topology. A file of its own (`records.sqlite`), written
 * through to the disk, so that the inventory may be lost without it. Its thread starts with the first call.
 */
export class Records implements AsyncDisposable {
  readonly #path: string
  readonly #actor: string
  #worker: Worker | undefined
  #api: Promise<Remote<RecordsApi>> | undefined
  #disposed = false
  readonly #corruptListeners = new Set<(movedTo: string) => void>()

  /** @param actor who works here, for the audit log */
  constructor(dir: string, actor: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    this.#path = join(dir, 'records.sqlite')
    this.#actor = actor
  }

  /** The functions of records.worker.ts, once the file is open. */
  api(): Promise<Remote<RecordsApi>> {
    this.#api ??= this.#start()
    return this.#api
  }

  /** Called when the file was found to be damaged on opening, with the path that it was moved to. */
  onCorrupt(listener: (movedTo: string) => void): Disposable {
    this.#corruptListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#corruptListeners.delete(listener) }
  }

  async #start(): Promise<Remote<RecordsApi>> {
    if (this.#disposed) throw new Error('The records are closed')
    this.#worker = new Worker(new URL('./records.worker.ts', import.meta.url), { workerData: this.#path })
    const api = callWorker<RecordsApi>(this.#worker)
    const movedTo = await api.open(this.#actor)
    if (movedTo) for (const listener of this.#corruptListeners) listener(movedTo)
    // A proxy must not be taken for a promise by whoever awaits it: callWorker leaves `then` undefined.
    return api
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    const api = await this.#api?.catch(() => undefined)
    await api?.close().catch(() => {})
    await this.#worker?.terminate()
  }
}
