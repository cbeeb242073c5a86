import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { createLogger } from '../runtime/logger.ts'
import { CompactedError, type Store, type StoreChange, type StoredKey, type Unchanged, type Write } from '../store/store.ts'
import { Desired } from './desired.ts'
import { networkKeys } from './documents.ts'

/** The store in memory, as `Store` shows it. News of it can be held back. */
class MemoryStore {
  readonly items = new Map<string, StoredKey>()
  history: StoreChange[] = []
  revision = 0
  /** News up to this revision are told. */
  toldUpTo = Infinity
  /** Has every watch end as one of a store that has forgotten its history. */
  compacted = false

  status(): Promise<unknown> {
    return Promise.resolve({ learner: false })
  }

  list(prefix: string): Promise<{ revision: number; items: StoredKey[] }> {
    return Promise.resolve({ revision: this.revision, items: [...this.items.values()].filter(({ key }) => key.startsWith(prefix)) })
  }

  get(key: string): Promise<StoredKey | null> {
    return Promise.resolve(this.items.get(key) ?? null)
  }

  change(unchanged: readonly Unchanged[], writes: readonly Write[]): Promise<{ done: boolean; revision: number }> {
    if (unchanged.some(({ key, revision }) => (this.items.get(key)?.revision ?? 0) !== revision))
      return Promise.resolve({ done: false, revision: this.revision })
    const revision = ++this.revision
    const changes = writes.map((write) => {
      const key = 'put' in write ? write.put : write.delete
      // As JSON, so that nobody gets the very object that another has.
      const value: unknown = 'put' in write ? JSON.parse(JSON.stringify(write.value)) : null
      if (value === null) this.items.delete(key)
      else this.items.set(key, { key, value, revision })
      return { key, value }
    })
    this.history.push({ revision, changes })
    return Promise.resolve({ done: true, revision })
  }

  async *watch(_prefix: string, fromRevision: number, { signal }: { signal: AbortSignal }): AsyncGenerator<StoreChange> {
    for (let next = fromRevision; !signal.aborted;) {
      if (this.compacted) {
        this.compacted = false
        throw new CompactedError()
      }
      const news = this.history.find(({ revision }) => revision >= next && revision <= this.toldUpTo)
      if (news) {
        next = news.revision + 1
        yield news
      } else await sleep(2)
    }
  }
}

const logger = createLogger('test')
const started: Desired[] = []

afterEach(() => {
  for (const desired of started.splice(0)) desired[Symbol.dispose]()
})

/** One host's view of a store, with the revisions that it saw, one after the other. */
async function viewOf(store: MemoryStore): Promise<{ desired: Desired; seen: number[] }> {
  const seen: number[] = []
  const desired: Desired = new Desired({
    logger,
    store: store as unknown as Store,
    endpoints: () => ['memory'],
    onChange: () => seen.push(desired.revision),
  })
  started.push(desired)
  await expect.poll(() => desired.ready, { timeout: 30_000 }).toBe(true)
  return { desired, seen }
}

const hosts = (): Promise<string[]> => Promise.resolve(['h1', 'h2'])
const network = 'networks: [{name: web, vpc: shop, subnet: 10.1.0.0/24}]\n'
const port = (name: string, ip: string): string => `ports: [{name: ${name}, network: web, ip: ${ip}, host: h1, attach: {kind: netns}}]`
const apply = (desired: Desired, text: string, prune = false) => desired.apply(text, { prune, hosts })
const ips = (desired: Desired): string[] => desired.network.ports.map(({ ip }) => ip)
const until = (probe: () => unknown) => expect.poll(probe, { timeout: 30_000 })

