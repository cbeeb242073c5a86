import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { HoldfastError } from '../../core/errors.ts'
import type { Put } from '../../core/sync/object-log.ts'
import type { Credentials } from '../contexts/contexts.ts'
import { Inventory } from '../inventory/inventory.ts'
import { clusterObject, hostObject, nic } from '../inventory/test-objects.ts'
import { AgentConnection } from './connection.ts'
import { dialAgents } from './module-link.ts'
import { Sync, type SyncOptions } from './sync.ts'
import { TestCluster, type TestAgent } from './test-agent.ts'

let cluster: TestCluster
let credentials: Credentials
beforeAll(async () => {
  cluster = await TestCluster.create('cluster-1')
  credentials = await cluster.credentials()
})

let dir: string
let stack: AsyncDisposableStack
let inventory: Inventory
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  dir = mkdtempSync(join(tmpdir(), 'holdfast-sync-'))
  stack.defer(() => rmSync(dir, { recursive: true, force: true }))
  inventory = stack.use(await Inventory.open(dir))
})
afterEach(() => stack.disposeAsync())

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 15_000, interval: 20 })
const ids = async (kind: string) => (await inventory.reports('lab', { only: [kind] })).map(({ id }) => id).sort()
const sample = (atMs: number) => ({ atMs, cpu: 0.5, memoryUsedBytes: 1, load1: 0, nics: {}, disks: {} })

function sync(agents: TestAgent[], more: Partial<SyncOptions> = {}): Sync {
  const endpoints = agents.map(({ endpoint }) => endpoint)
  return stack.use(new Sync({ inventory, context: 'lab', endpoints, dial: dialAgents(async () => credentials), samples: true, ...more }))
}

async function agentOf(host: string, objects: Record<string, object[]> = {}): Promise<TestAgent> {
  const agent = stack.use(await cluster.agent(host))
  for (const [module, list] of Object.entries(objects)) for (const object of list) agent.logs.get(module)!.put(object as Put)
  return agent
}

test('what an agent reports lands in the inventory, as it changes', async () => {
  const agent = await agentOf('h1', { monitor: [nic('h1', 'a'), nic('h1', 'b')] })
  const running = sync([agent])
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/a', 'h1/b']))
  agent.logs.get('monitor')!.del('nic', 'h1/a')
  agent.logs.get('monitor')!.put(nic('h1', 'c') as Put)
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/b', 'h1/c']))
  expect(running.sources().find(({ module }) => module === 'monitor')).toMatchObject({ host: 'h1', connected: true })
})

test('after a lost connection only what was missed is sent, samples too', async () => {
  const agent = await agentOf('h1', { monitor: [nic('h1', 'a'), nic('h1', 'b')] })
  agent.samples = [sample(1000), sample(2000)]
  sync([agent])
  await eventually(async () => expect(await inventory.lastSampleMs('lab', 'h1')).toBe(2000))
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/a', 'h1/b']))
  agent.cut()
  agent.samples.push(sample(3000))
  agent.logs.get('monitor')!.put(nic('h1', 'c') as Put)
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/a', 'h1/b', 'h1/c']))
  await eventually(async () => expect(await inventory.lastSampleMs('lab', 'h1')).toBe(3000))
  expect(agent.sent.monitor!.filter((type) => type === 'snapshot')).toHaveLength(1)
  expect(agent.askedSinceMs).toEqual([0, 2000])
})

test('a new program on the same inventory goes on from there as well', async () => {
  const agent = await agentOf('h1', { cluster: [clusterObject(), hostObject('h1', '127.0.0.1')], monitor: [nic('h1', 'a')] })
  const first = sync([agent])
  await first.settled(10_000)
  await first[Symbol.asyncDispose]()
  agent.logs.get('monitor')!.put(nic('h1', 'b') as Put)
  const second = sync([agent])
  await second.settled(10_000)
  expect(await ids('nic')).toEqual(['h1/a', 'h1/b'])
  expect(agent.sent.monitor!.filter((type) => type === 'snapshot')).toHaveLength(1)
  expect(agent.sent.cluster!.filter((type) => type === 'snapshot')).toHaveLength(1)
})

