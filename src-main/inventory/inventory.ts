import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Position } from '../../core/contract/agent/sync.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Sample } from '../../core/model/sample.ts'
import type { SearchHit } from '../../core/contract/desktop/inventory.ts'
import type { FrameResult, ReceivedFrame, SourceName } from './apply.ts'
import type { Report } from './merge.ts'
import type { Kinds, ReportRow, SourceRow } from './read.ts'
import type { ReaderApi } from './reader.worker.ts'
import { callWorker, type Remote } from './rpc.ts'
import type { StoredObject } from './words.ts'
import type { WriterApi } from './writer.worker.ts'

/** Frames written in one transaction: those that came while the last one was written. */
const maxBatch = 256
/** Objects in one transaction, so that a reader of the log waits a fraction of a second at most. */
const maxBatchObjects = 20_000
const prunePeriodMs = 10 * 60_000

/** What changed, after it was written. */
export interface Change extends SourceName {
  puts: StoredObject[]
  dels: { kind: string; id: string }[]
}

/**
 * All that was ever seen of the clusters, in one SQLite file, written in one worker thread and read in another.
 * A damaged file is moved aside and made anew while the program runs; listeners of `onCorrupt` hear where it went.
 */
export class Inventory implements AsyncDisposable {
  readonly #writerWorker: Worker
  readonly #readerWorker: Worker
  readonly #writer: Remote<WriterApi>
  readonly #reader: Remote<ReaderApi>
  readonly #changeListeners = new Set<(change: Change) => void>()
  readonly #sampleListeners = new Set<(context: string, host: string, samples: Sample[]) => void>()
  readonly #corruptListeners = new Set<(movedTo: string) => void>()
  readonly #pending: { received: ReceivedFrame; resolve(result: FrameResult['result']): void; reject(error: unknown): void }[] = []
  #flushing: Promise<void> | undefined
  #recovering: Promise<void> | undefined
  #pruning: NodeJS.Timeout | undefined
  #movedTo: string | null = null
  /** Settles when writing is possible. */
  #ready: Promise<void> = Promise.resolve()

  private constructor(path: string) {
    this.#writerWorker = new Worker(new URL('./writer.worker.ts', import.meta.url), { workerData: path })
    this.#readerWorker = new Worker(new URL('./reader.worker.ts', import.meta.url), { workerData: path })
    this.#writer = callWorker<WriterApi>(this.#writerWorker)
    this.#reader = callWorker<ReaderApi>(this.#readerWorker)
  }

  /** Opens `inventory.sqlite` in a folder, or makes it. Throws `not-supported` for a file of a later version. */
  static async open(dir: string): Promise<Inventory> {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const inventory = new Inventory(join(dir, 'inventory.sqlite'))
    try {
      await inventory.#open()
      return inventory
    } catch (error) {
      await inventory[Symbol.asyncDispose]()
      throw error
    }
  }

