import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SyncFrame } from '../contract/agent/sync.ts'
import { syncFrameSchema } from '../contract/agent/sync.ts'
import type { Env } from '../env.ts'
import { keyOf, ObjectLog, type Put } from './object-log.ts'
import { Replica } from './replica.ts'
import { sameJson } from './same-json.ts'

/** Virtual time: timers run when the test says so. */
class TestEnv implements Env {
  nowMs = 1_000
  timers = new Set<{ dueMs: number; callback: () => void }>()
  monotonicMs = () => this.nowMs
  wallMs = () => this.nowMs
  random = () => 0.5
  after(delayMs: number, callback: () => void): Disposable {
    const timer = { dueMs: this.nowMs + delayMs, callback }
    this.timers.add(timer)
    return { [Symbol.dispose]: () => void this.timers.delete(timer) }
  }
  every(): Disposable {
    throw new Error('not used')
  }
  advance(ms: number) {
    this.nowMs += ms
    for (const timer of [...this.timers]) {
      if (timer.dueMs > this.nowMs) continue
      this.timers.delete(timer)
      timer.callback()
    }
  }
}

const member = (id: string, version: number): Put => ({
  kind: 'member',
  id,
  doc: { host: id, memberId: id, state: 'up', raftLeader: false, version: String(version) },
})

const next = async (watch: AsyncGenerator<SyncFrame, void>): Promise<SyncFrame> => {
  const result = await watch.next()
  if (result.done) throw new Error('the watch ended')
  return result.value
}

const contents = (log: ObjectLog) => Object.fromEntries(log.list().map((item) => [keyOf(item.kind, item.id), item]))

/** Puts, deletions and readers that come, read late, go and come back, in any order. */
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('put' as const), id: fc.integer({ min: 0, max: 7 }), version: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('del' as const), id: fc.integer({ min: 0, max: 7 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('read' as const), reader: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('reconnect' as const), reader: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('forget' as const), reader: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
)

describe('ObjectLog', () => {
  test('any interleaving of changes, slow readers, reconnects and restarts leaves every reader equal to the log', async () => {
    const property = fc.asyncProperty(fc.array(command, { maxLength: 120 }), fc.integer({ min: 1, max: 12 }), async (commands, maxChanges) => {
      const env = new TestEnv()
      let life = 0
      const start = () => new ObjectLog({ env, epoch: `life-${life++}`, maxChanges })
      let log = start()
      const readers = [0, 1, 2].map(() => ({ replica: new Replica(), watch: log.watch() }))
      const connect = (index: number) => {
        readers[index]!.watch = log.watch(readers[index]!.replica.position)
      }
      const read = async (index: number) => {
        const { replica, watch } = readers[index]!
        const pending = next(watch)
        env.advance(800)
        const frame = await pending
        expect(syncFrameSchema.safeParse(frame).success).toBe(true)
        replica.apply(frame)
        expect(Object.fromEntries(replica.items)).toEqual(contents(log))
        expect(replica.position).toEqual(log.position)
      }
      for (const step of commands) {
        if (step.type === 'put') log.put(member(`h${step.id}`, step.version))
        else if (step.type === 'del') log.del('member', `h${step.id}`)
        else if (step.type === 'read') await read(step.reader)
        else if (step.type === 'reconnect') connect(step.reader)
        else if (step.type === 'forget') {
          readers[step.reader]!.replica.reset()
          connect(step.reader)
        } else {
          log = start()
          readers.forEach((_, index) => connect(index))
        }
      }
      for (const index of readers.keys()) await read(index)
    })
    await fc.assert(property, { numRuns: 300 })
  })

  test('a reader that comes back gets only what it missed, coalesced', async () => {
    const log = new ObjectLog({ env: new TestEnv(), epoch: 'e' })
    log.put(member('h1', 1))
    log.put(member('h2', 1))
    const { position } = log
    for (let version = 2; version < 100; version++) log.put(member('h1', version))
    log.del('member', 'h2')
    const frame = await next(log.watch(position))
    expect(frame).toMatchObject({ type: 'delta', rev: 101, dels: [{ kind: 'member', id: 'h2' }] })
    expect(frame.type === 'delta' && frame.puts).toHaveLength(1)
  })

  test.each([
    ['of another life', { epoch: 'other', rev: 5 }],
    ['that the log no longer reaches', { epoch: 'e', rev: 1 }],
    ['ahead of the log', { epoch: 'e', rev: 9_999 }],
  ])('a position %s gets a snapshot', async (_name, from) => {
    const log = new ObjectLog({ env: new TestEnv(), epoch: 'e', maxChanges: 4 })
    for (let version = 0; version < 40; version++) log.put(member('h1', version))
    expect(await next(log.watch(from))).toMatchObject({ type: 'snapshot', rev: 40, items: [{ id: 'h1' }] })
  })

  test('says idle at least each second, and at once to a reader that is up to date', async () => {
    const env = new TestEnv()
    const log = new ObjectLog({ env })
    log.put(member('h1', 1))
    const watch = log.watch(log.position)
    expect((await next(watch)).type).toBe('idle')
    for (let second = 0; second < 3; second++) {
      const pending = next(watch)
      env.advance(1_000)
      expect(await pending).toMatchObject({ type: 'idle', nowMs: env.nowMs })
    }
  })

  test('keeps nothing for a reader that went away', async () => {
    const env = new TestEnv()
    const log = new ObjectLog({ env })
    const abort = new AbortController()
    const watch = log.watch(undefined, abort.signal)
    await next(watch)
    const pending = watch.next()
    await Promise.resolve()
    abort.abort()
    expect(await pending).toEqual({ done: true, value: undefined })
    expect(env.timers.size).toBe(0)
  })

  test('a put of the same document changes nothing and keeps its time', () => {
    const env = new TestEnv()
    const log = new ObjectLog({ env })
    expect(log.put(member('h1', 1))).toBe(true)
    const { position } = log
    env.advance(5_000)
    expect(log.put(member('h1', 1))).toBe(false)
    expect(log.position).toEqual(position)
    expect(log.get('member', 'h1')?.atMs).toBe(1_000)
  })
})

describe('Replica', () => {
  test.each(['delta', 'idle'] as const)('refuses a %s that does not continue what it has', (type) => {
    const replica = new Replica()
    replica.apply({ type: 'snapshot', epoch: 'a', rev: 3, nowMs: 0, items: [] })
    const frame = { epoch: 'b', rev: 4, nowMs: 0 }
    expect(() => replica.apply(type === 'delta' ? { type, ...frame, puts: [], dels: [] } : { type, ...frame })).toThrow(/does not continue/)
    expect(replica.position).toEqual({ epoch: 'a', rev: 3 })
  })
})

test('sameJson agrees with comparing canonical JSON', () => {
  const canonical = (value: unknown): string =>
    JSON.stringify(value, (_key, inner: unknown) =>
      inner && typeof inner === 'object' && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    )
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>
  fc.assert(fc.property(json, json, (a, b) => sameJson(a, b) === (canonical(a) === canonical(b)) && sameJson(a, JSON.parse(JSON.stringify(a)))))
})
