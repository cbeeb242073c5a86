import { type Btf, type FunctionInfo } from './btf.ts'
import { notAnObject, type ElfObject, type ElfSection, type ElfSymbol } from './elf.ts'
import { attachTypes } from './link.ts'
import { bpf, bpfError, cString, errnos } from './syscall.ts'

/** Instructions that refer to nothing outside of them but maps by descriptor, and what the kernel is to know of their functions. */
export interface LinkedProgram {
  instructions: Buffer
  functions: FunctionInfo[]
}

/** Bytes of an instruction: opcode, registers, offset of 16 bits, immediate of 32 (RFC 9669). */
const instructionBytes = 8
const opcodes = { loadImmediate64: 0x18, call: 0x85 } as const
/** What the source register of these instructions says of the immediate, linux/bpf.h. */
const pseudo = { mapDescriptor: 1, call: 1, function: 4 } as const
/** Of functions that are called or called back: one each, for clang's `-ffunction-sections`. */
const shared = '.text'

/**
 * The program in a section, with the functions that it uses behind it, and descriptors of maps in place of their names. Throws `bad-input` for
 * what this does not know.
 */
export function linkProgram(object: ElfObject, btf: Btf, section: string, maps: ReadonlyMap<string, number>): LinkedProgram {
  // The verifier refuses functions that nothing leads to.
  const parts = [sectionOf(object, section)]
  const used = (symbol: ElfSymbol): ElfSection | undefined => {
    const found = object.sections[symbol.section]
    return found?.name.startsWith(shared) ? found : undefined
  }
  for (const { relocations } of parts) {
    for (const { symbol } of relocations) {
      const part = used(symbol)
      if (part && !parts.includes(part)) parts.push(part)
    }
  }
  const instructions = Buffer.concat(parts.map(({ bytes }) => bytes))
  const bases = new Map<ElfSection, number>()
  let end = 0
  for (const part of parts) {
    bases.set(part, end)
    end += part.bytes.length
  }
  for (const part of parts) {
    for (const { offset, symbol } of part.relocations) {
      const at = bases.get(part)! + offset
      const map = maps.get(symbol.name)
      const target = used(symbol)
      if (target) point(instructions, at, bases.get(target)! + symbol.offset, symbol.kind === 'section')
      else if (map !== undefined && instructions[at] === opcodes.loadImmediate64) setImmediate(instructions, at, pseudo.mapDescriptor, map)
      else throw notAnObject(`it refers to ${symbol.name || object.sections[symbol.section]?.name || 'something'}, which is no map`)
    }
  }
  const told = btf.functions()
  const functions = parts.flatMap((part) => told.get(part.name)?.map(({ offset, typeId }) => ({ offset: offset + bases.get(part)!, typeId })) ?? [])
  return { instructions, functions }
}

/** Has an instruction call a function, or load where it is. By its section alone, the instruction itself says where in it. */
function point(instructions: Buffer, at: number, target: number, bySection: boolean): void {
  const immediate = instructions.readInt32LE(at + 4)
  if (instructions[at] === opcodes.call) {
    const within = bySection ? (immediate + 1) * instructionBytes : 0
    setImmediate(instructions, at, pseudo.call, (target + within - at) / instructionBytes - 1)
  } else if (instructions[at] === opcodes.loadImmediate64) {
    setImmediate(instructions, at, pseudo.function, (target + (bySection ? immediate : 0) - at) / instructionBytes - 1)
  } else {
    throw notAnObject(`an instruction of opcode ${instructions[at]} refers to a function`)
  }
}

function setImmediate(instructions: Buffer, at: number, source: number, immediate: number): void {
  instructions[at + 1] = (instructions[at + 1]! & 0x0f) | (source << 4)
  instructions.writeInt32LE(immediate, at + 4)
}

