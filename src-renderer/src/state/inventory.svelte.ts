import type { FeedFrame } from '../../../core/contract/desktop/inventory.ts'
import type { EntityDocs } from '../../../core/model/entity.ts'
import type { Task } from '../../../core/model/task.ts'

/** Kinds that the feed carries. */
export type FeedDocs = EntityDocs & { task: Task }
export type FeedKind = keyof FeedDocs

/** A document as the window holds it. `atMs`: when its reporter last changed it. */
export interface Item<D> {
  kind: string
  id: string
  /** Host whose agent reported it; `laptop` for tasks. */
  reporter: string
  atMs: number
  doc: D
}

export type Source = FeedFrame['sources'][number]

/**
 * Everything the feed has told, by kind. Documents lie in plain maps; a counter a kind is what makes readers run again,
 * so 30,000 objects cost no proxies.
 */
export class Inventory {
  #docs = new Map<string, Map<string, Item<unknown>>>()
  #versions = $state<Record<string, number>>({})
  #lists = new Map<string, List>()
  sources = $state.raw<Source[]>([])
  /** Whether a first frame has come since the context was chosen. */
  loaded = $state(false)

  apply(frame: FeedFrame): void {
    const touched = new Set<string>()
    if (frame.type === 'snapshot') {
      for (const kind of this.#docs.keys()) touched.add(kind)
      this.#docs.clear()
    }
    for (const item of frame.type === 'snapshot' ? frame.items : frame.puts) {
      let docs = this.#docs.get(item.kind)
      if (!docs) this.#docs.set(item.kind, (docs = new Map()))
      docs.set(keyOf(item.reporter, item.id), item)
      touched.add(item.kind)
    }
    for (const { reporter, kind, id } of frame.type === 'delta' ? frame.dels : []) {
      if (this.#docs.get(kind)?.delete(keyOf(reporter, id))) touched.add(kind)
    }
    for (const kind of touched) this.#versions[kind] = (this.#versions[kind] ?? 0) + 1
    this.sources = frame.sources
    this.loaded = true
  }

  /** Forgets everything, when another cluster is chosen. */
  clear(): void {
    this.apply({ type: 'snapshot', rev: 0, nowMs: 0, items: [], sources: [] })
    this.loaded = false
  }

  /** Every document of a kind, each reporter's copy. Reading it subscribes to that kind alone. */
  all<K extends FeedKind>(kind: K): (Item<FeedDocs[K]> & { kind: K })[] {
    return this.#list(kind).items as (Item<FeedDocs[K]> & { kind: K })[]
  }

  /** The copy that was changed last, where several hosts report the same document. */
  get<K extends FeedKind>(kind: K, id: string): Item<FeedDocs[K]> | undefined {
    return this.#list(kind).byId.get(id) as Item<FeedDocs[K]> | undefined
  }

  #list(kind: string): List {
    const version = this.#versions[kind] ?? 0
    const cached = this.#lists.get(kind)
    if (cached?.version === version) return cached
    const items = [...(this.#docs.get(kind)?.values() ?? [])]
    const byId = new Map<string, Item<unknown>>()
    for (const item of items) if ((byId.get(item.id)?.atMs ?? 0) <= item.atMs) byId.set(item.id, item)
    const list = { version, items, byId }
    this.#lists.set(kind, list)
    return list
  }
}

interface List {
  version: number
  items: Item<unknown>[]
  byId: Map<string, Item<unknown>>
}

const keyOf = (reporter: string, id: string): string => `${reporter} ${id}`
