import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../core/errors.ts'
import { endProcess, identifyProcess, readPidFile, removePidFile, writePidFile } from '../runtime/process.ts'
import { programEnv, runProgram } from '../runtime/programs.ts'
import { PcapStream, type CapturedPacket } from './pcap-stream.ts'
import { statisticsOf, waitingOf, type TapCounts, type TapStatistics } from './tap-counts.ts'

const pidPrefix = 'tap-'

/** Frames that wait in the kernel for tcpdump, in KiB. */
const bufferKib = 8192

/** How long a tap that is to end may go on taking what waits for it. */
const drainMs = 1000
const drainPauseMs = 20

/** Checks a filter without capturing anything. Throws `bad-input` with what is wrong with it. */
export async function checkFilter(filter: string): Promise<void> {
  try {
    await runProgram(['tcpdump', '-y', 'EN10MB', '-d', '--', filter])
  } catch (cause) {
    const words = (cause as Error).message.split('tcpdump: ').at(-1) ?? ''
    throw new HoldfastError(
      'bad-input',
      `${JSON.stringify(filter)} is no filter: ${words}`,
      'See pcap-filter(7) for the syntax.',
      { filter },
      { cause },
    )
  }
}

export interface TapOptions {
  device: string
  /** In the syntax of pcap-filter(7). */
  filter: string
  snapBytes: number
  /** Directory of its pid file, by which it is ended if this process cannot: see `endLeftTaps`. */
  run: string
  /** Program and arguments that put what follows them into other namespaces. */
  enter?: readonly string[]
  onPackets(packets: CapturedPacket[]): void
}

/** Packets at one network device that pass a filter, while it stands. It costs nothing before and after. */
export class Tap {
  readonly #child: ChildProcess
  readonly #stream = new PcapStream()
  #words = ''
  /** Whether it answers `count`, which would end one that does not listen yet. */
  #answers = false
  #said: TapStatistics | null = null
  /** The least that ever waited: what never will be taken. */
  #neverTaken = Infinity
  #wake: () => void = () => undefined
  /** Resolves when it stands; rejects when it cannot. */
  readonly armed: Promise<void>
  /** Resolves when it has ended. */
  readonly ended: Promise<TapCounts>

  constructor({ device, filter, snapBytes, run, enter = [], onPackets }: TapOptions) {
    const argv = [
      ...enter,
      'tcpdump',
      '-i',
      device,
      '-n',
      '-p',
      '-U',
      '--immediate-mode',
      '-B',
      String(bufferKib),
      '-s',
      String(snapBytes),
      '-w',
      '-',
      '--',
      filter,
    ]
    const child = spawn(argv[0]!, argv.slice(1), { env: programEnv, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const id = child.pid === undefined ? null : identifyProcess(child.pid)
    const pidFile = join(run, `${pidPrefix}${child.pid}.pid`)
    if (id) writePidFile(pidFile, id)
    child.once('close', () => removePidFile(pidFile))
    this.armed = new Promise((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        try {
          const packets = this.#stream.push(chunk)
          if (this.#stream.begun) resolve()
          if (packets.length > 0) onPackets(packets)
        } catch {
          child.kill('SIGKILL')
        }
      })
      child.once('error', reject)
      child.once('close', () => reject(new Error(this.#words.trim() || `tcpdump on ${device} ended at once`)))
    })
    // Whoever waits for `armed` hears of it; nobody has to.
    this.armed.catch(() => undefined)
    child.stderr.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString()).slice(-2000)
      this.#answers ||= this.#words.includes('listening on')
      const said = statisticsOf(this.#words, 'asked')
      if (said) this.#heard(said)
      else this.count()
    })
    this.ended = new Promise((resolve) =>
      child.once('close', () => resolve(this.#counts())).once('error', () => resolve({ captured: 0, lost: null })),
    )
  }

  /** Asks how many packets were lost until now; `lost` knows it a moment later. */
  count(): void {
    if (this.#answers) this.#child.kill('SIGUSR1')
  }

  /** What it last said that it has lost. */
  get lost(): number {
    return this.#said?.dropped ?? 0
  }

  /** Ends it; what was captured comes before `ended`. What waits in the kernel is taken first, if that goes fast. */
  async end(): Promise<TapCounts> {
    const endMs = performance.now() + drainMs
    while (this.#answers && this.#child.exitCode === null && performance.now() < endMs) {
      const answered = new Promise<void>((resolve) => (this.#wake = resolve))
      this.count()
      await Promise.race([answered, this.ended, sleep(endMs - performance.now(), undefined, { ref: false })])
      if (this.#said && waitingOf(this.#said) <= this.#neverTaken) break
      await sleep(drainPauseMs)
    }
    this.#child.kill('SIGINT')
    return this.ended
  }

  #heard(said: TapStatistics): void {
    this.#said = said
    this.#neverTaken = Math.min(this.#neverTaken, waitingOf(said))
    this.#wake()
  }

  #counts(): TapCounts {
    const said = statisticsOf(this.#words, 'ended')
    if (!said) return { captured: 0, lost: null }
    return { captured: said.captured, lost: said.dropped + Math.max(0, waitingOf(said) - this.#neverTaken) }
  }
}

/** Ends the taps of a process before this one, which was killed: one ends by itself only when it sees a packet. `run`: see `TapOptions`. */
export async function endLeftTaps(run: string): Promise<void> {
  const files = readdirSync(run).filter((name) => name.startsWith(pidPrefix) && name.endsWith('.pid'))
  await Promise.all(
    files.map(async (name) => {
      const left = readPidFile(join(run, name))
      if (left) await endProcess(left, 0)
      removePidFile(join(run, name))
    }),
  )
}
