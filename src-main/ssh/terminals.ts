import { randomUUID } from 'node:crypto'
import { StringDecoder } from 'node:string_decoder'
import type { ClientChannel } from 'ssh2'
import { HoldfastError } from '../../core/errors.ts'
import type { SshLease } from './pool.ts'

/** What a reader of a terminal gets (`terminal.output`). */
export type TerminalOutput = { type: 'data'; text: string } | { type: 'exit'; code: number | null }

interface Size {
  cols: number
  rows: number
}

/** Text kept for a reader that comes, or comes back, in UTF-16 units. */
const backlogUnits = 256 * 1024
/** A reader this far behind makes the host wait, so that nothing of a long output is lost and memory stays bounded. */
const lagUnits = 128 * 1024
const maxTerminals = 64

/** Terminals on hosts: each a shell channel on the host's one shared connection. */
export class Terminals {
  readonly #reach: (host: string) => Promise<SshLease>
  readonly #open = new Map<string, Terminal>()

  /** `reach` gives a share in the connection to a host of the current context. */
  constructor(reach: (host: string) => Promise<SshLease>) {
    this.#reach = reach
  }

  /** Opens a shell. Errors: those of `reach`, and `busy` when too many are open. */
  async open(host: string, size: Size): Promise<{ id: string }> {
    if (this.#open.size >= maxTerminals) {
      throw new HoldfastError('busy', `${maxTerminals} terminals are open`, 'Close one that is no longer needed.')
    }
    const lease = await this.#reach(host)
    try {
      const terminal = await lease.connection.shell(size, (channel) => new Terminal(channel, lease))
      const id = randomUUID()
      this.#open.set(id, terminal)
      return { id }
    } catch (error) {
      lease[Symbol.dispose]()
      throw error
    }
  }

  /** What is still in the backlog, then live output; ends after `exit`. A terminal whose end was read is forgotten. */
  async *output(id: string, signal?: AbortSignal): AsyncGenerator<TerminalOutput> {
    for await (const part of this.#get(id).read(signal)) {
      if (part.type === 'exit') this.#open.delete(id)
      yield part
    }
  }

  input(id: string, text: string): void {
    this.#get(id).write(text)
  }

  resize(id: string, size: Size): void {
    this.#get(id).resize(size)
  }

  /** Hangs up. Harmless for one that has ended. */
  close(id: string): void {
    this.#open.get(id)?.close()
    this.#open.delete(id)
  }

  closeAll(): void {
    for (const id of [...this.#open.keys()]) this.close(id)
  }

  #get(id: string): Terminal {
    const terminal = this.#open.get(id)
    if (terminal) return terminal
    throw new HoldfastError('not-found', 'This terminal has ended', 'Open a new one.', { id })
  }
}

class Terminal {
  readonly #channel: ClientChannel
  readonly #decoder = new StringDecoder('utf8')
  /** Kept output; `#start` counts the units that went before it. */
  #chunks: string[] = []
  #kept = 0
  #start = 0
  #closing = false
  #exit: { type: 'exit'; code: number | null } | undefined
  /** Where each reader stands, in units since the beginning. */
  readonly #readers = new Set<{ at: number }>()
  #wake = Promise.withResolvers<void>()

  constructor(channel: ClientChannel, lease: SshLease) {
    this.#channel = channel
    const take = (chunk: Buffer) => this.#push(this.#decoder.write(chunk))
    channel.on('data', take)
    channel.stderr.on('data', take)
    channel.on('error', () => channel.close())
    channel.on('close', (code?: number | null) => {
      this.#exit = { type: 'exit', code: code ?? null }
      lease[Symbol.dispose]()
      this.#notify()
    })
  }

  get ended(): boolean {
    return this.#exit !== undefined
  }

  write(text: string): void {
    if (!this.ended) this.#channel.write(text)
  }

  resize(size: Size): void {
    if (!this.ended) this.#channel.setWindow(size.rows, size.cols, 0, 0)
  }

  close(): void {
    this.#closing = true
    this.#channel.resume()
    this.#channel.close()
  }

  async *read(signal?: AbortSignal): AsyncGenerator<TerminalOutput> {
    const reader = { at: this.#start }
    this.#readers.add(reader)
    const onAbort = () => this.#notify()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal?.aborted) {
        const text = this.#from(reader.at)
        if (text !== '') {
          reader.at += text.length
          this.#throttle()
          yield { type: 'data', text }
        } else if (this.#exit) {
          yield this.#exit
          return
        } else await this.#wake.promise
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#readers.delete(reader)
      this.#throttle()
    }
  }

  #push(text: string): void {
    this.#chunks.push(text)
    this.#kept += text.length
    while (this.#kept > backlogUnits && this.#chunks.length > 1) {
      const dropped = this.#chunks.shift()?.length ?? 0
      this.#kept -= dropped
      this.#start += dropped
    }
    this.#throttle()
    this.#notify()
  }

  /** At most `lagUnits / 2` of the output from a place on, so that one message stays small. */
  #from(at: number): string {
    let skip = Math.max(0, at - this.#start)
    let text = ''
    for (const chunk of this.#chunks) {
      if (skip >= chunk.length) {
        skip -= chunk.length
        continue
      }
      text += chunk.slice(skip, skip + lagUnits / 2 - text.length)
      skip = 0
      if (text.length >= lagUnits / 2) break
    }
    return text
  }

  #throttle(): void {
    if (this.#closing) return
    const slowest = Math.min(...[...this.#readers].map(({ at }) => at))
    if (this.#readers.size > 0 && this.#start + this.#kept - slowest > lagUnits) this.#channel.pause()
    else if (this.#channel.isPaused()) this.#channel.resume()
  }

  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}
