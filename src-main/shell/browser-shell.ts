import { RPCHandler } from '@orpc/server/ws'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { socketPath } from '../../core/contract/desktop/link.ts'
import { readScreen, securityHeaders } from './screens.ts'
import { type DesktopRouter, isPeerMessage, maxMessageBytes, type Shell } from './shell.ts'

/** A window that reads this much slower than we write is cut off; it comes back and starts with a new snapshot. */
const maxBacklogBytes = 64 * 1024 * 1024
const maxWindows = 16

interface Options {
  router: DesktopRouter
  /** The built screens. */
  directory: string
  /** Gets each address to open. It holds a secret: print it, never log it. */
  announce(address: string): void
}

/**
 * The screens in an ordinary browser. Listens on loopback alone, on a port that the system picks. Who holds the address printed last
 * gets a session, once: its token is exchanged for a cookie. Every other request needs that cookie, our own Host (a name that an
 * attacker's DNS points at 127.0.0.1 is refused), and a WebSocket our own Origin.
 */
export async function startBrowserShell(options: Options): Promise<Shell> {
  const handler = new RPCHandler(options.router)
  const http = createServer({ requestTimeout: 10_000 })
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false, clientTracking: true })
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`
  const session = new Session(host)
  const headers = securityHeaders(`'self' ws://${host}`)

  http.on('request', (request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  http.on('upgrade', (request, socket, head) => {
    const refusal = refuseUpgrade(request)
    if (refusal) return refuse(socket, refusal)
    sockets.handleUpgrade(request, socket, head, (window) => void handler.upgrade(bounded(window)))
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body: string | Buffer, contentType: string, more: Record<string, string> = {}) =>
      response.writeHead(status, { ...headers, 'content-type': contentType, ...more }).end(request.method === 'HEAD' ? undefined : body)
    const refuse = (status: number, text: string) => reply(status, text, 'text/plain; charset=utf-8')

    if (request.headers.host !== host) return void refuse(421, `Holdfast answers at http://${host} alone.\n`)
    if (request.method !== 'GET' && request.method !== 'HEAD') return void refuse(405, 'Only GET is understood here.\n')
    const url = new URL(request.url ?? '/', `http://${host}`)
    const token = url.searchParams.get('token')
    if (token !== null) {
      const cookie = request.method === 'GET' ? session.exchange(token) : null
      if (!cookie) return void refuse(403, 'This address was used already, or is not one of ours. Press Enter where Holdfast runs for a new one.\n')
      // Not a redirect: a SameSite=Strict cookie would not go with one that began on another site, such as a terminal in a browser.
      return void reply(200, '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>Holdfast</title>', 'text/html; charset=utf-8', {
        'set-cookie': cookie,
      })
    }
    if (!session.holds(request)) {
      return void refuse(401, 'Open the address that Holdfast printed. Press Enter where Holdfast runs for a new one.\n')
    }
    const screen = await readScreen(options.directory, url.pathname)
    if (!screen) return void refuse(404, 'There is nothing here.\n')
    reply(200, screen.body, screen.contentType)
  }

  function refuseUpgrade(request: IncomingMessage): string | null {
    if (request.url !== socketPath) return '404 Not Found'
    if (request.headers.host !== host) return '421 Misdirected Request'
    if (request.headers.origin !== `http://${host}`) return '403 Forbidden'
    if (!session.holds(request)) return '401 Unauthorized'
    if (sockets.clients.size >= maxWindows) return '503 Service Unavailable'
    return null
  }

  return {
    open: async () => options.announce(`http://${host}/?token=${session.newToken()}`),
    close: () => closeServer(http, sockets),
  }
}

/** One person's session: a token that opens it once, and the cookie that it was exchanged for. Only hashes are kept. */
class Session {
  readonly #cookieName: string
  #token: Buffer | null = null
  readonly #cookies = new Set<string>()

  constructor(host: string) {
    // Cookies of 127.0.0.1 are shared by all of its ports: the port in the name keeps two shells apart.
    this.#cookieName = `holdfast-${host.split(':')[1]}`
  }

  /** A new token; one that was not used yet is void from now on. */
  newToken(): string {
    const token = randomBytes(32).toString('base64url')
    this.#token = hash(token)
    return token
  }

  /** The Set-Cookie line for a valid token, which is void afterwards; null for any other. */
  exchange(token: string): string | null {
    if (!this.#token || !timingSafeEqual(this.#token, hash(token))) return null
    this.#token = null
    const cookie = randomBytes(32).toString('base64url')
    this.#cookies.add(hash(cookie).toString('hex'))
    return `${this.#cookieName}=${cookie}; HttpOnly; SameSite=Strict; Path=/`
  }

  /** Whether a request carries a cookie that was given out here. */
  holds(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
    return cookies.some(([name, value]) => name === this.#cookieName && value !== undefined && this.#cookies.has(hash(value).toString('hex')))
  }
}

const hash = (text: string) => createHash('sha256').update(text).digest()

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** A WebSocket as oRPC uses one, that is cut when its reader lags too far behind or breaks the protocol. */
function bounded(window: WebSocket): Pick<WebSocket, 'addEventListener' | 'send'> {
  window.on('error', () => window.terminate())
  const addEventListener = (type: string, listener: (event: { data: unknown }) => void) => {
    if (type !== 'message') return void window.on(type, listener)
    window.on('message', (data, isBinary) => {
      const text = isBinary ? null : data.toString()
      if (isPeerMessage(text)) listener({ data: text })
      else window.close(1007, 'not a message of the desktop contract')
    })
  }
  const send = (data: Parameters<WebSocket['send']>[0]) => {
    if (window.bufferedAmount > maxBacklogBytes) window.terminate()
    else if (window.readyState === window.OPEN) window.send(data)
  }
  return { addEventListener, send } as Pick<WebSocket, 'addEventListener' | 'send'>
}

async function closeServer(http: Server, sockets: WebSocketServer): Promise<void> {
  for (const window of sockets.clients) window.terminate()
  sockets.close()
  const closed = new Promise<void>((resolve) => http.close(() => resolve()))
  http.closeAllConnections()
  await closed
}
