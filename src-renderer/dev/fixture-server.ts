/**
 * TEST DOUBLE of the laptop's main program. Serves the built screens on loopback with the desktop contract answered from a
 * `FixtureCluster`. `node src-renderer/dev/fixture-server.ts [--port 4310] [--hosts 3] [--ports 38]` after `vite build`; `POST /fixture` with a
 * JSON object of faults changes the cluster while it runs.
 */
import { implement } from '@orpc/server'
import { RPCHandler } from '@orpc/server/ws'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { WebSocketServer } from 'ws'
import { mapErrors } from '../../core/contract/errors.ts'
import { desktopContract } from '../../core/contract/desktop/index.ts'
import type { HostDrops } from '../../core/contract/desktop/network.ts'
import type { ListKind } from '../../core/contract/desktop/inventory.ts'
import { socketPath } from '../../core/contract/desktop/link.ts'
import type { Sample } from '../../core/model/index.ts'
import { statusOf } from '../../core/status/status.ts'
import type { ReportedEntity } from '../../core/status/freshness.ts'
import { topologyOf } from '../../core/topology/topology.ts'
import { FixtureCluster, noFaults, type Faults } from './fixture-cluster.ts'
import { FixtureNetwork, noNetworkFaults, type NetworkFaults } from './fixture-network.ts'
import { fixtureSample } from './fixture-samples.ts'
import { FixtureTask } from './fixture-task.ts'
import { FixtureCaptures, noCaptureFaults, type CaptureFaults } from './fixture-capture.ts'
import { FixtureTracer, noTraceFaults, type TraceFaults } from './fixture-trace.ts'

const contentTypes: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
}

/** The shells' own policy: nothing inline, nothing remote, nothing evaluated. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export interface Fixture {
  url: string
  cluster: FixtureCluster
  close(): Promise<void>
}

/** Starts it on a free port of loopback. `slowMs` holds back the first frame, to show what loading looks like. */
export async function startFixture(
  options: Partial<Faults & NetworkFaults & TraceFaults & CaptureFaults> & {
    port?: number
    recording?: boolean
    vault?: 'open' | 'locked' | 'absent'
    slowMs?: number
    noContext?: boolean
    screensDir?: string
  } = {},
): Promise<Fixture> {
  const screensDir = path.resolve(options.screensDir ?? path.join(import.meta.dirname, '../../dist/renderer'))
  const cluster = new FixtureCluster({ ...noFaults, ...options })
  const network = new FixtureNetwork(cluster, { ...noNetworkFaults, ...options })
  const tracer = new FixtureTracer(cluster, { ...noTraceFaults, ...options })
  const captures = new FixtureCaptures({ ...noCaptureFaults, ...options })
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      if (request.method === 'POST' && url.pathname === '/fixture') {
        const chunks: Buffer[] = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        cluster.setFaults(JSON.parse(Buffer.concat(chunks).toString()) as Partial<Faults>)
        return response.writeHead(204).end()
      }
      const file = path.join(screensDir, url.pathname === '/' ? 'index.html' : path.normalize(url.pathname))
      try {
        const body = await readFile(file)
        response.writeHead(200, { 'content-type': contentTypes[path.extname(file)] ?? 'application/octet-stream', 'content-security-policy': policy })
        response.end(body)
      } catch {
        response.writeHead(404).end()
      }
    })()
  })
  const sockets = new WebSocketServer({ server, path: socketPath })
  const handler = new RPCHandler(router({ cluster, network, tracer, captures }, options), { clientInterceptors: [mapErrors] })
  sockets.on('connection', (socket) => void handler.upgrade(socket))
  const timer = setInterval(() => (network.tick(), cluster.tick()), 1000)
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    cluster,
    close: () => close(server, sockets, timer),
  }
}

async function close(server: Server, sockets: WebSocketServer, timer: NodeJS.Timeout): Promise<void> {
  clearInterval(timer)
  for (const client of sockets.clients) client.terminate()
  await new Promise((resolve) => server.close(resolve))
}

