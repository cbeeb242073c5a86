import { createConnection, type Socket } from 'node:net'
import { HoldfastError } from '../../../core/errors.ts'

interface Waiting {
  command: string
  resolve(result: string): void
  reject(error: Error): void
}

/**
 * A connection to the control socket of a daemon of Open vSwitch, as ovs-appctl(8) makes one for each command: JSON-RPC 1.0 without
 * anything between its documents. Commands are answered in order.
 */
export class Unixctl implements Disposable {
  readonly #socket: Socket
  readonly #splitter = new JsonSplitter()
  readonly #waiting: Waiting[] = []
  #ended: Error | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      for (const document of this.#splitter.push(chunk as unknown as string)) this.#answer(document)
    })
    socket.on('error', () => undefined)
    socket.once('close', () => this.#end('it has ended'))
  }

  /** Throws `module-unhealthy` where nobody listens. A daemon that hangs is connected to all the same. */
  static connect(path: string): Promise<Unixctl> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path)
      socket.once('connect', () => resolve(new Unixctl(socket)))
      socket.once('error', (cause) => reject(silent(path, cause.message, cause)))
    })
  }

  /** Calls back once when the daemon has ended or the connection was closed. */
  onClose(callback: () => void): void {
    this.#socket.once('close', callback)
  }

  /** Runs a command and answers what it prints. Throws `step-failed` with the daemon's words, `module-unhealthy` when it ends meanwhile. */
  call(command: string, ...params: string[]): Promise<string> {
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject })
      this.#socket.write(JSON.stringify({ id: this.#waiting.length, method: command, params }))
    })
  }

  [Symbol.dispose](): void {
    this.#end('the connection was closed')
    this.#socket.destroy()
  }

  #answer(document: string): void {
    const { result, error } = JSON.parse(document) as { result: string | null; error: string | null }
    const waiting = this.#waiting.shift()
    if (!waiting) return
    if (error === null) waiting.resolve(result ?? '')
    else waiting.reject(new HoldfastError('step-failed', `ovs-vswitchd refused ${waiting.command}: ${error.trim()}`, 'See its log.'))
  }

  #end(why: string): void {
    this.#ended ??= silent('ovs-vswitchd', why)
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended)
  }
}

function silent(what: string, why: string, cause?: Error): HoldfastError {
  return new HoldfastError('module-unhealthy', `${what} does not answer: ${why}`, 'The keeper starts it again.', {}, { cause })
}

/** Runs one command over a connection of its own. Throws as `Unixctl` does, and `timeout`. */
export async function unixctl(path: string, command: string, params: readonly string[], timeoutMs = 5000): Promise<string> {
  using connection = await Unixctl.connect(path)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new HoldfastError('timeout', `ovs-vswitchd has not answered ${command} for ${timeoutMs} ms`, 'Try again.')),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([connection.call(command, ...params), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Cuts a stream of JSON objects, with or without blanks between them, into documents. */
export class JsonSplitter {
  #pending = ''
  #scanned = 0
  #depth = 0
  #inString = false

  /** The documents that end in this chunk. */
  push(chunk: string): string[] {
    this.#pending += chunk
    const documents: string[] = []
    let start = 0
    let at = this.#scanned
    for (; at < this.#pending.length; at++) {
      const code = this.#pending.charCodeAt(at)
      if (this.#inString) {
        // What a backslash stands before is no end of the string.
        if (code === 0x5c) at++
        else if (code === 0x22) this.#inString = false
      } else if (code === 0x22) this.#inString = true
      else if (code === 0x7b) this.#depth++
      else if (code === 0x7d && --this.#depth === 0) {
        documents.push(this.#pending.slice(start, at + 1).trim())
        start = at + 1
      }
    }
    this.#pending = this.#pending.slice(start)
    this.#scanned = at - start
    return documents
  }
}
