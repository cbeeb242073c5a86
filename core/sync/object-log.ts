import type { Position, SyncFrame } from '../contract/agent/sync.ts'
import type { Env } from '../env.ts'
import type { Entity, EntityKind } from '../model/entity.ts'
import { sameJson } from './same-json.ts'

/** An entity as its reporter hands it in: `atMs` is the log's business (the wall clock at the last real change) unless given. */
export type Put = Entity extends infer E ? (E extends Entity ? Omit<E, 'atMs'> & { atMs?: number } : never) : never

export interface ObjectLogOptions {
  env: Env
  /** Names this life of the log; a new one whenever revisions begin anew. Default: random. */
  epoch?: string
  /** Changes remembered for readers that come back; an older position gets a snapshot. Default 8,192. */
  maxChanges?: number
  /** Longest silence of a watch in milliseconds. Default 800, so that a frame comes at least each second. */
  idleMs?: number
}

/**
 * The documents that a module reports, with a numbered, bounded log of which of them changed.
 * A reader is only a position in that log: a slow one costs no memory, and what it missed is coalesced when it asks again.
 */
export class ObjectLog {
  readonly epoch: string
  readonly #env: Env
  readonly #maxChanges: number
  readonly #idleMs: number
  readonly #items = new Map<string, Entity>()
  /** Which object changed at revision `#firstRev + index`. */
  readonly #changes: { kind: string; id: string }[] = []
  #firstRev = 1
  readonly #waiting = new Set<() => void>()

  constructor(options: ObjectLogOptions) {
    this.#env = options.env
    this.epoch = options.epoch ?? `${options.env.wallMs().toString(36)}-${Math.floor(options.env.random() * 2 ** 48).toString(36)}`
    this.#maxChanges = options.maxChanges ?? 8192
    this.#idleMs = options.idleMs ?? 800
  }

  /** Where a reader stands that has seen everything. */
  get position(): Position {
    return { epoch: this.epoch, rev: this.#firstRev + this.#changes.length - 1 }
  }

  /** Adds or replaces an object. False, and no change, when its document is already the same. */
  put(entity: Put): boolean {
    const key = keyOf(entity.kind, entity.id)
    const before = this.#items.get(key)
    if (before && sameJson(before.doc, entity.doc)) return false
    this.#items.set(key, { ...entity, atMs: entity.atMs ?? Math.max(0, Math.trunc(this.#env.wallMs())) } as Entity)
    this.#changed(entity.kind, entity.id)
    return true
  }

  /** Removes an object. False when there was none. */
  del(kind: EntityKind, id: string): boolean {
    if (!this.#items.delete(keyOf(kind, id))) return false
    this.#changed(kind, id)
    return true
  }

  get<K extends EntityKind>(kind: K, id: string): Extract<Entity, { kind: K }> | undefined {
    return this.#items.get(keyOf(kind, id)) as Extract<Entity, { kind: K }> | undefined
  }

  /** Everything as it stands, or of one kind. */
  list<K extends EntityKind>(kind?: K): Extract<Entity, { kind: K }>[] {
    const all = [...this.#items.values()]
    return (kind ? all.filter((entity) => entity.kind === kind) : all) as Extract<Entity, { kind: K }>[]
  }

  /**
   * Frames from a position on: deltas where the log still reaches back to it, else a snapshot first; then what changes, as it changes.
   * The next frame is made only when it is asked for. Ends when `signal` aborts or the reader returns.
   */
  async *watch(from?: Position, signal?: AbortSignal): AsyncGenerator<SyncFrame, void, undefined> {
    let rev = from?.epoch === this.epoch ? from.rev : -1
    let first = true
    while (!signal?.aborted) {
      const frame = this.#frameAfter(rev)
      if (frame.type !== 'idle' || first) {
        first = false
        rev = frame.rev
        yield frame
        continue
      }
      if (!(await this.#change(signal)) && !signal?.aborted) yield this.#frameAfter(rev)
    }
  }

  /** What brings a reader at `rev` up to now. */
  #frameAfter(rev: number): SyncFrame {
    const head = { ...this.position, nowMs: this.#env.wallMs() }
    if (rev === head.rev) return { type: 'idle', ...head }
    if (rev < this.#firstRev - 1 || rev > head.rev) return { type: 'snapshot', ...head, items: [...this.#items.values()] }
    const touched = new Map<string, { kind: string; id: string }>()
    for (let index = rev + 1 - this.#firstRev; index < this.#changes.length; index++) {
      const change = this.#changes[index]!
      touched.set(keyOf(change.kind, change.id), change)
    }
    const puts: Entity[] = []
    const dels: { kind: string; id: string }[] = []
    for (const [key, change] of touched) {
      const item = this.#items.get(key)
      if (item) puts.push(item)
      else dels.push(change)
    }
    return { type: 'delta', ...head, puts, dels }
  }

  #changed(kind: string, id: string): void {
    this.#changes.push({ kind, id })
    // Trimmed by halves, so that a change costs the same on average however long the log is.
    if (this.#changes.length > this.#maxChanges * 2) {
      const surplus = this.#changes.length - this.#maxChanges
      this.#changes.splice(0, surplus)
      this.#firstRev += surplus
    }
    for (const wake of [...this.#waiting]) wake()
  }

  /** True when something changed, false when `#idleMs` passed or the signal aborted. */
  #change(signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (changed: boolean) => {
        timer[Symbol.dispose]()
        this.#waiting.delete(wake)
        signal?.removeEventListener('abort', stop)
        resolve(changed)
      }
      const wake = () => end(true)
      const stop = () => end(false)
      const timer = this.#env.after(this.#idleMs, stop)
      this.#waiting.add(wake)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }
}

/** One string for kind and id; kinds hold no slash. */
export function keyOf(kind: string, id: string): string {
  return `${kind}/${id}`
}
