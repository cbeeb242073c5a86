import { readFileSync } from 'node:fs'
import { isAlive, type ProcessId } from '../../runtime/process.ts'
import { Silence } from '../../supervisor/silence.ts'
import { Unixctl } from '../switch/unixctl.ts'

/** How often an ovs-vswitchd is asked for a sign of life. */
const periodMs = 100
/** A stopped process is looked at twice: it may be just about to go on. */
const stoppedForMs = 20
/** It neither answers nor works: it waits for itself. */
const idleSilenceMs = 200
/** It works, or the kernel makes it wait (e.g. while many devices are removed), and so answers nobody: that ends before. */
const busySilenceMs = 2000

/** Of a process that runs and has not answered in time: its state as in proc(5), for how long since that counts, and how long of that it worked. */
export interface Symptoms {
  state: string
  silentMs: number
  ranMs: number
}

/** Whether a process that has not answered hangs. */
export function hangs({ state, silentMs, ranMs }: Symptoms): boolean {
  const busy = state === 'D' || ranMs >= silentMs / 2
  return silentMs >= (busy ? busySilenceMs : idleSilenceMs)
}

export interface PulseOptions {
  process: ProcessId
  /** Its control socket. */
  control: string
  /** The command that it is asked, any that costs it little, with its parameters. */
  question: readonly [command: string, ...params: string[]]
  onAnswer(answer: string): void
  /** Called once. `lastSignMs`: when it last answered, of `performance.now()`. */
  onLost(reason: 'killed' | 'hung', lastSignMs: number): void
}

/** Feels the pulse of an ovs-vswitchd: notices at once when it ends, and soon when it hangs. */
export class Pulse implements Disposable {
  readonly #options: PulseOptions
  readonly #timer: NodeJS.Timeout
  readonly #silence = new Silence()
  #connection: Unixctl | null = null
  #asked = false
  #lastSignMs = performance.now()
  /** How long it had worked when its silence began; null while it answers. */
  #ranBeforeMs: number | null = null
  #over = false

  constructor(options: PulseOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#beat(), periodMs)
    this.#beat()
  }

  [Symbol.dispose](): void {
    this.#over = true
    clearInterval(this.#timer)
    this.#connection?.[Symbol.dispose]()
  }

  #beat(): void {
    const { process } = this.#options
    if (!isAlive(process)) return this.#lost('killed')
    if (isStopped(process.pid)) setTimeout(() => isStopped(process.pid) && this.#lost('hung'), stoppedForMs)
    if (!this.#asked) void this.#ask()
    // What it has answered is read before it is judged, however late this process itself is.
    else setImmediate(() => this.#judge())
  }

  async #ask(): Promise<void> {
    this.#asked = true
    try {
      this.#connection ??= await this.#connect()
      const answer = await this.#connection.call(...this.#options.question)
      this.#lastSignMs = performance.now()
      this.#options.onAnswer(answer)
    } catch {
      // Nobody listens there: it has ended, or the next beat asks again.
    }
    this.#asked = false
    this.#ranBeforeMs = null
  }

  async #connect(): Promise<Unixctl> {
    const connection = await Unixctl.connect(this.#options.control)
    // One that ends closes this first; until all its packet sockets are closed, too, it still counts as a process.
    connection.onClose(() => this.#lost('killed'))
    return connection
  }

  #judge(): void {
    if (this.#over || !this.#asked) return
    const { pid } = this.#options.process
    const { state, ranMs } = readRun(pid)
    if (this.#ranBeforeMs === null) {
      this.#silence.end(pid)
      this.#ranBeforeMs = ranMs
    } else if (hangs({ state, silentMs: this.#silence.ms(pid), ranMs: ranMs - this.#ranBeforeMs })) this.#lost('hung')
  }

  #lost(reason: 'killed' | 'hung'): void {
    if (this.#over) return
    this[Symbol.dispose]()
    this.#options.onLost(reason, this.#lastSignMs)
  }
}

/** By a signal or by a debugger: proc(5). */
function isStopped(pid: number): boolean {
  return ['T', 't'].includes(readState(pid))
}

function readState(pid: number): string {
  const stat = read(`/proc/${pid}/stat`)
  return stat[stat.lastIndexOf(')') + 2] ?? 'X'
}

/** State of a process, and for how long its main thread has run; what cannot be read is that of one that does nothing. */
function readRun(pid: number): { state: string; ranMs: number } {
  return { state: readState(pid), ranMs: Number(read(`/proc/${pid}/schedstat`).split(' ')[0]) / 1e6 }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
