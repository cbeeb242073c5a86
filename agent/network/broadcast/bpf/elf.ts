import { HoldfastError } from '../../../../core/errors.ts'

/** One section of an object file. `relocations` are those that are to be made in it. */
export interface ElfSection {
  name: string
  bytes: Buffer
  relocations: ElfRelocation[]
}

export interface ElfSymbol {
  name: string
  /** Index of the section that it lies in; beyond all sections where it lies in none. */
  section: number
  offset: number
  kind: 'section' | 'function' | 'other'
}

export interface ElfRelocation {
  offset: number
  symbol: ElfSymbol
}

export interface ElfObject {
  sections: ElfSection[]
  symbols: ElfSymbol[]
}

/** elf(5): types of sections, of symbols, and the machine that is eBPF. */
const sectionTypes = { symbols: 2, nothing: 8, relocations: 9 } as const
const symbolKinds: Partial<Record<number, ElfSymbol['kind']>> = { 2: 'function', 3: 'section' }
const machineBpf = 247
const relocatable = 1

/** Reads an object file that clang made for eBPF: ELF of 64 bits, little-endian, not linked. Throws `bad-input` for anything else. */
export function parseElf(file: Buffer): ElfObject {
  return orUnusable(() => parse(file))
}

/** What is read, or `bad-input` where the bytes lead out of themselves. */
export function orUnusable<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof RangeError) throw notAnObject('it ends too early, or refers to what it does not have', cause)
    throw cause
  }
}

function parse(file: Buffer): ElfObject {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) throw notAnObject('it is no ELF file of 64 bits')
  if (file.readUInt16LE(16) !== relocatable || file.readUInt16LE(18) !== machineBpf) throw notAnObject('it was not compiled for eBPF')
  const tableAt = Number(file.readBigUInt64LE(40))
  const headers = Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
    const at = tableAt + index * 64
    const from = Number(file.readBigUInt64LE(at + 24))
    const size = Number(file.readBigUInt64LE(at + 32))
    const type = file.readUInt32LE(at + 4)
    if (type !== sectionTypes.nothing && from + size > file.length) throw notAnObject('a section lies beyond its end')
    const bytes = type === sectionTypes.nothing ? Buffer.alloc(0) : file.subarray(from, from + size)
    return { nameAt: file.readUInt32LE(at), type, bytes, link: file.readUInt32LE(at + 40), info: file.readUInt32LE(at + 44) }
  })
  const bytesOf = (index: number): Buffer => headers[index]?.bytes ?? Buffer.alloc(0)
  const names = bytesOf(file.readUInt16LE(62))
  const sections: ElfSection[] = headers.map(({ nameAt, bytes }) => ({ name: textAt(names, nameAt), bytes, relocations: [] }))

  const table = headers.find(({ type }) => type === sectionTypes.symbols)
  const symbolNames = bytesOf(table?.link ?? 0)
  const symbols = records(table?.bytes ?? Buffer.alloc(0), 24).map((symbol) => ({
    name: textAt(symbolNames, symbol.readUInt32LE(0)),
    section: symbol.readUInt16LE(6),
    offset: Number(symbol.readBigUInt64LE(8)),
    kind: symbolKinds[symbol.readUInt8(4) & 15] ?? 'other',
  }))
  for (const { type, info, bytes } of headers) {
    if (type !== sectionTypes.relocations) continue
    const target = sections[info]
    if (!target) throw notAnObject('relocations of no section')
    target.relocations = records(bytes, 16).map((relocation) => {
      const symbol = symbols[relocation.readUInt32LE(12)]
      if (!symbol) throw notAnObject('a relocation by no symbol')
      return { offset: Number(relocation.readBigUInt64LE(0)), symbol }
    })
  }
  return { sections, symbols }
}

function records(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
}

/** The text that starts there, up to its zero byte. */
export function textAt(strings: Buffer, offset: number): string {
  const end = strings.indexOf(0, offset)
  return strings.toString('latin1', offset, end < 0 ? strings.length : end)
}

/** What a file that is no object of ours is refused with. */
export function notAnObject(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'bad-input',
    `The eBPF object cannot be used: ${why}`,
    'Install the agent again from a whole package.',
    { reason: 'object-unusable' },
    { cause },
  )
}
