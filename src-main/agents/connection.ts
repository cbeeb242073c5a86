import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import type { ClientLink, ClientOptions } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import { WebSocket } from 'ws'
import { fromOrpcError } from '../../core/contract/errors.ts'
import { HoldfastError } from '../../core/errors.ts'
import { errorDocSchema } from '../../core/model/task.ts'
import type { Credentials } from '../contexts/contexts.ts'
import { describeFailure } from './failures.ts'

/** The largest message that an agent may send, in bytes: a snapshot of a thousand hosts fits several times. */
const maxMessageBytes = 64 * 1024 * 1024
const maxRefusalBytes = 16_384
const connectTimeoutMs = 5000
const callTimeoutMs = 15_000
/** Calls that answer when long work is done. */
const slowCalls: Record<string, number> = { upgradeModule: 180_000, upgradeSupervisor: 180_000, rotateCertificates: 60_000 }
/** Calls that answer as long as somebody listens. */
const streams = new Set(['watch', 'samples', 'tap'])

export interface ConnectOptions {
  /** Part of the agent: `supervisor`, `cluster`, `monitor`. */
  module: string
  /** `host:port` of the agent. */
  endpoint: string
  /** Name of the host that must answer; null: any host of the cluster. */
  host: string | null
  credentials: Credentials
  signal?: AbortSignal
}

/** One WebSocket over mutual TLS to one module of one agent. */
export class AgentConnection implements Disposable {
  /** Who answers, by its certificate. */
  readonly host: string
  /** Carries calls of the module's contract; errors are HoldfastErrors. */
  readonly link: ClientLink<Record<never, never>>
  readonly #socket: WebSocket
  #failure: HoldfastError | undefined

  private constructor(socket: WebSocket, host: string, endpoint: string) {
    this.#socket = socket
    this.host = host
    socket.on('error', (error) => (this.#failure ??= describeFailure(error, endpoint)))
    socket.on('close', () => {
      this.#failure ??= new HoldfastError(
        'host-unreachable',
        `The connection to ${endpoint} has ended`,
        'It is made again by itself as soon as the host answers.',
      )
    })
    const rpc = new RPCLink({ websocket: neverThrowing(socket) })
    this.link = { call: (path, input, options) => this.#call(rpc, path, input, options) }
  }

  /**
   * Connects, at most for five seconds. Throws `host-unreachable`, `timeout`, `wrong-cluster`, `certificate-expired`, `clock-skew`,
   * and whatever the agent itself says when it refuses.
   */
  static async connect(options: ConnectOptions): Promise<AgentConnection> {
    const { module, endpoint, credentials } = options
    refuseExpired(credentials)
    let host = ''
    // As tls.connect wants it (an Error or undefined); the types of ws still say boolean.
    const checkIdentity = (_name: string, certificate: PeerCertificate) => {
      host = textOf(certificate.subject.CN)
      return identityFlaw(certificate, options)
    }
    const socket = new WebSocket(`wss://${endpoint}/v1/${module}/rpc`, {
      ca: credentials.caPem,
      cert: credentials.certificatePem,
      key: credentials.keyPem,
      minVersion: 'TLSv1.3',
      checkServerIdentity: checkIdentity as never,
      handshakeTimeout: connectTimeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      ...(credentials.localAddress !== undefined && { localAddress: credentials.localAddress }),
    })
    return await new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        options.signal?.removeEventListener('abort', abort)
        reject(describeFailure(error, endpoint))
        // A socket that is ended while it connects says so once more.
        socket.on('error', () => {})
        socket.terminate()
      }
      const abort = () => fail(options.signal!.reason as Error)
      options.signal?.addEventListener('abort', abort, { once: true })
      if (options.signal?.aborted) return abort()
      socket.once('error', fail)
      socket.once('unexpected-response', (_request, response) => void readRefusal(response, endpoint).then(fail))
      socket.once('open', () => {
        options.signal?.removeEventListener('abort', abort)
        socket.off('error', fail)
        resolve(new AgentConnection(socket, host, endpoint))
      })
    })
  }

  async #call(
    rpc: ClientLink<Record<never, never>>,
    path: readonly string[],
    input: unknown,
    options: ClientOptions<Record<never, never>>,
  ): Promise<unknown> {
    const name = path.at(-1) ?? ''
    const signals = options.signal ? [options.signal] : []
    if (this.#failure) throw this.#failure
    const timeout = streams.has(name) ? undefined : AbortSignal.timeout(slowCalls[name] ?? callTimeoutMs)
    if (timeout) signals.push(timeout)
    try {
      return await rpc.call(path, input, { ...options, signal: AbortSignal.any(signals) })
    } catch (error) {
      if (timeout?.aborted)
        throw new HoldfastError('timeout', `${this.host} did not answer ${path.join('.')} in time`, 'Look at the state of the host, then try again.')
      throw this.#failure ?? fromOrpcError(error)
    }
  }

  /** Why the connection ended; undefined while it stands. */
  get failure(): HoldfastError | undefined {
    return this.#failure
  }

  [Symbol.dispose](): void {
    this.#socket.terminate()
  }
}

