import { readFileSync } from 'node:fs'
import https from 'node:https'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { HoldfastError } from '../../core/errors.ts'

/** An answer larger than this is not read. */
const maxAnswerBytes = 16 * 1024 * 1024
/** How long a connection may take to come about before the next endpoint is tried. */
const connectMs = 500
/** How long an endpoint that failed is not the first to be tried. */
const awayMs = 2000

/** What etcd itself refused: its gRPC status and message. */
export class EtcdError extends HoldfastError {
  /** gRPC status code: 14 unavailable (no leader), 9 failed precondition, 5 not found, … */
  readonly grpcCode: number

  constructor(grpcCode: number, path: string, message: string) {
    super(
      grpcCode === 14 || grpcCode === 4 ? 'quorum-lost' : 'internal',
      `The store refused ${path}: ${message}`,
      grpcCode === 14 || grpcCode === 4
        ? 'Bring hosts back until a majority of the store’s members is up.'
        : 'This is a defect: report it with the log of the cluster module.',
      { grpcCode },
    )
    this.grpcCode = grpcCode
  }
}

export interface CallOptions {
  /** The whole call, over all endpoints tried. */
  deadlineMs: number
  /** Only this endpoint. */
  endpoint?: string
  /** For what may be asked twice: no answer for this long, and the next endpoint is asked. */
  attemptMs?: number
}

/**
 * etcd's JSON gateway (`/v3/…`) over mutual TLS with connections kept alive. Not a gRPC library: those cost 15 MB and more
 * per module process and read .proto files at run time, for the dozen calls that are made here.
 * int64 values are strings in its JSON, bytes are base64, and fields that are zero are left out.
 */
export class EtcdGateway {
  readonly #pkiDirectory: string
  #agent: https.Agent
  #endpoints: readonly string[]
  /** The endpoint that answered last, until the first one is tried again. */
  #preferred = 0
  #awayUntilMs = 0

  /** Throws when the store's certificate files in `pkiDirectory` cannot be read. */
  constructor(pkiDirectory: string, endpoints: readonly string[]) {
    this.#pkiDirectory = pkiDirectory
    this.#endpoints = endpoints
    this.#agent = this.#newAgent()
  }

