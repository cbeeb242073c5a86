import { notAnObject, orUnusable, textAt, type ElfObject } from './elf.ts'

/** A map as the object's BTF describes it: section `.maps`, one structure a map, whose numbers are lengths of arrays. */
export interface MapDefinition {
  name: string
  type: number
  keyBytes: number
  valueBytes: number
  maxEntries: number
  flags: number
  /** Of a map of maps: what each of them is. */
  inner?: MapDefinition
}

/** Where a function starts in its section, and its type: what the kernel must be told of functions that are called back. */
export interface FunctionInfo {
  offset: number
  typeId: number
}

interface Type {
  at: number
  name: string
  kind: number
  /** Number of members, or whatever there is more than one of. */
  count: number
  /** Its size, or the type that it refers to. */
  sizeOrType: number
}

/** linux/btf.h. */
const kinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  variable: 14,
  section: 15,
} as const
const sized: readonly number[] = [kinds.int, kinds.struct, kinds.union, kinds.enum, 16, 19]
const referring: readonly number[] = [kinds.typedef, kinds.volatile, kinds.const, kinds.restrict]
/** Bytes that follow a type of each kind; a pair: so many for each of `count`. */
const tails: readonly (number | [number])[] = [0, 4, 0, 12, [12], [12], [8], 0, 0, 0, 0, 0, 0, [8], 4, [12], 0, 4, 0, [12]]
const headBytes = 12

/** BPF Type Format of an object: Documentation/bpf/btf.rst of the kernel. */
export class Btf {
  readonly #bytes: Buffer
  readonly #types: Type[] = [{ at: 0, name: 'void', kind: 0, count: 0, sizeOrType: 0 }]
  readonly #strings: Buffer
  readonly #object: ElfObject

  /** Throws `bad-input` where the object has none that can be read. */
  constructor(object: ElfObject) {
    this.#object = object
    // A copy, for it is completed here.
    this.#bytes = Buffer.from(sectionBytes(object, '.BTF'))
    const bytes = this.#bytes
    if (bytes.length < 24 || bytes.readUInt16LE(0) !== 0xeb9f) throw notAnObject('its BTF is none')
    const start = bytes.readUInt32LE(4)
    const typesAt = start + bytes.readUInt32LE(8)
    const end = typesAt + bytes.readUInt32LE(12)
    this.#strings = bytes.subarray(start + bytes.readUInt32LE(16))
    if (end > bytes.length) throw notAnObject('its BTF is cut off')
    for (let at = typesAt; at < end;) {
      const info = bytes.readUInt32LE(at + 4)
      const kind = (info >>> 24) & 31
      const count = info & 0xffff
      const tail = tails[kind]
      if (tail === undefined) throw notAnObject(`its BTF has a type of kind ${kind}`)
      this.#types.push({ at, name: textAt(this.#strings, bytes.readUInt32LE(at)), kind, count, sizeOrType: bytes.readUInt32LE(at + 8) })
      at += headBytes + (typeof tail === 'number' ? tail : tail[0] * count)
    }
  }

  /** The object's maps, by what section `.maps` declares. */
  maps(): MapDefinition[] {
    return orUnusable(() => this.#maps())
  }

  #maps(): MapDefinition[] {
    const section = this.#types.find(({ kind, name }) => kind === kinds.section && name === '.maps')
    if (!section) return []
    return Array.from({ length: section.count }, (_, index) => {
      const variable = this.#type(this.#bytes.readUInt32LE(section.at + headBytes + index * 12))
      return this.#map(variable.name, this.#type(variable.sizeOrType))
    })
  }

  /**
   * The bytes as the kernel takes them: sizes of sections and places of variables in them, which clang leaves at 0 for a linker, are those
   * of the object's sections and symbols.
   */
  completed(): Buffer {
    return orUnusable(() => this.#complete())
  }

  #complete(): Buffer {
    for (const section of this.#types.filter(({ kind }) => kind === kinds.section)) {
      const index = this.#object.sections.findIndex(({ name }) => name === section.name)
      const found = this.#object.sections[index]
      if (!found) throw notAnObject(`its BTF names a section ${section.name}, which it does not have`)
      this.#bytes.writeUInt32LE(found.bytes.length, section.at + 8)
      for (let member = 0; member < section.count; member++) {
        const at = section.at + headBytes + member * 12
        const { name } = this.#type(this.#bytes.readUInt32LE(at))
        const symbol = this.#object.symbols.find((one) => one.section === index && one.name === name)
        if (symbol) this.#bytes.writeUInt32LE(symbol.offset, at + 4)
      }
    }
    return this.#bytes
  }

