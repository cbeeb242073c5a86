import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { OpenAPIHandler } from '@orpc/openapi/node'
import type { Router } from '@orpc/server'
import { StandardRPCHandler } from '@orpc/server/standard'
import { createServerPeerHandleRequestFn } from '@orpc/server/standard-peer'
import { ServerPeer } from '@orpc/standard-server-peer'
import { WebSocketServer, type WebSocket } from 'ws'
import { errorBody, fromOrpcError, mapStreamErrors, toOrpcError } from '../../core/contract/errors.ts'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { CallerContext } from './context.ts'
import { maxRequestBytes, parseJsonBody, readBody, refuseUpgrade, sendError } from './http.ts'
import type { Logger } from './logger.ts'

/** Connections and calls that one server has open at once; more are refused. */
export const maxSockets = 256
export const maxCallsPerSocket = 64
/** A reader that answers no ping for two such periods is cut off, so that what waits for it is freed. */
const pingPeriodMs = 10_000

// oRPC asks for any; the routers are type-checked where they are implemented.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AgentRouter = Router<any, CallerContext>

export interface ApiServerOptions {
  /** First path segment after `/v1/`. */
  name: string
  router: AgentRouter
  logger: Logger
  /** Answers requests that are not part of the contract (`/v1/monitor/metrics`); false leaves them to it. */
  http?: ((request: IncomingMessage, response: ServerResponse, context: CallerContext) => boolean | Promise<boolean>) | undefined
}

/**
 * Serves one oRPC router: OpenAPI over HTTP at `/v1/NAME/…` and oRPC's own protocol over any WebSocket opened at `/v1/NAME…`
 * (by custom `/v1/NAME/rpc`). It knows nothing of TLS and listens nowhere; its owner hands it requests with their caller.
 */
