import { readFileSync } from 'node:fs'
import { isAlive, type ProcessId } from '../../runtime/process.ts'
import { Silence } from '../../supervisor/silence.ts'
import { Unixctl } from '../switch/unixctl.ts'

/** How often an ovs-vswitchd is asked for a sign of life. */
const periodMs = 100
/** A stopped process is looked at twice: it may be just about to go on. */
const stoppedForMs = 20
/** It neither answers nor works. */
const idleSilenceMs = 300
/** It works, and answers nobody: a long piece of work ends before that. */
const busySilenceMs = 2000

/** Of a process that has not answered: its state as in proc(5) (`T` stopped, `t` traced), for how long that counts, and how long of that it ran. */
export interface Symptoms {
  state: string
  silentMs: number
  ranMs: number
}

/** Whether a process that has not answered hangs. */
export function hangs({ state, silentMs, ranMs }: Symptoms): boolean {
  if (isStopped(state)) return silentMs >= stoppedForMs / 2
  return silentMs >= busySilenceMs || (silentMs >= idleSilenceMs && ranMs < silentMs / 2)
}

function isStopped(state: string): boolean {
  return state === 'T' || state === 't'
}

export interface PulseOptions {
  process: ProcessId
  /** Its control socket. */
  control: string
  /** Called once. `lastSignMs`: when it last answered, of `performance.now()`. */
  onLost(reason: 'killed' | 'hung', lastSignMs: number): void
}

/** Feels the pulse of an ovs-vswitchd: notices at once when it ends, and soon when it hangs. */
export class Pulse implements Disposable {
  readonly #options: PulseOptions
  readonly #silence = new Silence()
  readonly #timer: NodeJS.Timeout
  #connection: Unixctl | null = null
  #asked = false
  #lastSignMs = performance.now()
  #ranBeforeMs = 0
  #over = false

  constructor(options: PulseOptions) {
    this.#options = options
    this.#sign()
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
    if (!this.#asked) void this.#ask()
    // What it has answered is read before it is judged, however late this process itself is.
    else setImmediate(() => this.#judge())
    if (isStopped(readRun(process.pid).state)) setTimeout(() => this.#judge(), stoppedForMs)
  }

  async #ask(): Promise<void> {
    this.#asked = true
    // Silence counts from the question on.
    this.#sign(this.#lastSignMs)
    try {
      this.#connection ??= await this.#connect()
      await this.#connection.call('version')
      this.#sign()
      this.#asked = false
    } catch {
      // Nobody listens there: it has ended, or the next beat asks again.
      this.#asked = false
    }
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
    if (hangs({ state, silentMs: this.#silence.ms(pid), ranMs: ranMs - this.#ranBeforeMs })) this.#lost('hung')
  }

  #sign(atMs = performance.now()): void {
    this.#lastSignMs = atMs
    this.#silence.end(this.#options.process.pid)
    this.#ranBeforeMs = readRun(this.#options.process.pid).ranMs
  }

  #lost(reason: 'killed' | 'hung'): void {
    if (this.#over) return
    this[Symbol.dispose]()
    this.#options.onLost(reason, this.#lastSignMs)
  }
}

/** State of a process, and for how long its main thread has run; what cannot be read is that of one that does nothing. */
function readRun(pid: number): { state: string; ranMs: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [ranNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
    return { state: stat[stat.lastIndexOf(')') + 2]!, ranMs: Number(ranNs) / 1e6 }
  } catch {
    return { state: 'X', ranMs: 0 }
  }
}