  /** Functions by the section that they lie in: `func_info` of `.BTF.ext`. */
  functions(): Map<string, FunctionInfo[]> {
    return orUnusable(() => this.#functions())
  }

  #functions(): Map<string, FunctionInfo[]> {
    const bytes = sectionBytes(this.#object, '.BTF.ext')
    const found = new Map<string, FunctionInfo[]>()
    let at = bytes.readUInt32LE(4) + bytes.readUInt32LE(8)
    const end = at + bytes.readUInt32LE(12)
    const recordBytes = bytes.readUInt32LE(at)
    for (at += 4; at < end;) {
      const section = textAt(this.#strings, bytes.readUInt32LE(at))
      const count = bytes.readUInt32LE(at + 4)
      at += 8
      if (count * recordBytes > end - at) throw notAnObject(`it tells too much of the functions in ${section}`)
      const infos = Array.from({ length: count }, (_, index) => {
        const record = at + index * recordBytes
        return { offset: bytes.readUInt32LE(record), typeId: bytes.readUInt32LE(record + 4) }
      })
      found.set(section, infos)
      at += count * recordBytes
    }
    return found
  }

  #map(name: string, declared: Type): MapDefinition {
    const map: MapDefinition = { name, type: 0, keyBytes: 4, valueBytes: 4, maxEntries: 0, flags: 0 }
    for (let index = 0; index < declared.count; index++) {
      const at = declared.at + headBytes + index * 12
      const field = textAt(this.#strings, this.#bytes.readUInt32LE(at))
      const type = this.#type(this.#bytes.readUInt32LE(at + 4))
      // Each field but `values` is a pointer: to an array as long as its number, or to the type of the key or value.
      if (field === 'values') map.inner = this.#map(name, this.#type(this.#type(this.#elementOf(type)).sizeOrType))
      else if (field === 'type') map.type = this.#length(type)
      else if (field === 'max_entries') map.maxEntries = this.#length(type)
      else if (field === 'map_flags') map.flags = this.#length(type)
      else if (field === 'key_size') map.keyBytes = this.#length(type)
      else if (field === 'value_size') map.valueBytes = this.#length(type)
      else if (field === 'key') map.keyBytes = this.#size(type.sizeOrType)
      else if (field === 'value') map.valueBytes = this.#size(type.sizeOrType)
      else throw notAnObject(`its map ${name} has a field ${field}`)
    }
    // A ring buffer has neither, linux/bpf.h.
    return map.type === mapTypes.ringBuffer ? { ...map, keyBytes: 0, valueBytes: 0 } : map
  }

  #type(id: number): Type {
    const type = this.#types[id]
    if (!type) throw notAnObject(`its BTF has no type ${id}`)
    return type
  }

  #elementOf(array: Type): number {
    if (array.kind !== kinds.array) throw notAnObject('its maps of maps are not declared as arrays')
    return this.#bytes.readUInt32LE(array.at + headBytes)
  }

  /** Of the array that a pointer points to. */
  #length(pointer: Type): number {
    return this.#bytes.readUInt32LE(this.#type(pointer.sizeOrType).at + headBytes + 8)
  }

  #size(id: number): number {
    const type = this.#type(id)
    if (sized.includes(type.kind)) return type.sizeOrType
    if (referring.includes(type.kind)) return this.#size(type.sizeOrType)
    if (type.kind === kinds.pointer) return 8
    if (type.kind === kinds.array) return this.#bytes.readUInt32LE(type.at + headBytes + 8) * this.#size(this.#elementOf(type))
    throw notAnObject(`its BTF has no size for type ${id}`)
  }
}

/** linux/bpf.h, of those that this program uses. */
export const mapTypes = { hash: 1, array: 2, perCpuHash: 5, perCpuArray: 6, lruHash: 9, hashOfMaps: 13, ringBuffer: 27 } as const

function sectionBytes({ sections }: ElfObject, name: string): Buffer {
  const section = sections.find((one) => one.name === name)
  if (!section) throw notAnObject(`it has no section ${name}`)
  return section.bytes
}
