import koffi from 'koffi'
import { HoldfastError } from '../../../../core/errors.ts'

const protection = { read: 1, write: 2 } as const
const mapShared = 1
/** linux/bpf.h: bits of a record's length. */
const busyBit = 0x8000_0000
const discardBit = 0x4000_0000
const headerBytes = 8

/**
 * Reads what programs write to a ring buffer map: Documentation/bpf/ringbuf.rst. Its first page holds how far was read, the second how far
 * was written; then the data, mapped twice in a row, so that no record is ever in two pieces.
 */
export class RingBuffer implements Disposable {
  readonly #consumer: BigUint64Array
  readonly #producer: BigUint64Array
  readonly #data: Buffer
  readonly #mask: number
  readonly #poll: ReturnType<typeof koffi.node.poll>
  readonly #regions: [address: unknown, bytes: number][] = []

  /** Calls back for every record from now on; the bytes are valid during the call only. Keeps no process alive. */
  constructor(map: number, dataBytes: number, onRecord: (record: Buffer) => void) {
    const pageBytes = memory().sysconf(pageSizeName)
    const consumer = this.#map(map, pageBytes, 0, protection.read | protection.write)
    const producer = this.#map(map, pageBytes + 2 * dataBytes, pageBytes, protection.read)
    this.#consumer = new BigUint64Array(consumer, 0, 1)
    this.#producer = new BigUint64Array(producer, 0, 1)
    this.#data = Buffer.from(producer, pageBytes)
    this.#mask = dataBytes - 1
    // What nobody was there to read may be the oldest of much, and what came after it lost.
    Atomics.store(this.#consumer, 0, Atomics.load(this.#producer, 0))
    this.#poll = koffi.node.poll(map, { readable: true }, () => this.#drain(onRecord))
    this.#poll.unref()
  }

  #drain(onRecord: (record: Buffer) => void): void {
    let position = Atomics.load(this.#consumer, 0)
    while (position < Atomics.load(this.#producer, 0)) {
      const at = Number(position) & this.#mask
      const length = this.#data.readUInt32LE(at)
      // Still being written; the kernel wakes us when it is done.
      if (length >= busyBit) return
      const bytes = length & ~discardBit
      if (bytes === length) onRecord(this.#data.subarray(at + headerBytes, at + headerBytes + bytes))
      position += BigInt(Math.ceil((bytes + headerBytes) / 8) * 8)
      Atomics.store(this.#consumer, 0, position)
    }
  }

  #map(descriptor: number, bytes: number, offset: number, access: number): ArrayBuffer {
    const address = memory().mmap(null, bytes, access, mapShared, descriptor, offset)
    if (BigInt.asIntN(64, koffi.address(address)) === -1n)
      throw new HoldfastError('internal', `A ring buffer cannot be read: errno ${koffi.errno()}`, 'See the log of the kernel.')
    this.#regions.push([address, bytes])
    return koffi.view(address, bytes)
  }

  [Symbol.dispose](): void {
    this.#poll.close()
    for (const [address, bytes] of this.#regions) memory().munmap(address, bytes)
  }
}

/** sysconf(3): _SC_PAGESIZE of glibc and musl. */
const pageSizeName = 30

interface Memory {
  mmap(address: null, bytes: number, protection: number, flags: number, descriptor: number, offset: number): unknown
  munmap(address: unknown, bytes: number): number
  sysconf(name: number): number
}

let functions: Memory | undefined

function memory(): Memory {
  if (functions) return functions
  const self = koffi.load(null)
  functions = {
    mmap: self.func('void *mmap(void *, size_t, int, int, int, int64)'),
    munmap: self.func('int munmap(void *, size_t)'),
    sysconf: self.func('long sysconf(int)'),
  } as unknown as Memory
  return functions
}