function router(
  { cluster, network, tracer, captures }: { cluster: FixtureCluster; network: FixtureNetwork; tracer: FixtureTracer; captures: FixtureCaptures },
  options: { vault?: 'open' | 'locked' | 'absent'; recording?: boolean; slowMs?: number; noContext?: boolean },
) {
  const os = implement(desktopContract)
  const contexts = options.noContext
    ? []
    : [
        { name: 'lab', endpoints: ['10.77.1.11:7443', '10.77.1.12:7443'], current: true, recording: options.recording ?? false },
        { name: 'branch-office', endpoints: ['192.0.2.11:7443'], current: false, recording: false },
      ]
  let vault = options.vault ?? ('open' as 'open' | 'locked' | 'absent')
  const tasks = new Map<string, FixtureTask>()
  const terminals = new Map<string, FixtureTerminal>()
  let positions: Record<string, { x: number; y: number }> = {}
  const start = (task: FixtureTask) => {
    tasks.set(task.task.id, task)
    return structuredClone(task.task)
  }
  const status = () =>
    statusOf({
      name: 'lab',
      entities: ['host', 'path', 'cluster', 'module'].flatMap((kind) => cluster.items(kind)) as unknown as ReportedEntity[],
      sources: cluster.sources(),
      nowMs: Date.now(),
    })
  const topology = () =>
    topologyOf({
      entities: ['host', 'nic', 'neighbour'].flatMap((kind) => cluster.items(kind)) as unknown as ReportedEntity[],
      sources: cluster.sources(),
      nowMs: Date.now(),
    })
  const listed: Partial<Record<ListKind, () => object[]>> = {
    audit: () => cluster.audit,
    switches: () => topology().switches,
    links: () => topology().links,
  }

  return os.router({
    context: {
      add: os.context.add.handler(({ errors }) => {
        throw errors['not-supported']({ message: 'The fixture knows its clusters', data: { hint: 'Use one of them.' } })
      }),
      list: os.context.list.handler(() => contexts),
      use: os.context.use.handler(({ input, errors }) => {
        const chosen = contexts.find(({ name }) => name === input.name)
        if (!chosen) throw errors['not-found']({ message: `No context ${input.name}`, data: { hint: 'List them: holdfast context list' } })
        for (const context of contexts) context.current = context === chosen
        return chosen
      }),
      remove: os.context.remove.handler(() => ({})),
      keys: os.context.keys.handler(() => ({ store: 'vault' as const, state: vault })),
      unlock: os.context.unlock.handler(({ input, errors }) => {
        if (input.passphrase === 'wrong')
          throw errors['passphrase-wrong']({
            message: 'The vault does not open with this passphrase',
            data: { hint: 'Try again, or restore the vault from a copy.' },
          })
        vault = 'open'
        return {}
      }),
    },
    inventory: {
      status: os.inventory.status.handler(() => status()),
      list: os.inventory.list.handler(({ input }) => ({
        kind: input.kind,
        asOf: new Date().toISOString(),
        ageMs: 0,
        items: (listed[input.kind]?.() ?? cluster.items(input.kind.replace(/s$/, '')).map(({ doc }) => doc)) as Record<string, unknown>[],
      })),
      search: os.inventory.search.handler(({ input }) => cluster.search(input.query, input.limit)),
      feed: os.inventory.feed.handler(async function* ({ signal }) {
        if (options.slowMs) await new Promise((resolve) => setTimeout(resolve, options.slowMs))
        yield cluster.snapshot()
        yield* queue<ReturnType<FixtureCluster['snapshot']>>((push) => cluster.subscribe(push), signal)
      }),
      samples: os.inventory.samples.handler(async function* ({ input, signal }) {
        const now = Math.floor(Date.now() / 1000) * 1000
        const missing = (atMs: number): boolean => {
          const agoS = (cluster.startedAtMs - atMs) / 1000
          return (
            (agoS > 60 && agoS < 85) ||
            (!cluster.isUp(input.host) && agoS < 192) ||
            (cluster.faults.offline && agoS < cluster.faults.offlineForMs / 1000)
          )
        }
        const stored: Sample[] = []
        for (let atMs = Math.max(input.sinceMs, now - 900_000); atMs <= now; atMs += 1000)
          if (!missing(atMs)) stored.push(fixtureSample(input.host, atMs))
        yield stored
        yield* queue<Sample[]>(
          (push) => cluster.subscribe(() => cluster.isUp(input.host) && !cluster.faults.offline && push([fixtureSample(input.host, Date.now())])),
          signal,
        )
      }),
      positions: os.inventory.positions.handler(() => positions),
      savePositions: os.inventory.savePositions.handler(({ input }) => {
        positions = { ...positions, ...input }
        return {}
      }),
    },
    host: {
      hostKey: os.host.hostKey.handler(({ input, errors }) => {
        if (input.address.endsWith('.99'))
          throw errors['host-unreachable']({
            message: `Nothing answers at ${input.address}:${input.port}`,
            data: { hint: 'Check the address, and that sshd runs there and no firewall is in between.' },
          })
        return {
          algorithm: 'ssh-ed25519',
          fingerprint: 'SHA256:q9zXbS1v0m8kQ4nTn3pYw5cUu2rJfVg7dEoHhLxAaBc',
          pinned: input.address.endsWith('.66') ? 'changed' : 'no',
        }
      }),
      acceptKey: os.host.acceptKey.handler(() => ({})),
      add: os.host.add.handler(({ input }) =>
        start(
          new FixtureTask(
            cluster,
            'host-install',
            `Install ${input.name}`,
            [`host/${input.name}`],
            ['connect', 'check-system', 'packages', 'check-network', 'upload', 'unpack', 'join-cluster', 'start', 'wait'],
            {
              onDone: () => cluster.addHost(input.name, input.addresses),
              ...(input.target.auth.type === 'password' &&
                input.target.auth.password === 'wrong' && {
                  fail: {
                    code: 'ssh-auth-failed',
                    message: `${input.target.address} refused the password of ${input.target.user}`,
                    hint: 'Check the user and the password, or use a key.',
                  },
                }),
            },
          ),
        ),
      ),
      remove: os.host.remove.handler(({ input }) =>
        start(
          new FixtureTask(cluster, 'host-remove', `Remove ${input.name}`, [`host/${input.name}`], ['leave-cluster', 'remove-agent'], {
            onDone: () => cluster.removeHost(input.name),
          }),
        ),
      ),
      upgrade: os.host.upgrade.handler(({ input }) =>
        start(
          new FixtureTask(
            cluster,
            'host-upgrade',
            `Upgrade ${input.name} to 0.1.1-77aa01cd`,
            [`host/${input.name}`],
            ['check', 'upload', 'unpack', 'upgrade-cluster', 'upgrade-monitor', 'upgrade-supervisor', 'remove-old-versions'],
            {
              stepMs: 4000,
              fail: {
                code: 'upgrade-rolled-back',
                message: `cluster 0.1.1-next on ${input.name} did not get well within 20 s and was rolled back`,
                hint: 'Read its log on the host: /var/log/holdfast/cluster.log. The old version runs.',
              },
            },
          ),
        ),
      ),
    },
    network: {
      get: os.network.get.handler(() => ({ revision: network.revision, offline: network.offline, network: network.network })),
      export: os.network.export.handler(() => ({ declaration: network.export() })),
      plan: os.network.plan.handler(({ input }) => network.plan(input.declaration, input.prune)),
      apply: os.network.apply.handler(({ input, errors }) => {
        if (network.offline)
          throw errors.offline({
            message: 'No agent of the cluster answers',
            data: { hint: 'Check the network of this laptop, and that hosts have power.' },
          })
        if (input.revision !== undefined && input.revision !== network.revision)
          throw errors.busy({
            message: 'The virtual network was changed since this plan was made',
            data: { hint: 'Look at the plan again, then apply it.' },
          })
        return network.apply(input.declaration, input.prune)
      }),
      failover: os.network.failover.handler(() => ({ outageMs: 41, connectionsCut: 0, way: 'standby' as const })),
      drops: os.network.drops.handler(({ input }) => ({
        hosts: cluster
          .hostNames()
          .filter((host) => host === (input.host ?? host))
          .map(dropsOf),
      })),
      reachability: os.network.reachability.handler(({ input: { vpc, proto, dport, declaration } }) =>
        tracer.reachability(network.network, vpc, { proto, dport }, declaration === undefined ? null : network.plan(declaration, false).next),
      ),
      trace: os.network.trace.handler(({ input: { declaration, mode, ...request } }) =>
        tracer.trace(
          declaration === undefined ? network.network : network.plan(declaration, false).next,
          request,
          declaration === undefined ? mode : 'simulated',
        ),
      ),
    },
    broadcast: {
      status: os.broadcast.status.handler(({ errors }) => {
        throw errors['not-supported']({ message: 'The fixture has no command line', data: { hint: 'The window reads the feed.' } })
      }),
      vips: os.broadcast.vips.handler(({ errors }) => {
        throw errors['not-supported']({ message: 'The fixture has no command line', data: { hint: 'The window reads the feed.' } })
      }),
    },
    capture: {
      check: os.capture.check.handler(({ input }) => {
        captures.check(input.filter)
        return {}
      }),
      start: os.capture.start.handler(({ input, signal }) => captures.start(network.network, input, signal)),
      stop: os.capture.stop.handler(({ input }) => {
        captures.stop(input.id)
        return {}
      }),
    },
    task: {
      list: os.task.list.handler(() => [...tasks.values()].map(({ task }) => structuredClone(task))),
      cancel: os.task.cancel.handler(({ input }) => {
        tasks.get(input.id)!.cancel()
        return structuredClone(tasks.get(input.id)!.task)
      }),
      resume: os.task.resume.handler(({ input }) => {
        tasks.get(input.id)!.start(900)
        return structuredClone(tasks.get(input.id)!.task)
      }),
    },
    terminal: {
      open: os.terminal.open.handler(({ input, errors }) => {
        if (!cluster.isUp(input.host))
          throw errors['host-unreachable']({
            message: `${input.host} does not answer on SSH`,
            data: { hint: 'It is powered off. Power it on, or look at its console.' },
          })
        const terminal = new FixtureTerminal(input.host)
        terminals.set(terminal.id, terminal)
        return { id: terminal.id }
      }),
      output: os.terminal.output.handler(({ input, signal }) => terminals.get(input.id)!.output(signal)),
      input: os.terminal.input.handler(({ input }) => {
        terminals.get(input.id)?.type(input.text)
        return {}
      }),
      resize: os.terminal.resize.handler(() => ({})),
      close: os.terminal.close.handler(({ input }) => {
        terminals.delete(input.id)
        return {}
      }),
    },
  })
}