  /** Takes other endpoints, the preferred ones first. */
  setEndpoints(endpoints: readonly string[]): void {
    if (endpoints.join() === this.#endpoints.join()) return
    this.#endpoints = endpoints
    this.#preferred = 0
  }

  get endpoints(): readonly string[] {
    return this.#endpoints
  }

  /** Goes back to the first endpoint that is given, if it works again. */
  preferFirst(): void {
    this.#preferred = 0
  }

  /** Takes the certificate files as they are now. */
  reloadCertificates(): void {
    const before = this.#agent
    this.#agent = this.#newAgent()
    // Calls under way end on their own connections.
    setTimeout(() => before.destroy(), 10_000).unref()
  }

  close(): void {
    this.#agent.destroy()
  }

  /** One call. Tries the next endpoint when one cannot be reached or has no leader. Throws `EtcdError` or `timeout`, `quorum-lost`. */
  async call(path: string, body: object, { deadlineMs, endpoint, attemptMs = Infinity }: CallOptions): Promise<Record<string, unknown>> {
    const endAtMs = performance.now() + deadlineMs
    const count = endpoint === undefined ? this.#endpoints.length : 1
    if (performance.now() > this.#awayUntilMs) this.#preferred = 0
    const first = this.#preferred
    let last: unknown = noEndpoint()
    for (let attempt = 0; attempt < count; attempt++) {
      const index = (first + attempt) % Math.max(1, this.#endpoints.length)
      const remainingMs = endAtMs - performance.now()
      if (remainingMs <= 0) break
      try {
        const target = endpoint ?? this.#endpoints[index]!
        const answer = await this.#post(target, path, body, count > 1 ? Math.min(remainingMs, attemptMs) : remainingMs, count > 1)
        if (endpoint === undefined) this.#preferred = index
        return answer
      } catch (thrown) {
        last = thrown
        const isSilent = attemptMs < remainingMs && thrown instanceof HoldfastError && thrown.code === 'timeout'
        const elsewhere = isSilent || (thrown instanceof EtcdError ? thrown.grpcCode === 14 : !(thrown instanceof HoldfastError))
        if (endpoint === undefined && this.#preferred === index && this.#endpoints.length > 0) {
          this.#preferred = (index + 1) % this.#endpoints.length
          this.#awayUntilMs = performance.now() + awayMs
        }
        if (!elsewhere) break
      }
    }
    if (last instanceof HoldfastError) throw last
    throw new HoldfastError(
      'quorum-lost',
      `No member of the store answered ${path}`,
      'Bring hosts back until a majority of the store’s members is up.',
      { endpoints: this.#endpoints },
      { cause: last },
    )
  }

  /** A call whose answer is a stream of JSON documents, one a line. Ends when the signal aborts or the stream does; throws like `call`. */
  async *stream(path: string, body: object, options: { endpoint: string; signal: AbortSignal }): AsyncGenerator<Record<string, unknown>> {
    const response = await this.#request(options.endpoint, path, body, 5000, options.signal)
    response.setEncoding('utf8')
    let text = ''
    for await (const chunk of response as AsyncIterable<string>) {
      text += chunk
      if (text.length > maxAnswerBytes) throw tooLarge(path)
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        if (line) yield unwrap(path, line)
      }
    }
  }

  async #post(endpoint: string, path: string, body: object, timeoutMs: number, canGoElsewhere: boolean): Promise<Record<string, unknown>> {
    const abort = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)))
    try {
      const response = await this.#request(endpoint, path, body, canGoElsewhere ? Math.min(connectMs, timeoutMs) : timeoutMs, abort)
      response.setEncoding('utf8')
      let text = ''
      for await (const chunk of response as AsyncIterable<string>) {
        text += chunk
        if (text.length > maxAnswerBytes) throw tooLarge(path)
      }
      return unwrap(path, text)
    } catch (thrown) {
      if (!abort.aborted || thrown instanceof HoldfastError) throw thrown
      throw new HoldfastError(
        'timeout',
        `The store did not answer ${path} within ${Math.round(timeoutMs)} ms`,
        'Try again; see whether a majority of the store is up.',
        {},
        { cause: thrown },
      )
    }
  }

  #request(endpoint: string, path: string, body: object, connectTimeoutMs: number, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const payload = JSON.stringify(body)
      const request = https.request(`${endpoint}${path}`, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
      })
      const slow = setTimeout(() => request.destroy(new Error(`no connection to ${endpoint} within ${connectTimeoutMs} ms`)), connectTimeoutMs)
      request.once('socket', (socket) => {
        if ((socket as TLSSocket).getProtocol?.()) clearTimeout(slow)
        else socket.once('secureConnect', () => clearTimeout(slow))
      })
      request.once('close', () => clearTimeout(slow))
      request.once('error', reject)
      request.once('response', resolve)
      request.end(payload)
    })
  }

  #newAgent(): https.Agent {
    const read = (name: string) => readFileSync(join(this.#pkiDirectory, name))
    return new https.Agent({ keepAlive: true, maxFreeSockets: 8, ca: read('store-ca.crt'), key: read('store.key'), cert: read('store.crt') })
  }
}

/** The document in an answer; throws what the gateway reports in it. */
function unwrap(path: string, text: string): Record<string, unknown> {
  let parsed: { error?: unknown; code?: number; message?: string; result?: Record<string, unknown> }
  try {
    parsed = JSON.parse(text) as typeof parsed
  } catch (cause) {
    throw new HoldfastError(
      'internal',
      `The store answered ${path} with something that is not JSON`,
      'Look whether another program has its port.',
      {},
      { cause },
    )
  }
  if (parsed.error === undefined) return parsed.result ?? (parsed as Record<string, unknown>)
  const { grpc_code, message } = (typeof parsed.error === 'object' ? parsed.error : {}) as { grpc_code?: number; message?: string }
  throw new EtcdError(parsed.code ?? grpc_code ?? 2, path, parsed.message ?? message ?? String(parsed.error))
}

const tooLarge = (path: string) =>
  new HoldfastError('internal', `The store answered ${path} with more than ${maxAnswerBytes} bytes`, 'Report this with the size of the cluster.')
const noEndpoint = () =>
  new HoldfastError('quorum-lost', 'No member of the store is known', 'Install this host again, or bring the cluster’s other hosts back.')
