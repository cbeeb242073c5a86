import { RPCHandler } from '@orpc/server/message-port'
import { RPCLink } from '@orpc/client/message-port'
import { createORPCClient } from '@orpc/client'
import type { ContractRouterClient } from '@orpc/contract'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { listingSchema, statusSchema, type FeedFrame } from '../../core/contract/desktop/inventory.ts'
import type { DesktopContract } from '../../core/contract/desktop/index.ts'
import type { Put } from '../../core/sync/object-log.ts'
import { TestCluster, type TestAgent } from '../agents/test-agent.ts'
import { clusterObject, eventObject, hostObject, nic } from '../inventory/test-objects.ts'
import { createServices, type ServicesOptions } from '../main.ts'
import type { Services } from '../services.ts'

let cluster: TestCluster
beforeAll(async () => {
  cluster = await TestCluster.create('cluster-1')
})

let home: string
let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
  home = mkdtempSync(join(tmpdir(), 'holdfast-desktop-'))
  stack.defer(() => rmSync(home, { recursive: true, force: true }))
})
afterEach(() => stack.disposeAsync())

const open = async (options: ServicesOptions = {}) => stack.use(await createServices({ home, ...options }))

/** Services that know one cluster, whose only agent runs in this test. */
async function withAgent(): Promise<{ services: Services; agent: TestAgent }> {
  const agent = stack.use(await cluster.agent('h1'))
  const objects: Record<string, object[]> = {
    cluster: [clusterObject(), hostObject('h1', '127.0.0.1'), eventObject('h1/cluster-1', 5)],
    monitor: [
      nic('h1', 'mgmt'),
      { kind: 'neighbour', id: 'h1/mgmt', doc: { host: 'h1', nic: 'mgmt', chassisId: 'c', systemName: 'tor-a', portId: 'p1' } },
    ],
    supervisor: [
      {
        kind: 'module',
        id: 'h1/supervisor',
        doc: { host: 'h1', name: 'supervisor', version: '1.2.3', state: 'running', pid: 1, startedAtMs: 1, restarts: 0 },
      },
    ],
  }
  for (const [module, list] of Object.entries(objects)) for (const object of list) agent.logs.get(module)!.put(object as Put)
  const services = await open()
  const { keyPem, ...known } = await cluster.credentials()
  await services.contexts.save({ ...known, name: 'lab', clusterName: 'lab', endpoints: [agent.endpoint] }, keyPem, 'file')
  return { services, agent }
}

/** The contract as a window reaches it: through a port, everything serialised. */
function windowOf(services: Services): ContractRouterClient<DesktopContract> {
  const { port1, port2 } = new MessageChannel()
  stack.defer(() => port1.close())
  new RPCHandler(services.router).upgrade(port1 as never)
  port1.start()
  port2.start()
  return createORPCClient(new RPCLink({ port: port2 as never }))
}

test('status and lists ask the agents, and what they said is there when they are gone', async () => {
  const { services, agent } = await withAgent()
  const status = statusSchema.parse(await services.desktop.inventory.status())
  expect(status).toMatchObject({
    cluster: { name: 'lab', leader: 'h1', quorum: true },
    hosts: [{ name: 'h1', state: 'up', agent: { version: '1.2.3' } }],
  })
  const live = listingSchema.parse(await services.desktop.inventory.list({ kind: 'hosts' }))
  expect(live.items).toMatchObject([{ id: 'h1', state: 'up' }])
  expect(live.ageMs).toBeLessThan(10_000)
  expect((await services.desktop.inventory.list({ kind: 'switches' })).items).toMatchObject([{ name: 'tor-a' }])
  expect((await services.desktop.inventory.list({ kind: 'links' })).items).toMatchObject([{ host: 'h1', switch: 'tor-a', state: 'up' }])
  expect((await services.desktop.inventory.list({ kind: 'events' })).items).toMatchObject([{ id: 'h1/cluster-1' }])
  await services[Symbol.asyncDispose]()
  await agent[Symbol.asyncDispose]()

  const offline = await open()
  const kept = await offline.desktop.inventory.list({ kind: 'hosts', offline: true })
  expect(kept.items).toMatchObject([{ id: 'h1' }])
  expect(kept.asOf).not.toBeNull()
  expect(await offline.desktop.inventory.search({ query: 'tor-a' })).toMatchObject([{ kind: 'switch', id: 'tor-a' }])
  const later = { cluster: { name: 'lab', leader: null, quorum: false }, hosts: [{ name: 'h1', state: 'unknown' }] }
  await vi.waitFor(async () => expect(await offline.desktop.inventory.status()).toMatchObject(later), { timeout: 15_000 })
})

