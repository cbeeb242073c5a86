import type { Readable, Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client, ClientChannel } from 'ssh2'
import { HoldfastError } from '../../core/errors.ts'
import { quoteCommand } from './quote.ts'

/** What a remote program answered. `code` is null when a signal or a lost connection ended it. */
export interface ExecResult {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

export interface ExecOptions {
  /** Written to the program's standard input, which is then closed. */
  stdin?: string | Buffer | Readable
  /** The program's channel is closed after this long: `timeout`. Default 60 s. */
  timeoutMs?: number
  /** Most that is kept of each of stdout and stderr; more is `step-failed`. Default 4 MiB. */
  maxOutputBytes?: number
  signal?: AbortSignal | undefined
}

/** One SSH connection to a host, shared by any number of channels. Get one from `SshPool`, or from `connectSsh` for a single use. */
export class SshConnection {
  /** `user@address:port`, for messages. */
  readonly label: string
  readonly #client: Client
  #closed = false

  constructor(client: Client, label: string) {
    this.#client = client
    this.label = label
    client.on('close', () => {
      this.#closed = true
    })
    // Errors after the handshake (a reset, a missed keep-alive) end every channel, which is where callers hear of them.
    client.on('error', () => {
      this.#closed = true
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Calls back once when the connection ends, for whatever reason. */
  onClose(callback: () => void): void {
    this.#client.once('close', callback)
  }

  /** Runs a program and waits for its end; any exit code is an answer. Errors: `host-unreachable`, `timeout`, `step-failed` (too much output). */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { timeoutMs = 60_000, maxOutputBytes = 4 * 1024 * 1024 } = options
    options.signal?.throwIfAborted()
    const command = quoteCommand(argv)
    const converse = (channel: ClientChannel) =>
      new Promise<ExecResult>((resolve, reject) => {
        let settled = false
        const stdout = new Collector(maxOutputBytes)
        const stderr = new Collector(maxOutputBytes)
        const finish = (act: () => void) => {
          if (settled) return
          settled = true
          clearTimeout(timer)
          options.signal?.removeEventListener('abort', onAbort)
          act()
        }
        const abandon = (error: unknown) =>
          finish(() => {
            channel.destroy()
            reject(error as Error)
          })
        const onAbort = () => abandon(options.signal?.reason)
        const timer = setTimeout(
          () =>
            abandon(
              new HoldfastError(
                'timeout',
                `${argv[0]} on ${this.label} did not end within ${timeoutMs / 1000} s`,
                'Look on the host for what holds it up, then try again.',
              ),
            ),
          timeoutMs,
        )
        options.signal?.addEventListener('abort', onAbort, { once: true })
        if (options.signal?.aborted) onAbort()
        const collect = (collector: Collector) => (chunk: Buffer) => {
          if (!collector.add(chunk)) {
            abandon(
              new HoldfastError(
                'step-failed',
                `${argv[0]} on ${this.label} printed more than ${maxOutputBytes} bytes`,
                'Look on the host at what it prints.',
              ),
            )
          }
        }
        channel.on('data', collect(stdout))
        channel.stderr.on('data', collect(stderr))
        channel.on('close', (code?: number | null, signalName?: string) =>
          finish(() => {
            if (code === undefined) reject(this.#lost())
            else resolve({ code, signal: signalName ?? null, stdout: stdout.text(), stderr: stderr.text() })
          }),
        )
        channel.on('error', () => abandon(this.#lost()))
        // A program may end before it has read all of its input; its exit code tells, not the broken pipe.
        const { stdin } = options
        if (stdin === undefined || typeof stdin === 'string' || Buffer.isBuffer(stdin)) channel.end(stdin)
        else
          pipeline(stdin, channel as Duplex).catch((error: NodeJS.ErrnoException) =>
            error.code === 'ERR_STREAM_PREMATURE_CLOSE' ? undefined : abandon(error),
          )
      })
    return await this.#open((done) => this.#client.exec(command, done), converse)
  }

  /** Runs a program that is expected to succeed and answers its stdout; any other end is `step-failed` with what it printed last. */
  async run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    const result = await this.exec(argv, options)
    if (result.code === 0) return result.stdout
    throw commandFailed(this.label, argv, result)
  }

  /** A login shell on a terminal of its own. `use` gets the channel before its first event. */
  async shell<T>(size: { cols: number; rows: number }, use: (channel: ClientChannel) => T): Promise<T> {
    return await this.#open((done) => this.#client.shell({ term: 'xterm-256color', cols: size.cols, rows: size.rows }, done), use)
  }

  /** A TCP stream from this host to another, by which a jump host reaches what lies behind it. */
  async forward(address: string, port: number): Promise<ClientChannel> {
    return await this.#open(
      (done) => this.#client.forwardOut('127.0.0.1', 0, address, port, done),
      (channel) => channel,
    )
  }

  close(): void {
    this.#closed = true
    this.#client.end()
  }

  /**
   * Opens a channel and hands it to `use` in the same turn: a short program's end may lie in the very packet that
   * confirms its start, and a listener added later would miss it.
   */
  async #open<T>(
    ask: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    use: (channel: ClientChannel) => T | Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw this.#lost()
    return await new Promise<T>((resolve, reject) => {
      const onClose = () => reject(this.#lost())
      this.#client.once('close', onClose)
      const done = (error: Error | undefined, channel: ClientChannel) => {
        this.#client.off('close', onClose)
        if (error) {
          reject(
            new HoldfastError(
              'host-unreachable',
              `${this.label} opened no channel: ${error.message}`,
              'Check MaxSessions and AllowTcpForwarding of its sshd.',
              {},
              { cause: error },
            ),
          )
        } else resolve(use(channel))
      }
      try {
        ask(done)
      } catch (error) {
        this.#client.off('close', onClose)
        reject(this.#lost(error))
      }
    })
  }

  #lost(cause?: unknown): HoldfastError {
    return new HoldfastError(
      'host-unreachable',
      `The SSH connection to ${this.label} was lost`,
      'Check that the host runs and the network reaches it, then try again.',
      {},
      { cause },
    )
  }
}

/** Says what a remote program that failed had printed last, for a person. */
export function commandFailed(label: string, argv: readonly string[], result: ExecResult): HoldfastError {
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' / ').slice(0, 500)
  const end = result.code === null ? `was ended by ${result.signal}` : `failed with exit code ${result.code}`
  return new HoldfastError(
    'step-failed',
    `${argv[0]} on ${label} ${end}${said === '' ? '' : `: ${said}`}`,
    'Put right on the host what it names, then try again.',
    {
      exitCode: result.code,
    },
  )
}

/** Keeps at most `limit` bytes. */
class Collector {
  readonly #limit: number
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes > this.#limit) return false
    this.#chunks.push(chunk)
    return true
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}