/** What a host's switch has dropped, as if rules had been met now and then. */
function dropsOf(host: string): HostDrops {
  const drops = [
    { reason: 'acl' as const, object: 'acl/no-ssh', packets: 1284, bytes: 96_300 },
    { reason: 'port-security' as const, object: 'port/web-7', packets: 37, bytes: 3108 },
    { reason: 'unknown-destination' as const, object: null, packets: 4, bytes: 240 },
  ]
  return { host, failure: null, drops: { drops: host === 'h3' ? [] : drops, errors: { earned: 12, suppressed: 0 } } }
}

/** Turns pushes into an iterator that ends with the signal. */
async function* queue<T>(subscribe: (push: (value: T) => void) => () => void, signal: AbortSignal | undefined): AsyncGenerator<T> {
  const waiting: T[] = []
  let wake = () => {}
  const stop = subscribe((value) => {
    waiting.push(value)
    wake()
  })
  signal?.addEventListener('abort', () => wake())
  try {
    while (!signal?.aborted) {
      while (waiting.length > 0) yield waiting.shift()!
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    stop()
  }
}

/** Looks like a shell: echoes, knows `hostname`, ends with `exit`. */
class FixtureTerminal {
  readonly id = crypto.randomUUID()
  #host: string
  #line = ''
  #push: (frame: { type: 'data'; text: string } | { type: 'exit'; code: number | null }) => void = () => {}

  constructor(host: string) {
    this.#host = host
  }

  output(signal: AbortSignal | undefined) {
    return queue<{ type: 'data'; text: string } | { type: 'exit'; code: number | null }>((push) => {
      this.#push = push
      this.#prompt()
      return () => {}
    }, signal)
  }

  type(text: string): void {
    for (const key of text) {
      if (key !== '\r') {
        this.#line += key
        this.#push({ type: 'data', text: key })
        continue
      }
      const line = this.#line.trim()
      this.#line = ''
      if (line === 'exit') return this.#push({ type: 'exit', code: 0 })
      const answers: Record<string, string> = {
        'hostname': this.#host,
        'uname -r': '6.1.0-37-amd64',
        'ip -br address':
          'lo               UNKNOWN        127.0.0.1/8\r\nmgmt             UP             10.77.1.12/24\r\nstorage          \x1b[31mDOWN\x1b[0m           10.77.2.12/24\r\ntenant           UP             10.77.3.12/24',
      }
      this.#push({ type: 'data', text: `\r\n${line ? `${answers[line] ?? `sh: ${line}: not found`}\r\n` : ''}` })
      this.#prompt()
    }
  }

  #prompt(): void {
    this.#push({ type: 'data', text: `\x1b[1;32mroot@${this.#host}\x1b[0m:\x1b[1;34m~\x1b[0m# ` })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4310' },
      hosts: { type: 'string', default: String(noFaults.hosts) },
      ports: { type: 'string', default: String(noNetworkFaults.ports) },
    },
  })
  console.log((await startFixture({ port: Number(values.port), hosts: Number(values.hosts), ports: Number(values.ports) })).url)
}
