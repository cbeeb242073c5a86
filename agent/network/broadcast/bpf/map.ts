import { closeSync } from 'node:fs'
import { HoldfastError } from '../../../../core/errors.ts'
import { mapTypes, type MapDefinition } from './btf.ts'
import { bpf, bpfError, errnos, mustBpf } from './syscall.ts'

/** Holds a descriptor of a map of the kernel's; the map lives as long as anything does. Keys and values are the bytes of its structures. */
export class BpfMap implements Disposable {
  readonly descriptor: number
  readonly definition: MapDefinition
  /** Bytes of one lookup: a map with a value a CPU hands over all of them. */
  readonly #readBytes: number

  constructor(descriptor: number, definition: MapDefinition, possibleCpus: number) {
    this.descriptor = descriptor
    this.definition = definition
    const perCpu = definition.type === mapTypes.perCpuArray || definition.type === mapTypes.perCpuHash
    this.#readBytes = perCpu ? Math.ceil(definition.valueBytes / 8) * 8 * possibleCpus : definition.valueBytes
  }

  /** The value, null where there is none. Of a map per CPU: those of all CPUs, one after the other. */
  lookup(key: Uint8Array): Buffer | null {
    const value = Buffer.alloc(this.#readBytes)
    const result = bpf('mapLookup', { map: this.descriptor, key, value })
    if (result === -errnos.ENOENT) return null
    if (result < 0) throw bpfError(-result, `read map ${this.definition.name}`)
    return value
  }

  /** Throws `bad-input` where the map is full. */
  update(key: Uint8Array, value: Uint8Array): void {
    const result = bpf('mapUpdate', { map: this.descriptor, key, value })
    if (result === -errnos.E2BIG) throw fullError(this.definition)
    if (result < 0) throw bpfError(-result, `write map ${this.definition.name}`)
  }

  /** Many at once; not all or nothing. Of a map of maps it waits once, until no program reads what was replaced. */
  updateBatch(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): void {
    if (entries.length === 0) return
    const keys = Buffer.concat(entries.map(([key]) => key))
    const values = Buffer.concat(entries.map(([, value]) => value))
    const result = bpf('mapUpdateBatch', { map: this.descriptor, keys, values, count: entries.length })
    if (result === -errnos.E2BIG) throw fullError(this.definition)
    if (result < 0) throw bpfError(-result, `write map ${this.definition.name}`)
  }

  /** Whether there was one. */
  delete(key: Uint8Array): boolean {
    const result = bpf('mapDelete', { map: this.descriptor, key })
    if (result < 0 && result !== -errnos.ENOENT) throw bpfError(-result, `write map ${this.definition.name}`)
    return result >= 0
  }

  /** Many at once, which must be there. Of a map of maps it waits once. */
  deleteBatch(keys: readonly Uint8Array[]): void {
    if (keys.length === 0) return
    mustBpf('mapDeleteBatch', { map: this.descriptor, keys: Buffer.concat(keys), count: keys.length }, `write map ${this.definition.name}`)
  }

  /** All keys. Those that come or go meanwhile may be missing. */
  keys(): Buffer[] {
    const keys: Buffer[] = []
    const seen = new Set<string>()
    let key: Buffer | null = null
    for (;;) {
      const next = Buffer.alloc(this.definition.keyBytes)
      if (bpf('mapNextKey', { map: this.descriptor, key, next }) < 0) return keys
      // Where the key before has gone, the kernel starts over.
      const text = next.toString('latin1')
      if (seen.has(text)) return keys
      seen.add(text)
      keys.push(next)
      key = next
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.descriptor)
  }
}

/** Makes a map, and for a map of maps the pattern that the kernel wants of what goes into it. */
export function createMap(definition: MapDefinition, possibleCpus: number): BpfMap {
  const pattern = definition.inner ? createMap(definition.inner, possibleCpus) : null
  try {
    const { name, type, keyBytes, valueBytes, maxEntries, flags } = definition
    const fields = { type, keyBytes, valueBytes, maxEntries, flags, name: name.slice(0, 15), innerMap: pattern?.descriptor ?? 0 }
    return new BpfMap(mustBpf('mapCreate', fields, `make map ${name}`), definition, possibleCpus)
  } finally {
    pattern?.[Symbol.dispose]()
  }
}

/** A map by its id, as lookups in a map of maps answer it; null when it has gone. */
export function mapById(id: number, definition: MapDefinition, possibleCpus: number): BpfMap | null {
  const descriptor = bpf('mapById', { id })
  if (descriptor === -errnos.ENOENT) return null
  if (descriptor < 0) throw bpfError(-descriptor, `open a map of ${definition.name}`)
  return new BpfMap(descriptor, { ...definition, maxEntries: mapInfo(descriptor).maxEntries }, possibleCpus)
}

/** `struct bpf_map_info` of linux/bpf.h, its first fields. */
export function mapInfo(descriptor: number): Omit<MapDefinition, 'name' | 'inner'> {
  const info = Buffer.alloc(64)
  mustBpf('info', { object: descriptor, bytes: info.length, info }, 'tell what a map is')
  return {
    type: info.readUInt32LE(0),
    keyBytes: info.readUInt32LE(8),
    valueBytes: info.readUInt32LE(12),
    maxEntries: info.readUInt32LE(16),
    flags: info.readUInt32LE(20),
  }
}

function fullError({ name, maxEntries }: MapDefinition): HoldfastError {
  return new HoldfastError('bad-input', `Map ${name} is full: it holds ${maxEntries} entries`, 'Spread the networks over more broadcast nodes.', {
    map: name,
    maxEntries,
  })
}
