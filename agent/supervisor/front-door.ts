import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { ApiServer } from '../runtime/api-server.ts'
import type { AgentConfig } from '../runtime/config.ts'
import type { CallerContext } from '../runtime/context.ts'
import { refuseUpgrade, sendError, sendJson } from '../runtime/http.ts'
import type { Logger } from '../runtime/logger.ts'
import { identifyCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { proxyRequest, proxyUpgrade } from './proxy.ts'

/** Connections at once: of all, of one address, and of callers that showed no certificate of this cluster. */
const maxConnections = 512
const maxPerAddress = 128
const maxStrangers = 32
/** HTTP requests at once that are being passed to modules. */
const maxProxied = 128

export interface FrontDoorOptions {
  config: AgentConfig
  credentials: Credentials
  logger: Logger
  /** Serves `/v1/supervisor`. */
  api: ApiServer
  /** Where a module is served: undefined for a name that is no module, null while it is down. */
  moduleSocket(name: string): string | null | undefined
  nowMs(): number
}

/**
 * The agent's one network entry: TLS on the mgmt address. Every request and upgrade is decided by the caller's certificate,
 * then answered here (`/v1/supervisor`, `/v1/ca`) or passed to a module with the caller's identity.
 */
export class FrontDoor {
  readonly #options: FrontDoorOptions
  readonly #server: Server
  readonly #perAddress = new Map<string, number>()
  readonly #connections = new Set<TLSSocket>()
  #strangers = 0
  #proxied = 0
  #refusalLoggedMs = 0

  constructor(options: FrontDoorOptions) {
    this.#options = options
    this.#server = createServer({
      ...options.credentials.tls,
      requestCert: true,
      // Decided a request, so that whoever is turned away is told why.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      handshakeTimeout: 10_000,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 15_000,
      maxHeaderSize: 16_384,
    })
    this.#server.maxConnections = maxConnections
    this.#server.on('connection', (socket: Socket) => this.#countAddress(socket))
    this.#server.on('secureConnection', (socket) => this.#admit(socket))
    this.#server.on('request', (request, response) => this.#request(request, response))
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#malformed(error, socket))
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  /** Listens on the mgmt address. Throws `port-taken`. */
  async listen(): Promise<void> {
    const { config } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(config.apiPort, config.addresses.mgmt, () => {
        this.#server.off('error', reject)
        resolve()
      })
    }).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') throw cause
      throw new HoldfastError(
        'port-taken',
        `${config.addresses.mgmt}:${config.apiPort} is in use by another program`,
        `End that program (ss -ltnp 'sport = ${config.apiPort}') or set apiPort in agent.json.`,
        { port: config.apiPort },
        { cause },
      )
    })
  }

  /** Takes the certificate files as they are now, and cuts off who is refused from now on. */
  reload(): void {
    this.#server.setSecureContext(this.#options.credentials.tls)
    for (const socket of this.#connections) {
      try {
        this.#identify(socket)
      } catch {
        socket.destroy()
      }
    }
  }

  /** Stops listening and cuts every connection off. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    for (const socket of this.#connections) socket.destroy()
    await closed
  }

  #identify(socket: TLSSocket): CallerContext {
    const { config, credentials, nowMs } = this.#options
    return identifyCaller(socket, { cluster: config.cluster, nowMs, isRefused: (name, role, serial) => credentials.isRefused(name, role, serial) })
  }

  #countAddress(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const count = (this.#perAddress.get(address) ?? 0) + 1
    if (count > maxPerAddress) {
      socket.destroy()
      return
    }
    this.#perAddress.set(address, count)
    socket.once('close', () => {
      const left = this.#perAddress.get(address)! - 1
      if (left === 0) this.#perAddress.delete(address)
      else this.#perAddress.set(address, left)
    })
  }

  #admit(socket: TLSSocket): void {
    this.#connections.add(socket)
    socket.once('close', () => this.#connections.delete(socket))
    if (socket.authorized) return
    this.#strangers++
    socket.once('close', () => this.#strangers--)
    if (this.#strangers > maxStrangers) socket.destroy()
  }

  /** Which part is asked, by the first segment after `/v1/`. */
  #part(request: IncomingMessage): string {
    return /^\/v1\/([a-z][a-z0-9-]{0,31})(?=[/?]|$)/.exec(request.url ?? '')?.[1] ?? ''
  }

  /** The caller, if it may come in at all. A caller without a certificate may join, and fetch the CA to compare its fingerprint. */
  #let(request: IncomingMessage): CallerContext {
    const caller = this.#identify(request.socket as TLSSocket)
    if (caller.role !== 'none' || (request.method === 'POST' && request.url === '/v1/cluster/join')) return caller
    throw new HoldfastError(
      'certificate-missing',
      `${this.#options.config.host} answers only callers with a certificate of the cluster ${this.#options.config.cluster}`,
      'Use a context of this cluster: holdfast context list.',
      {
        cluster: this.#options.config.cluster,
      },
    )
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const { api, moduleSocket, credentials } = this.#options
    response.on('error', () => response.destroy())
    try {
      if (request.method === 'GET' && request.url === '/v1/ca') return sendJson(response, 200, { caPem: credentials.tls.ca })
      const caller = this.#let(request)
      const part = this.#part(request)
      if (part === 'supervisor') return void api.request(request, response, caller)
      const socketPath = moduleSocket(part)
      if (socketPath === undefined) throw this.#nothing(request)
      if (this.#proxied >= maxProxied)
        throw new HoldfastError('busy', `${maxProxied} requests are under way on this host already`, 'Try again in a moment.')
      this.#proxied++
      response.once('close', () => this.#proxied--)
      proxyRequest(part, socketPath, caller, request, response)
    } catch (thrown) {
      this.#refused(request, thrown)
      sendError(request, response, asHoldfastError(thrown))
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { api, moduleSocket } = this.#options
    try {
      const caller = this.#let(request)
      const part = this.#part(request)
      if (part === 'supervisor') return api.upgrade(request, socket, head, caller)
      const socketPath = moduleSocket(part)
      if (socketPath === undefined) throw this.#nothing(request)
      proxyUpgrade(part, socketPath, caller, request, socket, head)
    } catch (thrown) {
      this.#refused(request, thrown)
      refuseUpgrade(socket, asHoldfastError(thrown))
    }
  }

  #malformed(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
    const what =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? 'Its headers are too large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? 'It did not come in time'
          : 'It is not HTTP'
    refuseUpgrade(socket, new HoldfastError('bad-input', `A request was refused: ${what}`, 'Speak HTTP/1.1 over TLS to this port.'))
  }

  #nothing(request: IncomingMessage): HoldfastError {
    return new HoldfastError(
      'not-found',
      `${request.method} ${request.url?.slice(0, 200)} is nothing that this agent serves`,
      'Compare with the contract of its version.',
    )
  }

  #refused(request: IncomingMessage, thrown: unknown): void {
    const error = asHoldfastError(thrown)
    const fields = { from: request.socket.remoteAddress, code: error.code, reason: error.message }
    if (error.code === 'internal') this.#options.logger.error('a request failed', { ...fields, cause: thrown })
    else if (this.#options.nowMs() - this.#refusalLoggedMs > 100) {
      // Anyone can be refused as often as they like; the log is not theirs to fill.
      this.#refusalLoggedMs = this.#options.nowMs()
      this.#options.logger.info('a request was refused', fields)
    }
  }
}