/**
 * A WebSocket as oRPC uses it, that takes what is sent on a closed one and forgets it. oRPC tells the other side when a call is aborted
 * and lets an error of that go unhandled; calls themselves end by the `close` event.
 */
function neverThrowing(socket: WebSocket): globalThis.WebSocket {
  return {
    readyState: WebSocket.OPEN,
    addEventListener: socket.addEventListener.bind(socket),
    removeEventListener: socket.removeEventListener.bind(socket),
    send: (data: string | Uint8Array) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data, () => {})
    },
  } as unknown as globalThis.WebSocket
}

function refuseExpired({ certificatePem }: Credentials): void {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem)
  const now = new Date()
  if (now > validToDate) {
    throw new HoldfastError(
      'certificate-expired',
      `Your certificate for this cluster expired on ${validToDate.toISOString()}`,
      'Have an administrator of the cluster sign a new one; if that date is to come, set the clock of this laptop.',
    )
  }
  if (now < validFromDate) {
    throw new HoldfastError(
      'clock-skew',
      `Your certificate for this cluster is valid from ${validFromDate.toISOString()} on, which is in the future`,
      'Set the clock of this laptop.',
    )
  }
}

const textOf = (field: string | string[] | undefined): string => (Array.isArray(field) ? (field[0] ?? '') : (field ?? ''))

/** The CA is pinned; besides, whoever answers must be a host of this cluster, and the one that was meant. */
function identityFlaw({ subject }: PeerCertificate, { endpoint, host, credentials }: ConnectOptions): HoldfastError | undefined {
  const name = textOf(subject.CN)
  const cluster = textOf(subject.O)
  if (cluster !== credentials.clusterId) {
    return new HoldfastError(
      'wrong-cluster',
      `${endpoint} belongs to another cluster (${cluster || 'none'})`,
      'Use the context of that cluster, or correct the address.',
    )
  }
  if (textOf(subject.OU) !== 'host')
    return new HoldfastError('wrong-cluster', `${endpoint} shows a certificate that is no host's`, 'Look at what listens at that address.')
  if (host !== null && name !== host) {
    return new HoldfastError(
      'wrong-cluster',
      `${endpoint} is ${name}, not ${host}`,
      `Two hosts may have swapped addresses; correct the address of ${host}.`,
    )
  }
  return undefined
}

/** What an agent says that answers over HTTP instead of opening the WebSocket. */
async function readRefusal(response: IncomingMessage, endpoint: string): Promise<HoldfastError> {
  let body = ''
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      body += chunk as string
      if (body.length > maxRefusalBytes) break
    }
    const { code, message, hint } = errorDocSchema.parse(JSON.parse(body))
    return new HoldfastError(code as HoldfastError['code'], message, hint)
  } catch {
    return new HoldfastError(
      'module-unhealthy',
      `${endpoint} answered with HTTP status ${response.statusCode}`,
      'Look at the state of the agent on that host.',
    )
  }
}