test('a module that was restarted is read anew, and what it no longer has is gone', async () => {
  const agent = await agentOf('h1', { monitor: [nic('h1', 'a')] })
  sync([agent])
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/a']))
  agent.restart('monitor').put(nic('h1', 'b') as Put)
  agent.cut()
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/b']))
})

test('an inventory that was lost is filled again over the connection that stands', async () => {
  const agent = await agentOf('h1', { monitor: [nic('h1', 'a')] })
  sync([agent])
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/a']))
  await inventory.forgetHost('lab', 'h1')
  agent.logs.get('monitor')!.put(nic('h1', 'b') as Put)
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/a', 'h1/b']))
})

test('hosts are learned from the cluster, and forgotten when it no longer has them', async () => {
  const second = await agentOf('h2', { monitor: [nic('h2', 'a')] })
  // On one machine two agents differ in their address alone, as real ones do.
  const first = await agentOf('h1', { cluster: [clusterObject(), hostObject('h1', '127.0.0.1')] })
  const dial = dialAgents(async () => credentials)
  const byName: Record<string, string> = { '10.9.9.2': second.endpoint }
  sync([first], {
    dial: (address, signal) => dial({ ...address, endpoint: byName[address.endpoint.split(':')[0]!] ?? address.endpoint }, signal),
  })
  await eventually(async () => expect(await ids('host')).toEqual(['h1']))
  first.logs.get('cluster')!.put(hostObject('h2', '10.9.9.2') as Put)
  await eventually(async () => expect(await ids('nic')).toEqual(['h2/a']))
  first.logs.get('cluster')!.del('host', 'h2')
  await eventually(async () => expect(await ids('nic')).toEqual([]))
})

test('a cluster of the same name made anew is found where it is now, not where the old one was', async () => {
  const old = await agentOf('h1', { cluster: [clusterObject(), hostObject('h1', '127.0.0.9')] })
  const first = sync([old])
  await eventually(async () => expect(await ids('host')).toEqual(['h1']))
  await first[Symbol.asyncDispose]()
  const anew = await agentOf('h1', { cluster: [clusterObject(), hostObject('h1', '127.0.0.1')], monitor: [nic('h1', 'b')] })
  sync([anew])
  await eventually(async () => expect(await ids('nic')).toEqual(['h1/b']))
})

test('without a majority nobody is forgotten', async () => {
  const first = await agentOf('h1', { cluster: [clusterObject(), hostObject('h1', '127.0.0.1'), hostObject('h2', '127.0.0.1')] })
  const running = sync([first])
  await eventually(() => expect(running.sources().map(({ host }) => host)).toContain('h2'))
  first.restart('cluster').put(clusterObject(false) as Put)
  first.cut()
  await eventually(async () => expect((await inventory.reports('lab', { only: ['cluster'] }))[0]!.doc.quorum).toBe(false))
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(running.sources().map(({ host }) => host)).toContain('h2')
  expect(await ids('host')).toEqual(['h1', 'h2'])
})

test('a host that hangs with its connection open counts as not connected after some seconds, and comes back', async () => {
  const agent = await agentOf('h1', { monitor: [nic('h1', 'a')] })
  const failures: (string | null)[] = []
  const running = sync([agent], { onFailure: ({ module }, error) => void (module === 'monitor' && failures.push(error?.code ?? null)) })
  const monitor = () => running.sources().find(({ module }) => module === 'monitor')
  await eventually(() => expect(monitor()?.connected).toBe(true))
  agent.hung = true
  await eventually(() => expect(monitor()?.connected).toBe(false))
  expect(failures[0]).toBe('timeout')
  agent.hung = false
  await eventually(() => expect(monitor()?.connected).toBe(true))
  expect(failures.at(-1)).toBeNull()
})

