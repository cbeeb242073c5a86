import { execFile, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { HoldfastError } from '../../../core/errors.ts'
import { programEnv } from '../../runtime/programs.ts'

const maxOutputBytes = 256 * 1024 * 1024

/** A program of Open vSwitch that was started and waits for its input. */
export class OvsProgram {
  readonly #child: ChildProcess
  readonly #end: Promise<string>
  readonly #program: string
  #timedOutMs: number | null = null

  /** `alsoOk`: an exit status other than 0 that is no failure. `signal`: ends it, and fails it as aborted. */
  constructor(program: string, args: readonly string[], { alsoOk, signal }: { alsoOk?: number; signal?: AbortSignal | undefined } = {}) {
    this.#program = program
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    this.#end = promise
    // Who never gives it its input does not ask how it ended.
    promise.catch(() => undefined)
    const options = { env: programEnv, maxBuffer: maxOutputBytes, killSignal: 'SIGKILL', ...(signal && { signal }) } as const
    this.#child = execFile(program, args, options, (error, stdout, stderr) => {
      if (!error || error.code === alsoOk) resolve(stdout)
      else if (signal?.aborted) reject(error)
      else if ((error as NodeJS.ErrnoException).code === 'ENOENT') reject(ovsMissing(program))
      else if (this.#timedOutMs !== null)
        reject(new HoldfastError('timeout', `${program} took longer than ${this.#timedOutMs} ms`, 'Open vSwitch hangs or starves.'))
      else {
        const words = stderr.trim().slice(-2000)
        reject(new HoldfastError('step-failed', `${program} ${args.join(' ').slice(0, 200)}: ${words}`, 'See the log of Open vSwitch.'))
      }
    })
    // A program that ends without reading its input closes the pipe; its status says the rest.
    this.#child.stdin?.on('error', () => undefined)
  }

  /** Lets this process end while it waits: then it gets no input at all, and ends as well. */
  unref(): this {
    this.#child.unref()
    // Pipes to a child are sockets.
    for (const pipe of this.#child.stdio) (pipe as Socket).unref()
    return this
  }

  /** Whether it is still there to be given its input. */
  get waits(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /**
   * Gives it all its input and answers its stdout. Throws `system-unsupported` where the program is missing, `step-failed` with its words,
   * `timeout` after `timeoutMs`.
   */
  async finish(input = '', timeoutMs = 10_000): Promise<string> {
    const timer = setTimeout(() => {
      this.#timedOutMs = timeoutMs
      this.end()
    }, timeoutMs)
    this.#child.stdin?.end(input)
    try {
      return await this.#end
    } finally {
      clearTimeout(timer)
    }
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Runs a program of Open vSwitch and answers its stdout; see `OvsProgram`. */
export function runOvs(
  program: string,
  args: readonly string[],
  { input, timeoutMs, ...options }: { input?: string; alsoOk?: number; timeoutMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  return new OvsProgram(program, args, options).finish(input, timeoutMs)
}

/** What to say where a program of Open vSwitch is not installed. */
export function ovsMissing(program: string): HoldfastError {
  return new HoldfastError('system-unsupported', `${program} is missing on this host`, 'Install the package openvswitch-switch.')
}

const ofctlArgs = (args: readonly string[]): string[] => ['-O', 'OpenFlow15', '--no-names', ...args]

/** `ovs-ofctl` with OpenFlow 1.5 and ports as numbers. */
export function ofctl(args: readonly string[], options: { input?: string; alsoOk?: number; signal?: AbortSignal | undefined } = {}): Promise<string> {
  return runOvs('ovs-ofctl', ofctlArgs(args), options)
}

/** Changes flows of one bridge, each time in one transaction. */
export class FlowChanger implements Disposable {
  readonly #args: string[]
  /** Started ahead, since that takes longer than the change itself. It connects to the switch only when it has its input. */
  #spare: OvsProgram | null = null

  /** `target`: for `ovs-ofctl`. */
  constructor(target: string) {
    this.#args = ofctlArgs(['--bundle', 'add-flows', target, '-'])
  }

  /** `text`: as `ovs-ofctl --bundle add-flows` reads it. Throws what `runOvs` throws; then nothing is changed. */
  async change(text: string): Promise<void> {
    const program = this.#spare?.waits ? this.#spare : new OvsProgram('ovs-ofctl', this.#args)
    this.#spare = null
    await program.finish(text)
  }

  /** Makes the next change quicker. */
  prepare(): void {
    if (!this.#spare?.waits) this.#spare = new OvsProgram('ovs-ofctl', this.#args).unref()
  }

  [Symbol.dispose](): void {
    this.#spare?.end()
    this.#spare = null
  }
}
