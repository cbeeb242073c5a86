import koffi, { type TypeObject } from 'koffi'
import { HoldfastError } from '../../../../core/errors.ts'

/** Why the kernel grants no eBPF, for `data.reason` of an error. */
export type BpfRefusal = 'no-rights' | 'no-bpf' | 'no-btf' | 'no-tcx' | 'verifier-refused'

export const errnos = {
  EPERM: 1,
  ENOENT: 2,
  E2BIG: 7,
  EAGAIN: 11,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ERANGE: 34,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
} as const

const name = koffi.array('char', 16)
/** What bpf(2) can do, by the part of `union bpf_attr` (linux/bpf.h) that each command takes. Pointers are given as buffers. */
const commands = {
  mapCreate: command(0, {
    type: 'uint32',
    keyBytes: 'uint32',
    valueBytes: 'uint32',
    maxEntries: 'uint32',
    flags: 'uint32',
    innerMap: 'uint32',
    numaNode: 'uint32',
    name,
  }),
  mapLookup: command(1, { map: 'uint32', key: 'const void *', value: 'void *', flags: 'uint64' }),
  mapUpdate: command(2, { map: 'uint32', key: 'const void *', value: 'const void *', flags: 'uint64' }),
  mapDelete: command(3, { map: 'uint32', key: 'const void *' }),
  mapNextKey: command(4, { map: 'uint32', key: 'const void *', next: 'void *' }),
  mapUpdateBatch: command(26, {
    inBatch: 'uint64',
    outBatch: 'uint64',
    keys: 'const void *',
    values: 'const void *',
    count: 'uint32',
    map: 'uint32',
    elementFlags: 'uint64',
    flags: 'uint64',
  }),
  mapDeleteBatch: command(27, {
    inBatch: 'uint64',
    outBatch: 'uint64',
    keys: 'const void *',
    values: 'const void *',
    count: 'uint32',
    map: 'uint32',
    elementFlags: 'uint64',
    flags: 'uint64',
  }),
  mapById: command(14, { id: 'uint32', next: 'uint32', flags: 'uint32' }),
  programLoad: command(5, {
    type: 'uint32',
    instructionCount: 'uint32',
    instructions: 'const void *',
    license: 'const void *',
    logLevel: 'uint32',
    logBytes: 'uint32',
    log: 'void *',
    kernelVersion: 'uint32',
    flags: 'uint32',
    name,
    ifindex: 'uint32',
    expectedAttachType: 'uint32',
    btf: 'uint32',
    functionInfoBytes: 'uint32',
    functionInfo: 'const void *',
    functionInfoCount: 'uint32',
  }),
  testRun: command(10, {
    program: 'uint32',
    answer: 'uint32',
    dataBytes: 'uint32',
    dataOutBytes: 'uint32',
    data: 'const void *',
    dataOut: 'void *',
    repeat: 'uint32',
    durationNs: 'uint32',
    contextBytes: 'uint32',
    contextOutBytes: 'uint32',
    context: 'const void *',
    contextOut: 'void *',
    flags: 'uint32',
    cpu: 'uint32',
    batch: 'uint32',
  }),
  pin: command(6, { path: 'const void *', object: 'uint32', flags: 'uint32' }),
  get: command(7, { path: 'const void *', object: 'uint32', flags: 'uint32' }),
  info: command(15, { object: 'uint32', bytes: 'uint32', info: 'void *' }),
  rawTracepointOpen: command(17, { name: 'const void *', program: 'uint32' }),
  btfLoad: command(18, { btf: 'const void *', log: 'void *', bytes: 'uint32', logBytes: 'uint32', logLevel: 'uint32' }),
  linkCreate: command(28, {
    program: 'uint32',
    ifindex: 'uint32',
    attachType: 'uint32',
    flags: 'uint32',
    relative: 'uint32',
    pad: 'uint32',
    revision: 'uint64',
  }),
  linkDetach: command(34, { link: 'uint32' }),
  linkUpdate: command(29, { link: 'uint32', program: 'uint32', flags: 'uint32', oldProgram: 'uint32' }),
} as const

export type BpfCommand = keyof typeof commands
type Fields = Partial<Record<string, number | bigint | string | Uint8Array | null>>

interface Command {
  number: number
  /** All fields, empty: koffi wants each of them. */
  blank: Fields
  pointer: TypeObject
  bytes: number
}

function command(number: number, fields: Record<string, TypeObject | string>): Command {
  const layout = koffi.struct(fields)
  const empty = (type: TypeObject | string): string | number | null => (type === name ? '' : String(type).includes('*') ? null : 0)
  const blank = Object.fromEntries(Object.entries(fields).map(([field, type]) => [field, empty(type)]))
  return { number, blank, pointer: koffi.pointer(layout), bytes: koffi.sizeof(layout) }
}

const systemCalls: Partial<Record<NodeJS.Architecture, number>> = { x64: 321, arm64: 280 }
let syscall: ((number: number, command: number, attributes: unknown, bytes: number) => number | bigint) | undefined

/** bpf(2). Answers what the kernel answers, or an errno below 0. */
export function bpf(command: BpfCommand, fields: Fields): number {
  const number = systemCalls[process.arch]
  if (number === undefined) return -errnos.ENOSYS
  syscall ??= koffi.load(null).func('long syscall(long, int, void *, uint)') as unknown as typeof syscall
  const { number: commandNumber, blank, pointer, bytes } = commands[command]
  const result = Number(syscall!(number, commandNumber, koffi.as({ ...blank, ...fields }, pointer), bytes))
  return result < 0 ? -koffi.errno() : result
}

/** `bpf` where any errno is a failure. `doing` finishes the sentence "The kernel refused to …". */
export function mustBpf(command: BpfCommand, fields: Fields, doing: string): number {
  const result = bpf(command, fields)
  if (result < 0) throw bpfError(-result, doing)
  return result
}

/** The error for an errno of bpf(2). */
export function bpfError(errno: number, doing: string, data: { reason?: BpfRefusal; log?: string } = {}): HoldfastError {
  const reason = data.reason ?? (errno === errnos.EPERM ? 'no-rights' : errno === errnos.ENOSYS ? 'no-bpf' : undefined)
  const code = reason === undefined ? 'internal' : reason === 'verifier-refused' ? 'internal' : 'not-supported'
  const hint = reason === undefined ? 'See the log of the kernel.' : hints[reason]
  return new HoldfastError(code, `The kernel refused to ${doing}: errno ${errno}`, hint, { errno, ...data, ...(reason && { reason }) })
}

const hints: Record<BpfRefusal, string> = {
  'no-rights':
    'The agent must run as root, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (capabilities(7)), and not within a container that forbids bpf(2).',
  'no-bpf': 'This kernel has no eBPF. Give the role to a host with Linux 6.6 or newer.',
  'no-btf': 'This kernel takes no BTF. Give the role to a host with Linux 6.6 or newer that was built with CONFIG_DEBUG_INFO_BTF.',
  'no-tcx': 'This kernel has no tcx. Give the role to a host with Linux 6.6 or newer.',
  'verifier-refused': 'This is a defect, or a kernel that the program was never tried on: report it with the end of the verifier’s log.',
}

/** A path or text as the kernel reads it. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}