  async #open(): Promise<void> {
    // Usually the file is as it should be and can be read while the writer still starts.
    const early = this.#reader.open().catch(() => false)
    const late = this.#writer.open().then(async ({ movedTo, check }) => {
      this.#movedTo = movedTo
      if (movedTo !== null || !(await early)) await this.#reader.open()
      if (check) this.#checkLater()
      this.#pruning ??= setInterval(() => void this.#write(() => this.#writer.prune()).catch(() => {}), prunePeriodMs).unref()
    })
    // Whoever writes hears of a failure.
    late.catch(() => {})
    this.#ready = late
    if (!(await early)) await late
  }

  #checkLater(): void {
    void this.#writer.isSound().then(
      (sound) => (sound ? undefined : this.#recover()),
      (error: unknown) => (isDamage(error) ? this.#recover() : undefined),
    )
  }

  /** Called when the file was found to be damaged, with the path that it was moved to; at once if that was on opening. */
  onCorrupt(listener: (movedTo: string) => void): Disposable {
    this.#corruptListeners.add(listener)
    void this.#ready.then(
      () => (this.#movedTo ? listener(this.#movedTo) : undefined),
      () => {},
    )
    return { [Symbol.dispose]: () => void this.#corruptListeners.delete(listener) }
  }

  /** Called after each write that changed objects. */
  onChange(listener: (change: Change) => void): Disposable {
    this.#changeListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#changeListeners.delete(listener) }
  }

  /** Called with samples as they come. */
  onSamples(listener: (context: string, host: string, samples: Sample[]) => void): Disposable {
    this.#sampleListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#sampleListeners.delete(listener) }
  }

  /** Writes a frame and the position that it leads to. Await it before taking the next frame of the source. See FrameResult. */
  apply(received: ReceivedFrame): Promise<FrameResult['result']> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ received, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      let objects = 0
      let count = 0
      while (count < Math.min(this.#pending.length, maxBatch) && objects < maxBatchObjects) objects += sizeOf(this.#pending[count++]!.received)
      const batch = this.#pending.splice(0, count)
      try {
        const results = await this.#write(() => this.#writer.applyFrames(batch.map(({ received }) => received)))
        for (const [index, result] of results.entries()) {
          const { received, resolve } = batch[index]!
          this.#announce(received, result)
          resolve(result.result)
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    // Here and not after the promise: a caller who goes on at once must find that nobody flushes any more.
    this.#flushing = undefined
  }

  #announce({ context, host, module, frame }: ReceivedFrame, { puts, dels }: FrameResult): void {
    if (puts.length === 0 && dels.length === 0) return
    const objects = frame.type === 'snapshot' ? frame.items : frame.type === 'delta' ? frame.puts : []
    const change = { context, host, module, puts: puts.map((index) => objects[index]!), dels }
    for (const listener of this.#changeListeners) listener(change)
  }

  /** Notes when sources were last heard. */
  async saveSeen(seen: (SourceName & { seenAtMs: number })[]): Promise<void> {
    if (seen.length > 0) await this.#write(() => this.#writer.saveSeen(seen))
  }

  /** Stores an object that this laptop itself reports, such as an event of origin `laptop`. */
  async putOwn(context: string, object: StoredObject): Promise<void> {
    await this.#write(() => this.#writer.putOwn(context, object))
    for (const listener of this.#changeListeners) listener({ context, host: 'laptop', module: 'app', puts: [object], dels: [] })
  }

  async putSamples(context: string, host: string, samples: Sample[]): Promise<void> {
    await this.#write(() => this.#writer.putSamples(context, host, samples))
    for (const listener of this.#sampleListeners) listener(context, host, samples)
  }

  /** Drops what a host that left the cluster had reported; its events stay. */
  async forgetHost(context: string, host: string): Promise<void> {
    const dels = await this.#write(() => this.#writer.forgetHost(context, host))
    for (const listener of this.#changeListeners) listener({ context, host, module: '', puts: [], dels })
  }

  async forgetContext(context: string): Promise<void> {
    await this.#write(() => this.#writer.forgetContext(context))
  }

  /** What each source reports; events only where they are named. See merge.ts for one document an object. */
  async reports(context: string, kinds: Kinds = { except: ['event'] }): Promise<(Report & { receivedAtMs: number; module: string })[]> {
    return parseRows(await this.#read(() => this.#reader.reports(context, kinds)))
  }

  /** The newest events, newest first. */
  async events(context: string, limit: number): Promise<(Report & { receivedAtMs: number; module: string })[]> {
    return parseRows(await this.#read(() => this.#reader.events(context, limit)))
  }

  sources(context: string): Promise<SourceRow[]> {
    return this.#read(() => this.#reader.sources(context))
  }

  /** Where a source's log was read up to; undefined: nothing of it is stored. */
  position(source: SourceName): Promise<Position | undefined> {
    return this.#read(() => this.#reader.position(source))
  }

  samplesSince(context: string, host: string, sinceMs: number, limit: number): Promise<Sample[]> {
    return this.#read(() => this.#reader.samplesSince(context, host, sinceMs, limit))
  }

  lastSampleMs(context: string, host: string): Promise<number | undefined> {
    return this.#read(() => this.#reader.lastSampleMs(context, host))
  }

  search(context: string, query: string, limit: number): Promise<SearchHit[]> {
    return this.#read(() => this.#reader.search(context, query, limit))
  }

  async #write<T>(call: () => Promise<T>): Promise<T> {
    await this.#ready
    return this.#surviving(call)
  }

  #read<T>(call: () => Promise<T>): Promise<T> {
    return this.#surviving(call)
  }

  /** Runs a call; when it finds the file damaged, once more on the new file. */
  async #surviving<T>(call: () => Promise<T>): Promise<T> {
    await this.#recovering
    try {
      return await call()
    } catch (error) {
      if (!isDamage(error)) throw error
      await this.#recover()
      return await call()
    }
  }

  #recover(): Promise<void> {
    this.#recovering ??= (async () => {
      await this.#ready.catch(() => {})
      await this.#reader.close()
      const movedTo = await this.#writer.recover()
      await this.#reader.open()
      if (movedTo === null) return
      this.#movedTo = movedTo
      for (const listener of this.#corruptListeners) listener(movedTo)
    })().finally(() => (this.#recovering = undefined))
    return this.#recovering
  }

  /** Finishes what is being written and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#pruning)
    await this.#flushing?.catch(() => {})
    // The reader first: the last one to close folds the log into the file.
    await this.#reader.close().catch(() => {})
    await this.#writer.close().catch(() => {})
    await Promise.all([this.#writerWorker.terminate(), this.#readerWorker.terminate()])
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'inventory-corrupt'
}

function sizeOf({ frame }: ReceivedFrame): number {
  return frame.type === 'snapshot' ? frame.items.length : frame.type === 'delta' ? frame.puts.length + frame.dels.length : 1
}

function parseRows(rows: ReportRow[]): (Report & { receivedAtMs: number; module: string })[] {
  return rows.map((row) => ({ ...row, doc: JSON.parse(row.doc) as Record<string, unknown> }))
}