export class ApiServer {
  readonly #options: ApiServerOptions
  readonly #prefix: `/${string}`
  readonly #openApi: OpenAPIHandler<CallerContext>
  readonly #rpc: StandardRPCHandler<CallerContext>
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: maxRequestBytes, perMessageDeflate: false, clientTracking: true })
  readonly #pings: NodeJS.Timeout
  readonly #silent = new WeakSet<WebSocket>()

  constructor(options: ApiServerOptions) {
    this.#options = options
    this.#prefix = `/v1/${options.name}`
    const clientInterceptors = [<T>(call: { path: readonly string[]; next(): Promise<T> }) => this.#intercept(call)]
    this.#openApi = new OpenAPIHandler(options.router, {
      clientInterceptors,
      customErrorResponseBodyEncoder: (error) => errorBody(fromOrpcError(error)),
    })
    this.#rpc = new StandardRPCHandler(options.router, { clientInterceptors })
    this.#pings = setInterval(() => this.#ping(), pingPeriodMs).unref()
  }

  /** Answers one HTTP request; never throws. */
  async request(request: IncomingMessage, response: ServerResponse, context: CallerContext): Promise<void> {
    try {
      if (await this.#options.http?.(request, response, context)) return
      const body = parseJsonBody(await readBody(request))
      if (body !== undefined && !/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
        throw new HoldfastError('bad-input', 'The body of the request is not marked as JSON', 'Send it with content-type application/json.')
      }
      // The reader of @orpc/standard-server-node takes a body that was parsed before it.
      Object.assign(request, { body: body ?? {} })
      const { matched } = await this.#openApi.handle(request, response, { prefix: this.#prefix, context })
      if (!matched)
        throw new HoldfastError(
          'not-found',
          `${request.method} ${request.url} is nothing that this agent serves`,
          'Compare with the contract of its version.',
        )
    } catch (thrown) {
      sendError(request, response, asHoldfastError(thrown))
    }
  }

  /** Takes over a connection that asks to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, context: CallerContext): void {
    if (this.#webSockets.clients.size >= maxSockets) {
      refuseUpgrade(
        socket,
        new HoldfastError('busy', `${this.#options.name} has ${maxSockets} connections open already`, 'Close some and try again.'),
      )
      return
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#serve(webSocket, context))
  }

  /** Cuts every WebSocket off. */
  close(): void {
    clearInterval(this.#pings)
    for (const webSocket of this.#webSockets.clients) webSocket.terminate()
  }

  #serve(webSocket: WebSocket, context: CallerContext): void {
    const peer = new ServerPeer((data) => sendDrained(webSocket, data as string | Uint8Array))
    const handle = createServerPeerHandleRequestFn(this.#rpc, { context })
    let open = 0
    webSocket.setMaxListeners(maxCallsPerSocket + 10)
    const refuse = (code: number, reason: string) => {
      if (webSocket.readyState !== webSocket.OPEN) return
      this.#options.logger.warn('a WebSocket was closed', { reason, identity: context.identity })
      webSocket.close(code, reason)
      endSoon()
    }
    // Not at once: a connection that is torn down while data is on its way is reset, and the caller would not learn why.
    const endSoon = () => setTimeout(() => webSocket.terminate(), 1_000).unref()
    webSocket.on('message', (data, binary) => {
      const text = binary ? null : (data as Buffer).toString('utf8')
      const kind = text === null ? 'malformed' : messageKind(text)
      if (text === null || kind === 'malformed') return refuse(1008, 'malformed message')
      if (kind === 'call' && ++open > maxCallsPerSocket) return refuse(1013, `more than ${maxCallsPerSocket} calls at once`)
      peer
        .message(text, handle)
        .catch(() => refuse(1008, 'malformed call'))
        .finally(() => {
          if (kind === 'call') open--
        })
    })
    webSocket.on('pong', () => this.#silent.delete(webSocket))
    // It has been closed by then with the code of what was wrong.
    webSocket.on('error', endSoon)
    webSocket.on('close', () => peer.close())
  }

  #ping(): void {
    for (const webSocket of this.#webSockets.clients) {
      if (this.#silent.has(webSocket)) {
        webSocket.terminate()
        continue
      }
      this.#silent.add(webSocket)
      webSocket.ping()
    }
  }

  async #intercept<T>(call: { path: readonly string[]; next(): Promise<T> }): Promise<T> {
    try {
      return mapStreamErrors(await call.next())
    } catch (thrown) {
      const error = toOrpcError(thrown)
      if (error.code === 'internal')
        this.#options.logger.error('a call failed', {
          path: call.path.join('.'),
          cause: thrown,
          stack: thrown instanceof Error ? thrown.stack : undefined,
        })
      throw error
    }
  }
}

/** Resolves when the data has left this process, so that a stream waits for a slow reader instead of piling up. */
function sendDrained(webSocket: WebSocket, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A socket that closes may drop what it holds without calling back.
    const closed = () => reject(new Error('the reader went away'))
    webSocket.once('close', closed)
    webSocket.send(data, (error) => {
      webSocket.off('close', closed)
      if (error) reject(error)
      else resolve()
    })
  })
}

/**
 * What a message of oRPC's peer protocol is. Only calls and their ends are taken:
 * no contract of ours streams from the caller, and such a stream would be queued without bound.
 */
function messageKind(text: string): 'call' | 'end' | 'malformed' {
  try {
    const { i, t, p } = JSON.parse(text) as { i?: unknown; t?: unknown; p?: { u?: unknown; h?: Record<string, unknown> } }
    if (typeof i !== 'string' || i.length > 64) return 'malformed'
    if (t === 4) return 'end'
    if ((t !== undefined && t !== 1) || typeof p?.u !== 'string') return 'malformed'
    const streams = Object.entries(p.h ?? {}).some(([name, value]) => /^content-(type|disposition)$/i.test(name) && value !== 'application/json')
    return streams ? 'malformed' : 'call'
  } catch {
    return 'malformed'
  }
}
