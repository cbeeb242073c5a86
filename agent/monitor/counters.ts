import { closeSync, openSync, readSync } from 'node:fs'
import type { Env } from '../../core/env.ts'
import { parseCpuTicks, parseDiskCounters, parseLoad1, parseMemory, parseNicCounters, type DiskCounters } from './proc.ts'
import type { Counters } from './sampling.ts'

/** Longest text of a file of `/proc` that is read; more (hundreds of NICs) is cut at the last whole line. */
const maxFileBytes = 256 * 1024

/** Reads the host's counters through descriptors that stay open, into one buffer, without waiting: it runs every second for years. */
export class CounterReader implements Disposable {
  readonly #buffer = Buffer.allocUnsafe(maxFileBytes)
  readonly #files = new Map<string, number>()
  readonly #env: Env

  constructor(env: Env) {
    this.#env = env
  }

  /** Null when the kernel lacks one of the files. `disks` maps device numbers (`major:minor`) to the names to report. */
  read(disks: ReadonlyMap<string, string>): Counters | null {
    const cpu = parseCpuTicks(this.#text('/proc/stat', 1024))
    const memory = parseMemory(this.#text('/proc/meminfo', 4096))
    const load1 = parseLoad1(this.#text('/proc/loadavg', 128))
    if (!cpu || !memory || load1 === null) return null
    const nics = parseNicCounters(this.#text('/proc/self/net/dev'))
    const byNumber = disks.size > 0 ? parseDiskCounters(this.#text('/proc/diskstats')) : new Map<string, DiskCounters>()
    const named = [...disks].flatMap(([number, name]) => {
      const counters = byNumber.get(number)
      return counters ? [[name, counters] as const] : []
    })
    return { monotonicMs: this.#env.monotonicMs(), wallMs: this.#env.wallMs(), cpu, memory, load1, nics, disks: new Map(named) }
  }

  #text(path: string, bytes = maxFileBytes): string {
    try {
      const fd = this.#files.get(path) ?? openSync(path, 'r')
      this.#files.set(path, fd)
      let length = 0
      // The kernel hands some of these files out a page at a time.
      while (length < bytes) {
        const read = readSync(fd, this.#buffer, length, bytes - length, length)
        if (read === 0) return this.#buffer.toString('utf8', 0, length)
        length += read
      }
      return this.#buffer.toString('utf8', 0, this.#buffer.lastIndexOf(10, length - 1) + 1)
    } catch {
      return ''
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#files.values()) closeSync(fd)
    this.#files.clear()
  }
}