it('late news of an older revision take nothing back of what was written', async () => {
  const store = new MemoryStore()
  const { desired, seen } = await viewOf(store)
  store.toldUpTo = 0
  for (const ip of ['10.1.0.11', '10.1.0.12', '10.1.0.13']) await apply(desired, network + port('p', ip))
  expect([ips(desired), desired.revision]).toEqual([['10.1.0.13'], 3])
  store.toldUpTo = Infinity
  await store.change([], [{ put: networkKeys.placed('h2'), value: { revision: 3, problems: [] } }])
  await until(() => desired.placed.get('h2')?.revision).toBe(3)
  expect([ips(desired), desired.revision]).toEqual([['10.1.0.13'], 3])
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

it('every host sees every apply whole, and what did not change as the very same objects', async () => {
  const store = new MemoryStore()
  const [one, other] = [await viewOf(store), await viewOf(store)]
  const many = Array.from({ length: 100 }, (_, at) => `  - {name: p${at}, network: web, ip: 10.1.0.${at + 10}, host: h1, attach: {kind: netns}}`)
  const { revision } = await apply(one.desired, `${network}ports:\n${many.join('\n')}`)
  await until(() => other.desired.revision).toBe(revision)
  expect(other.desired.network).toEqual(one.desired.network)
  const before = other.desired.network
  const changed = await apply(one.desired, port('p7', '10.1.0.200'))
  await until(() => other.desired.revision).toBe(changed.revision)
  expect(other.desired.network).toEqual(one.desired.network)
  expect(store.history.at(-1)!.changes.length).toBe(2)
  expect(other.desired.network.ports.filter((each) => before.ports.includes(each)).length).toBeGreaterThan(80)
  await apply(other.desired, network, true)
  await until(() => one.desired.network.ports).toEqual([])
})

it('a change by another in between is planned for, and a plan that was made before it is busy', async () => {
  const store = new MemoryStore()
  const [one, other] = [await viewOf(store), await viewOf(store)]
  await apply(one.desired, network)
  store.toldUpTo = 1
  const { revision } = await apply(one.desired, port('a', '10.1.0.11'))
  // It has not heard of that yet.
  expect(other.desired.revision).toBeLessThan(revision)
  await expect(other.desired.apply(port('b', '10.1.0.12'), { prune: false, hosts, revision: 1 })).rejects.toMatchObject({ code: 'busy' })
  await expect(apply(other.desired, port('b', '10.1.0.11'))).rejects.toMatchObject({ code: 'bad-input' })
  const interrupted = other.desired.apply(port('b', '10.1.0.12'), {
    prune: false,
    // Asked for after the network was read.
    hosts: async () => {
      if (store.revision === revision) await apply(one.desired, port('c', '10.1.0.13'))
      return hosts()
    },
  })
  await interrupted
  expect(ips(other.desired)).toEqual(['10.1.0.11', '10.1.0.12', '10.1.0.13'])
  store.toldUpTo = Infinity
  await until(() => one.desired.revision).toBe(store.revision)
  expect(one.desired.network).toEqual(other.desired.network)
})

it('what cannot be read leaves in place what was, and counts again once it can be', async () => {
  const store = new MemoryStore()
  const { desired } = await viewOf(store)
  await apply(desired, network + port('p', '10.1.0.11'))
  const root = store.items.get(networkKeys.desired)!.value
  await store.change([], [{ put: networkKeys.desired, value: { format: 99 } }])
  await until(() => desired.unreadable).not.toBeNull()
  expect([ips(desired), desired.revision]).toEqual([['10.1.0.11'], 1])
  await expect(apply(desired, network)).rejects.toMatchObject({ code: 'internal' })
  await store.change([], [{ put: networkKeys.desired, value: root }])
  await until(() => desired.revision).toBe(3)
  expect([ips(desired), desired.unreadable]).toEqual([['10.1.0.11'], null])
})

it('a store that was restored to an earlier state counts as it is', async () => {
  const store = new MemoryStore()
  const { desired } = await viewOf(store)
  await apply(desired, network + port('p', '10.1.0.11'))
  const backup = [...store.items.values()]
  await apply(desired, port('p', '10.1.0.12'))
  await apply(desired, port('q', '10.1.0.13'))
  store.items.clear()
  for (const item of backup) store.items.set(item.key, item)
  store.history = []
  store.revision = 1
  store.compacted = true
  await until(() => desired.revision).toBe(1)
  expect(ips(desired)).toEqual(['10.1.0.11'])
})
