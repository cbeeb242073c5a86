import { readFileSync } from 'node:fs'

/** However starved a process is, one in so many milliseconds of its silence counts. */
const leastShare = 1 / 10

/** Times since boot or since the process began, in ms, of which only differences count. */
export interface LostTime {
  /** The process was ready to run, and others ran: proc(5), `/proc/PID/schedstat`. */
  waitedMs: number
  /** Another virtual machine had the core: `steal` of proc(5), `/proc/stat`, the mean of the cores. */
  stolenMs: number
}

/**
 * For how long a process has said nothing though it could have. Time in which the machine did not let it run is not counted in full:
 * to restart what merely starves costs the very cores that it lacks, and takes down more the less there is to spare.
 */
export class Silence {
  readonly #read: (pid: number) => LostTime
  readonly #nowMs: () => number
  #sinceMs = 0
  #lost: LostTime = { waitedMs: 0, stolenMs: 0 }

  constructor(read: (pid: number) => LostTime = readLostTime, nowMs: () => number = () => performance.now()) {
    this.#read = read
    this.#nowMs = nowMs
  }

  /** It spoke just now, or has only begun. */
  end(pid: number): void {
    this.#sinceMs = this.#nowMs()
    this.#lost = this.#read(pid)
  }

  /** Milliseconds of silence that count. */
  ms(pid: number): number {
    const elapsedMs = this.#nowMs() - this.#sinceMs
    const { waitedMs, stolenMs } = this.#read(pid)
    const lostMs = Math.max(0, waitedMs - this.#lost.waitedMs) + Math.max(0, stolenMs - this.#lost.stolenMs)
    return Math.max(elapsedMs * leastShare, elapsedMs - lostMs)
  }
}

/** What the kernel says was lost; nothing where it does not say. The main thread answers for the process. */
export function readLostTime(pid: number): LostTime {
  const waitedNs = Number(read(`/proc/${pid}/schedstat`).split(' ')[1] ?? 0)
  const lines = read('/proc/stat').split('\n')
  const cores = lines.filter((line) => /^cpu\d/.test(line)).length
  // USER_HZ, which Linux shows as 100 everywhere.
  const stolenMs = (Number(lines[0]?.split(/\s+/)[8] ?? 0) * 10) / Math.max(1, cores)
  return { waitedMs: waitedNs / 1e6, stolenMs }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
