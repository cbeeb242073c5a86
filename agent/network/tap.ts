import { spawn, type ChildProcess } from 'node:child_process'
import { HoldfastError } from '../../core/errors.ts'
import { programEnv, runProgram } from '../runtime/programs.ts'
import { PcapStream, type CapturedPacket } from './pcap-stream.ts'

/** What ended taps have counted, from what tcpdump(8) says at its end. */
export interface TapCounts {
  captured: number
  /** Null where tcpdump did not say. */
  lost: number | null
}

/** Frames that wait in the kernel for tcpdump, in KiB. */
const bufferKib = 8192

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
  #counts = false
  #lost = 0
  /** Resolves when it stands; rejects when it cannot. */
  readonly armed: Promise<void>
  /** Resolves when it has ended. */
  readonly ended: Promise<TapCounts>

  constructor({ device, filter, snapBytes, enter = [], onPackets }: TapOptions) {
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
      this.#counts ||= this.#words.includes('listening on')
      this.#lost = lostUntilNow(this.#words) ?? this.#lost
    })
    this.ended = new Promise((resolve) =>
      child.once('close', () => resolve(countsOf(this.#words))).once('error', () => resolve({ captured: 0, lost: null })),
    )
  }

  /** Asks how many packets were lost until now; `lost` knows it a moment later. */
  count(): void {
    if (this.#counts) this.#child.kill('SIGUSR1')
  }

  /** What it last said that it has lost. */
  get lost(): number {
    return this.#lost
  }

  /** Ends it; what was captured comes before `ended`. */
  end(): Promise<TapCounts> {
    this.#child.kill('SIGINT')
    return this.ended
  }
}

/** Reads tcpdump's last words: `N packets captured`, `N packets dropped by kernel`. */
export function countsOf(words: string): TapCounts {
  const number = (pattern: RegExp): number | null => {
    const found = pattern.exec(words)?.[1]
    return found === undefined ? null : Number(found)
  }
  return { captured: number(/^(\d+) packets? captured/m) ?? 0, lost: number(/^(\d+) packets? dropped by kernel/m) }
}

/** Reads what tcpdump last said when it was asked (SIGUSR1): a line, unlike its last words. Null: nothing yet. */
export function lostUntilNow(words: string): number | null {
  const found = [...words.matchAll(/, (\d+) packets? dropped by kernel/g)].at(-1)?.[1]
  return found === undefined ? null : Number(found)
}
