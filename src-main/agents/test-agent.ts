import { implement } from '@orpc/server'
import { RPCHandler } from '@orpc/server/ws'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import type { SyncFrame } from '../../core/contract/agent/index.ts'
import { monitorContract } from '../../core/contract/agent/monitor.ts'
import { sourceModules } from './sync.ts'
import type { Env } from '../../core/env.ts'
import type { Sample } from '../../core/model/sample.ts'
import { createCa, createCsr, signHost, signPerson, type Ca } from '../../core/pki/index.ts'
import { ObjectLog } from '../../core/sync/object-log.ts'
import type { Credentials } from '../contexts/contexts.ts'

const env: Env = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  random: () => Math.random(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
  every: () => {
    throw new Error('not used')
  },
}

/** A cluster's CA for a test. */
export class TestCluster {
  readonly id: string
  readonly ca: Ca

  private constructor(id: string, ca: Ca) {
    this.id = id
    this.ca = ca
  }

  static async create(id: string): Promise<TestCluster> {
    return new TestCluster(id, await createCa({ commonName: id, clusterId: id, nowMs: Date.now() }))
  }

  async credentials(nowMs = Date.now(), ttlMs?: number): Promise<Credentials> {
    const { csrPem, keyPem } = await createCsr({ commonName: 'ann' })
    const certificatePem = await signPerson(this.ca, { csrPem, name: 'ann', role: 'admin', clusterId: this.id, nowMs, ...(ttlMs && { ttlMs }) })
    return { clusterId: this.id, caPem: this.ca.certificatePem, certificatePem, keyPem }
  }

  /** An agent of this cluster, listening on loopback. `nowMs` and `ttlMs` are of its certificate. */
  async agent(host: string, { port = 0, nowMs = Date.now(), ttlMs }: { port?: number; nowMs?: number; ttlMs?: number } = {}): Promise<TestAgent> {
    const { csrPem, keyPem } = await createCsr({ commonName: host })
    const certificatePem = await signHost(this.ca, { csrPem, host, clusterId: this.id, addresses: ['127.0.0.1'], nowMs, ...(ttlMs && { ttlMs }) })
    return await TestAgent.start({ ca: this.ca.certificatePem, cert: certificatePem, key: keyPem }, host, port)
  }
}

/** The modules of one host's agent over real mutual TLS, each on a real ObjectLog, with what went over the wire on record. */
export class TestAgent implements AsyncDisposable {
  readonly host: string
  readonly logs = new Map<string, ObjectLog>()
  /** Types of the frames sent, by module. */
  readonly sent: Record<string, string[]> = {}
  /** Samples that a reader gets that asks; those later than it asks for. */
  samples: Sample[] = []
  readonly askedSinceMs: number[] = []
  /** While true, watches say nothing, as when the host hangs. */
  hung = false
  readonly #server: Server
  readonly #sockets: WebSocketServer

  private constructor(host: string, server: Server, sockets: WebSocketServer) {
    this.host = host
    this.#server = server
    this.#sockets = sockets
    for (const module of sourceModules) this.restart(module)
  }

  static async start(tls: { ca: string; cert: string; key: string }, host: string, port: number): Promise<TestAgent> {
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' })
    const sockets = new WebSocketServer({ noServer: true })
    const agent = new TestAgent(host, server, sockets)
    server.on('upgrade', (request, socket, head) => {
      const module = /^\/v1\/(\w+)\/rpc$/.exec(request.url ?? '')?.[1] ?? ''
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => {})
        void new RPCHandler(routerOf(agent, module)).upgrade(webSocket)
      })
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return agent
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`
  }

  /** A module's process begins a new life, with an empty log. */
  restart(module: string): ObjectLog {
    const log = new ObjectLog({ env })
    this.logs.set(module, log)
    return log
  }

  /** Cuts all connections, as a lost network does sooner or later. */
  cut(): void {
    for (const socket of this.#sockets.clients) socket.terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

/** What a module of an agent serves, as far as synchronising needs it. */
function routerOf(agent: TestAgent, module: string) {
  const os = implement(monitorContract)
  return os.router({
    sync: {
      watch: os.sync.watch.handler(async function* ({ input, signal }): AsyncGenerator<SyncFrame> {
        for await (const frame of agent.logs.get(module)!.watch(input.from, signal)) {
          while (agent.hung && !signal?.aborted) await new Promise((resolve) => setTimeout(resolve, 20))
          ;(agent.sent[module] ??= []).push(frame.type)
          yield frame
        }
      }),
    },
    samples: os.samples.handler(async function* ({ input, signal }) {
      agent.askedSinceMs.push(input.sinceMs ?? -1)
      yield { gap: false, samples: agent.samples.filter(({ atMs }) => atMs > (input.sinceMs ?? 0)) }
      await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    }),
  })
}
