import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Env } from '../../core/env.ts'
import type { Logger } from '../runtime/logger.ts'

/** Daemons are often started without the directories of root's programs on their PATH. */
const path = [...new Set([...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'])].filter(Boolean)
const env = { PATH: path.join(':'), LC_ALL: 'C' }

/** Where a program lies; null when it is not installed. */
export function findProgram(name: string): string | null {
  for (const directory of path) {
    const file = join(directory, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not there.
    }
  }
  return null
}

/** What a program prints on stdout, at most 4 MiB, whatever its exit status; null when it could not run or took longer than `timeoutMs`. */
export function outputOf(command: readonly string[], timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(
      command[0]!,
      command.slice(1),
      { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 4 * 1024 * 1024, encoding: 'utf8' },
      (error, stdout) => {
        const ran = error === null || (typeof error.code === 'number' && !error.killed)
        resolve(ran ? stdout : null)
      },
    )
  })
}

export interface WatcherOptions {
  env: Env
  logger: Logger
  /** The program to keep running and its arguments; it prints lines whenever something changed. */
  command: readonly [string, ...string[]]
  /** Lines for which this says false are not worth a look. */
  isNews?: (line: string) => boolean
  /** Called when it has started, and after each burst of output. */
  onChange(): void
  /** Called when it ended (it is started again) or is not installed. */
  onSilent(): void
}

const settleMs = 30
const firstRetryMs = 500
const longestRetryMs = 30_000

/**
 * Keeps a program running that tells of changes by printing, and says when to look. What it prints is not taken for the truth: looking
 * afresh is right whatever was missed. The program dies with this process (setpriv(1), `--pdeathsig`).
 */
export class Watcher implements Disposable {
  readonly #options: WatcherOptions
  #child: ChildProcess | null = null
  #timer: Disposable | null = null
  #settling: Disposable | null = null
  #retryMs = firstRetryMs
  #ended = false

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#start()
  }

  #start(): void {
    const { command, isNews = () => true, logger, env: clock } = this.#options
    const program = findProgram(command[0])
    if (program === null) return this.#later(longestRetryMs)
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...command.slice(1)], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    this.#child = child
    const startedMs = clock.monotonicMs()
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (isNews(line)) this.#changed()
    })
    child.on('error', (cause) => logger.warn('a watcher could not be started', { program, cause }))
    child.on('close', (code, signal) => {
      if (this.#ended || this.#child !== child) return
      this.#child = null
      if (clock.monotonicMs() - startedMs > longestRetryMs) this.#retryMs = firstRetryMs
      logger.warn('a watcher ended', { program, code, signal, retryMs: this.#retryMs })
      this.#later(this.#retryMs)
      this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2)
    })
    // What changed while it was starting may not have been printed.
    this.#timer = clock.after(200, () => this.#options.onChange())
    this.#changed()
  }

  #later(delayMs: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = this.#options.env.after(delayMs, () => this.#start())
    this.#options.onSilent()
  }

  #changed(): void {
    this.#settling ??= this.#options.env.after(settleMs, () => {
      this.#settling = null
      this.#options.onChange()
    })
  }

  [Symbol.dispose](): void {
    this.#ended = true
    this.#timer?.[Symbol.dispose]()
    this.#settling?.[Symbol.dispose]()
    this.#child?.kill('SIGKILL')
  }
}

/** Runs `work` one at a time: asked again while it runs, it runs once more after. */
export function oneAtATime(work: () => Promise<void>, onError: (cause: unknown) => void): () => void {
  let running = false
  let again = false
  const run = async (): Promise<void> => {
    running = true
    do {
      again = false
      await work().catch(onError)
    } while (again)
    running = false
  }
  return () => {
    again = true
    if (!running) void run()
  }
}