test('a host whose clock is ten minutes off is named, once', async () => {
  const agent = await agentOf('h1', { monitor: [nic('h1', 'a')] })
  const skews: [string, number | null][] = []
  const dial = dialAgents(async () => credentials)
  sync([agent], {
    dial: async (address, signal) => {
      const link = await dial(address, signal)
      const watch: typeof link.watch = async function* (from, signal) {
        for await (const frame of link.watch(from, signal)) yield { ...frame, nowMs: frame.nowMs + 600_000 }
      }
      return { host: link.host, watch, samples: link.samples, [Symbol.dispose]: () => link[Symbol.dispose]() }
    },
    onSkew: (host, skewMs) => skews.push([host, skewMs]),
  })
  await eventually(() => expect(skews).toHaveLength(1))
  expect(skews[0]![0]).toBe('h1')
  expect(skews[0]![1]).toBeGreaterThan(590_000)
})

test('settles within its time when nobody answers', async () => {
  const startMs = performance.now()
  const running = sync([], { endpoints: ['127.0.0.1:1'] })
  await running.settled(10_000)
  expect(performance.now() - startMs).toBeLessThan(9_000)
})

const connect = (agent: TestAgent, more: Partial<Parameters<typeof AgentConnection.connect>[0]> = {}) =>
  AgentConnection.connect({ module: 'monitor', endpoint: agent.endpoint, host: 'h1', credentials, ...more })

async function failureOf(attempt: Promise<AgentConnection>): Promise<HoldfastError> {
  const outcome = await attempt.then(
    async (connection) => {
      // With TLS 1.3 a server refuses a client's certificate only after the client is done.
      await eventually(() => expect(connection.failure).toBeDefined())
      return connection.failure!
    },
    (error: unknown) => error as HoldfastError,
  )
  expect(outcome.hint).not.toBe('')
  return outcome
}

test('refuses what is not the host that was meant, with the reason and a remedy', async () => {
  const agent = await agentOf('h1')
  expect((await connect(agent)).host).toBe('h1')
  expect((await connect(agent, { host: null })).host).toBe('h1')
  expect(await failureOf(connect(agent, { host: 'h2' }))).toMatchObject({ code: 'wrong-cluster' })

  const foreign = await TestCluster.create('cluster-2')
  const foreigner = await foreign.credentials()
  expect(await failureOf(connect(agent, { credentials: foreigner }))).toMatchObject({ code: 'wrong-cluster' })
  // It trusts our CA by mistake, but shows a certificate of another one.
  expect(await failureOf(connect(agent, { credentials: { ...foreigner, caPem: credentials.caPem } }))).toMatchObject({ code: 'wrong-cluster' })
  expect(await failureOf(connect(agent, { endpoint: '127.0.0.1:1' }))).toMatchObject({ code: 'host-unreachable' })
})

test('certificates that ended or have not begun, on either side, are named as that', async () => {
  const dayMs = 86_400_000
  const agent = await agentOf('h1')
  const past = Date.now() - 10 * dayMs
  expect(await failureOf(connect(agent, { credentials: await cluster.credentials(past, dayMs) }))).toMatchObject({ code: 'certificate-expired' })
  expect(await failureOf(connect(agent, { credentials: await cluster.credentials(Date.now() + 10 * dayMs) }))).toMatchObject({ code: 'clock-skew' })
  const expired = stack.use(await cluster.agent('h1', { nowMs: past, ttlMs: dayMs }))
  expect(await failureOf(connect(expired))).toMatchObject({ code: 'certificate-expired' })
  const early = stack.use(await cluster.agent('h1', { nowMs: Date.now() + 10 * dayMs }))
  expect(await failureOf(connect(early))).toMatchObject({ code: 'clock-skew' })
})