test('a feed begins with all there is, goes on with what changes, and says every second how fresh it is', async () => {
  const { services, agent } = await withAgent()
  const frames: FeedFrame[] = []
  const stop = new AbortController()
  const reading = (async () => {
    for await (const frame of await windowOf(services).inventory.feed(undefined, { signal: stop.signal })) frames.push(frame)
  })().catch(() => {})
  const known = () => {
    const items = new Map<string, unknown>()
    for (const frame of frames) {
      if (frame.type === 'snapshot') items.clear()
      for (const { reporter, kind, id, doc } of frame.type === 'snapshot' ? frame.items : frame.puts) items.set(`${reporter} ${kind} ${id}`, doc)
      if (frame.type === 'delta') for (const { reporter, kind, id } of frame.dels) items.delete(`${reporter} ${kind} ${id}`)
    }
    return [...items.keys()].sort()
  }
  const eventually = (check: () => void) => vi.waitFor(check, { timeout: 15_000 })
  try {
    await eventually(() =>
      expect(known()).toEqual([
        'h1 cluster cluster',
        'h1 event h1/cluster-1',
        'h1 host h1',
        'h1 module h1/supervisor',
        'h1 neighbour h1/mgmt',
        'h1 nic h1/mgmt',
      ]),
    )
    agent.logs.get('monitor')!.del('nic', 'h1/mgmt')
    agent.logs.get('monitor')!.put(nic('h1', 'storage') as Put)
    await eventually(() => expect(known().filter((key) => key.includes(' nic '))).toEqual(['h1 nic h1/storage']))
    await eventually(() => expect(frames.at(-1)!.sources.filter(({ connected }) => connected)).toHaveLength(4))
    const count = frames.length
    await eventually(() => expect(frames.length).toBeGreaterThan(count + 1))
    expect(frames.filter(({ type }) => type === 'snapshot')).toHaveLength(1)

    // Another context, another snapshot.
    await services.contexts.save({ name: 'other', clusterId: '', clusterName: 'other', endpoints: [], caPem: '', certificatePem: '' }, null)
    await services.desktop.context.use({ name: 'other' })
    await eventually(() => expect(known()).toEqual([]))
  } finally {
    stop.abort()
    await reading
  }
})

test('samples come stored first, then live', async () => {
  const { services } = await withAgent()
  const sample = (atMs: number) => ({ atMs, cpu: 0.5, memoryUsedBytes: 1, load1: 0, nics: {}, disks: {} })
  await services.inventory.putSamples('lab', 'h1', [sample(1000), sample(2000), sample(3000)])
  const stream = (await services.desktop.inventory.samples({ host: 'h1', sinceMs: 1000 }))[Symbol.asyncIterator]()
  expect((await stream.next()).value).toMatchObject([{ atMs: 2000 }, { atMs: 3000 }])
  const next = stream.next()
  await services.inventory.putSamples('lab', 'h2', [sample(9000)])
  await services.inventory.putSamples('lab', 'h1', [sample(4000)])
  expect((await next).value).toMatchObject([{ atMs: 4000 }])
  await stream.return?.()
})

