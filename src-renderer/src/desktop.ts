import { createORPCClient, ORPCError } from '@orpc/client'
import { RPCLink as PortLink } from '@orpc/client/message-port'
import { RPCLink as SocketLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import type { DesktopContract } from '../../core/contract/desktop/index.ts'
import { electronProtocol, portOffer, socketPath } from '../../core/contract/desktop/link.ts'
import { asHoldfastError, HoldfastError, type ErrorDoc } from '../../core/errors.ts'

export type DesktopClient = ContractRouterClient<DesktopContract>

/** `connecting`: not yet, since the start. `lost`: was open; trying again. */
export type ConnectionState = 'connecting' | 'open' | 'lost'

/** One life of the connection; `closed` settles when it ends. */
export interface Connection {
  client: DesktopClient
  closed: Promise<void>
}

/** Opens one connection, or throws. */
export type Connector = () => Promise<Connection>

const retryDelaysMs = [100, 250, 500, 1000, 2000]

/** The window's line to the laptop's main program. It reconnects by itself; work given to `whileOpen` starts again on each new connection. */
export class Desktop {
  #connect: Connector
  #client: DesktopClient | null = null
  #works = new Set<(client: DesktopClient) => void>()
  #watchers = new Set<(state: ConnectionState) => void>()

  constructor(connect: Connector) {
    this.#connect = connect
  }

  /** The client of the open connection. Throws `offline` while there is none. */
  get client(): DesktopClient {
    if (!this.#client)
      throw new HoldfastError(
        'offline',
        'The window has no connection to the Holdfast program',
        'Wait: it reconnects by itself. If it does not, start Holdfast again.',
      )
    return this.#client
  }

  /** Tells each change of the connection's state. */
  onState(watcher: (state: ConnectionState) => void): void {
    this.#watchers.add(watcher)
  }

  /**
   * Runs `work` now if connected, and again on every new connection, until the function returned is called, which ends the signal.
   * Calls of a connection that is cut end by failing: they need no signal, and could not tell the other side any more.
   */
  whileOpen(work: (client: DesktopClient, signal: AbortSignal) => Promise<void>): () => void {
    const stopped = new AbortController()
    const run = (client: DesktopClient): void => {
      work(client, stopped.signal).catch((thrown: unknown) => {
        if (!stopped.signal.aborted && this.#client === client) console.error('work over the desktop connection failed', asErrorDoc(thrown))
      })
    }
    this.#works.add(run)
    if (this.#client) run(this.#client)
    return () => {
      this.#works.delete(run)
      stopped.abort()
    }
  }

  /** Connects, and again whenever the connection ends. Never returns. */
  async run(): Promise<never> {
    for (let failures = 0; ;) {
      try {
        const connection = await this.#connect()
        failures = 0
        this.#client = connection.client
        this.#tell('open')
        for (const work of this.#works) work(connection.client)
        await connection.closed
        this.#client = null
        this.#tell('lost')
      } catch {
        await new Promise((resolve) => setTimeout(resolve, retryDelaysMs[Math.min(failures++, retryDelaysMs.length - 1)]))
      }
    }
  }

  #tell(state: ConnectionState): void {
    for (const watcher of this.#watchers) watcher(state)
  }
}

/** Over WebSocket to the page's own origin, as the browser shell serves it. */
export function socketConnector(url: string): Connector {
  return () =>
    new Promise((resolve, reject) => {
      const websocket = new WebSocket(url)
      websocket.addEventListener('open', () => {
        const closed = new Promise<void>((ended) => websocket.addEventListener('close', () => ended()))
        resolve({ client: createORPCClient(new SocketLink({ websocket })), closed })
      })
      websocket.addEventListener('error', () => reject(new Error(`no connection to ${url}`)))
    })
}

/** Over a MessagePort that this page makes and offers to Electron's preload (see `core/contract/desktop/link.ts`). */
export function portConnector(page: Window): Connector {
  return () => {
    const { port1, port2 } = new MessageChannel()
    const closed = new Promise<void>((resolve) => port1.addEventListener('close', () => resolve()))
    const client: DesktopClient = createORPCClient(new PortLink({ port: port1 }))
    port1.start()
    page.postMessage(portOffer, page.location.origin, [port2])
    return Promise.resolve({ client, closed })
  }
}

/** The line that this page has: Electron's port, or the browser shell's socket. */
export function connectorOf(page: Window): Connector {
  const { protocol, host } = page.location
  return protocol === electronProtocol ? portConnector(page) : socketConnector(`${protocol === 'https:' ? 'wss' : 'ws'}://${host}${socketPath}`)
}

/** The plain form of anything that a call may throw: what happened, and what to do. */
export function asErrorDoc(thrown: unknown): ErrorDoc {
  if (thrown instanceof ORPCError) {
    const data = (thrown.data ?? {}) as Record<string, unknown>
    return { code: thrown.code as ErrorDoc['code'], message: thrown.message, hint: typeof data.hint === 'string' ? data.hint : '', data }
  }
  return asHoldfastError(thrown).toDoc()
}