const logBytes = 1 << 20
const logTailBytes = 2_000
const loadAttempts = 10
/** linux/bpf.h: what a program in a section is, and where it may be attached. */
const kinds: Partial<Record<string, { type: number; attachType: number }>> = {
  'tcx/ingress': { type: 3, attachType: attachTypes.ingress },
  'tcx/egress': { type: 3, attachType: attachTypes.egress },
  'xdp': { type: 6, attachType: attachTypes.xdp },
  'xdp/probe': { type: 6, attachType: attachTypes.xdp },
  'raw_tp/xdp_devmap_xmit': { type: 17, attachType: 0 },
  'xdp/devmap': { type: 6, attachType: 33 },
}

/** Gives the types of an object to the kernel, which wants them of programs that are called back. Answers a descriptor. */
export function loadBtf(btf: Btf): number {
  const bytes = btf.completed()
  const log = Buffer.alloc(logBytes)
  const descriptor = bpf('btfLoad', { btf: bytes, bytes: bytes.length, log, logBytes, logLevel: 1 })
  if (descriptor >= 0) return descriptor
  const reason = -descriptor === errnos.EPERM || -descriptor === errnos.ENOSYS ? undefined : 'no-btf'
  throw bpfError(-descriptor, 'take the types of the program', { ...(reason && { reason }), log: tailOf(log) })
}

/** Loads the program in a section, by which the kernel is told what it is for; answers its descriptor. Throws what the verifier said at the end of its log. */
export function loadProgram(options: { object: ElfObject; section: string; program: LinkedProgram; btf: number }): number {
  const { object, section, program, btf } = options
  const { name, license } = programNames(object, section)
  const kind = kinds[section]
  if (!kind) throw notAnObject(`a program for ${section} is not known`)
  const functionInfo = Buffer.alloc(program.functions.length * 8)
  program.functions.forEach(({ offset, typeId }, index) => {
    functionInfo.writeUInt32LE(offset / instructionBytes, index * 8)
    functionInfo.writeUInt32LE(typeId, index * 8 + 4)
  })
  const fields = {
    type: kind.type,
    instructionCount: program.instructions.length / instructionBytes,
    instructions: program.instructions,
    license: cString(license),
    name: name.slice(0, 15),
    expectedAttachType: kind.attachType,
    btf,
    functionInfoBytes: 8,
    functionInfo,
    functionInfoCount: program.functions.length,
  }
  const descriptor = patiently(fields)
  if (descriptor >= 0) return descriptor
  const notRead: readonly number[] = [errnos.EPERM, errnos.ENOSYS, errnos.EAGAIN]
  if (notRead.includes(-descriptor)) throw bpfError(-descriptor, `load the program ${name}`)
  // The log costs the kernel much more than the program, so it is asked for only where there is something to read.
  const log = Buffer.alloc(logBytes)
  const again = patiently({ ...fields, log, logBytes, logLevel: 1 })
  if (again >= 0) return again
  throw bpfError(-again, `load the program ${name}`, { reason: 'verifier-refused', log: tailOf(log) })
}

/** The verifier gives up with EAGAIN where a signal comes for the process, as libbpf has it too. */
function patiently(fields: Parameters<typeof bpf>[1]): number {
  for (let attempt = 1; ; attempt++) {
    const result = bpf('programLoad', fields)
    if (result !== -errnos.EAGAIN || attempt === loadAttempts) return result
  }
}

/** Name of the function that a section begins with, and the license that the object declares. */
function programNames(object: ElfObject, section: string): { name: string; license: string } {
  const index = object.sections.indexOf(sectionOf(object, section))
  const name = object.symbols.find((symbol) => symbol.section === index && symbol.kind === 'function')?.name
  if (name === undefined) throw notAnObject(`its section ${section} has no function`)
  return { name, license: sectionOf(object, 'license').bytes.toString('latin1').replace(/\0.*$/s, '') }
}

function sectionOf({ sections }: ElfObject, name: string): ElfSection {
  const found = sections.find((section) => section.name === name)
  if (!found) throw notAnObject(`it has no section ${name}`)
  return found
}

function tailOf(log: Buffer): string {
  const end = log.indexOf(0)
  return log
    .toString('latin1', 0, end < 0 ? log.length : end)
    .trimEnd()
    .slice(-logTailBytes)
}