test('a recording can be read and not changed; errors reach a window with code and hint', async () => {
  const services = await open()
  const window = windowOf(services)
  await expect(window.inventory.status()).rejects.toMatchObject({ code: 'no-context', data: { hint: expect.stringContaining('host') as string } })
  await services.contexts.save({ name: 'recording', clusterId: '', clusterName: 'demo', endpoints: [], caPem: '', certificatePem: '' }, null)
  const frame = { type: 'snapshot' as const, epoch: 'r', rev: 1, nowMs: 1000, items: [hostObject('h1')] }
  await services.inventory.apply({ context: 'recording', host: 'h1', module: 'cluster', frame, receivedAtMs: 1000 })
  expect(await window.inventory.status()).toMatchObject({ cluster: { name: 'demo' }, hosts: [{ name: 'h1', state: 'unknown' }] })
  expect((await window.inventory.list({ kind: 'hosts' })).asOf).toBe('1970-01-01T00:00:01.000Z')
  await expect(window.host.remove({ name: 'h1' })).rejects.toMatchObject({ code: 'read-only' })
  await expect(window.host.upgrade({ name: 'h1' })).rejects.toMatchObject({ code: 'read-only' })
  // Typed and within the program: the same error as a HoldfastError.
  await expect(services.desktop.host.remove({ name: 'h1' })).rejects.toMatchObject({ name: 'HoldfastError', code: 'read-only' })
  await expect(services.desktop.host.remove({ name: 'NOT A NAME' })).rejects.toMatchObject({ code: 'bad-input' })
})

test('a context that is removed takes its inventory along, on record; places of nodes are kept', async () => {
  const { services } = await withAgent()
  await services.desktop.inventory.savePositions({ 'host/h1': { x: 1, y: 2 } })
  expect(await services.desktop.inventory.positions()).toEqual({ 'host/h1': { x: 1, y: 2 } })
  await services.desktop.inventory.status()
  await services.desktop.context.remove({ name: 'lab' })
  expect(await services.inventory.reports('lab')).toEqual([])
  expect(await services.inventory.search('lab', 'h1', 5)).toEqual([])
  expect((await services.audit.list()).map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(['context-remove done', 'context-remove asked'])
  expect(await services.audit.verify()).toEqual({ sound: true, records: 2 })
  await expect(services.desktop.context.remove({ name: 'lab' })).rejects.toMatchObject({ code: 'no-context' })
})

test('a damaged inventory costs nothing but itself, and the events say so', async () => {
  const { services } = await withAgent()
  await services.desktop.inventory.status()
  await services[Symbol.asyncDispose]()
  writeFileSync(join(home, 'inventory.sqlite'), 'garbage'.repeat(1000))

  const again = await open()
  expect(again.contexts.list()).toMatchObject([{ name: 'lab' }])
  await vi.waitFor(
    async () => {
      const { items } = await again.desktop.inventory.list({ kind: 'events' })
      expect(items).toContainEqual(expect.objectContaining({ type: 'inventory-corrupt', origin: 'laptop' }))
      expect(items).toContainEqual(expect.objectContaining({ id: 'h1/cluster-1' }))
    },
    { timeout: 15_000 },
  )
  const { items } = await again.desktop.inventory.list({ kind: 'events' })
  const { movedTo } = items.find(({ type }) => type === 'inventory-corrupt')!.data as { movedTo: string }
  expect(readFileSync(movedTo, 'utf8')).toContain('garbage')
})

test('a program that names a context works on it, whichever is current', async () => {
  const { services } = await withAgent()
  await services.contexts.save({ name: 'other', clusterId: '', clusterName: 'other', endpoints: [], caPem: '', certificatePem: '' }, null)
  services.contexts.use('other')
  const named = await open({ context: 'lab' })
  expect((await named.desktop.inventory.status()).cluster.name).toBe('lab')
  expect(services.contexts.currentName()).toBe('other')
  await expect(createServices({ home, context: 'none' })).rejects.toMatchObject({ code: 'no-context' })
})

test('the vault is opened through the contract', async () => {
  const services = await open()
  expect(await services.desktop.context.keys()).toEqual({ store: 'vault', state: 'absent' })
  await services.desktop.context.unlock({ passphrase: 'correct horse' })
  expect(await services.desktop.context.keys()).toEqual({ store: 'vault', state: 'open' })
  const other = await open()
  await expect(other.desktop.context.unlock({ passphrase: 'wrong horse' })).rejects.toMatchObject({ code: 'passphrase-wrong' })
})
