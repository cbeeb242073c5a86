import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Env } from '../../core/env.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import type { MemberHealth } from '../../core/net/broadcast/platform-vip.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store, Unchanged, Write } from '../store/store.ts'
import type { StoredHealth, StoredVip } from './desired.ts'
import { networkKeys } from './documents.ts'
import { PlatformVips } from './platform-vips.ts'
import { healthLeaseSeconds, VipHealth } from './vip-health.ts'

const wallMs = 1_000_000
const port = (name: string, number: number, host: string): VirtualNetwork['ports'][number] => ({
  ...{
    name,
    network: 'db',
    mac: `02:00:00:00:00:0${number - 255}`,
    ip: `10.20.2.${number - 245}`,
    allow: [],
    host,
    attach: { kind: 'netns' },
    number,
  },
})
const network: VirtualNetwork = {
  ...emptyVirtualNetwork,
  ports: [port('db-1', 256, 'h1'), port('db-2', 257, 'h2')],
  vips: [{ name: 'db-vip', network: 'db', ip: '10.20.2.100', ports: ['db-1', 'db-2'], healthCheck: { tcp: 3306 } }],
}
const well: MemberHealth = { well: true, sinceMs: wallMs - 60_000, why: null, lastWellAtMs: null }
const unwell: MemberHealth = { well: false, sinceMs: wallMs, why: 'nothing listens', lastWellAtMs: wallMs - 700 }

/** Keys with the revision of their last write, and what was written. `away`: every call fails. */
class FakeStore {
  readonly revisions = new Map<string, number>()
  readonly written: Write[] = []
  away = false
  revision = 0
  leases = 0
  leaseLasts = true

  async change(unchanged: readonly Unchanged[], writes: readonly Write[]): Promise<{ done: boolean; revision: number }> {
    await Promise.resolve()
    if (this.away) throw new Error('no member answers')
    if (unchanged.some(({ key, revision }) => (this.revisions.get(key) ?? 0) !== revision)) return { done: false, revision: this.revision }
    this.revision++
    for (const write of writes) this.revisions.set('put' in write ? write.put : write.delete, this.revision)
    this.written.push(...writes)
    return { done: true, revision: this.revision }
  }

  grantLease(seconds: number): Promise<string> {
    return this.away ? Promise.reject(new Error('no member answers')) : Promise.resolve(`lease-${++this.leases} of ${seconds} s`)
  }

  keepLease(): Promise<boolean> {
    return this.away ? Promise.reject(new Error('no member answers')) : Promise.resolve(this.leaseLasts)
  }
}

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** What one host knows, which follows the store only when it is told to. */
function hostWith(store: FakeStore, leads = true) {
  const news: (() => void)[] = []
  const desired = {
    ...{ ready: true, network },
    ...{ vips: new Map<string, StoredVip>(), health: new Map<string, StoredHealth>() },
    changed: () => new Promise<void>((resolve) => news.push(resolve)),
  }
  const warnings: string[] = []
  const logger: Logger = { info: () => undefined, warn: (message) => void warnings.push(message), error: () => undefined }
  const events: string[] = []
  const timers: { run: () => void; periodMs: number }[] = []
  const env: Env = {
    ...{ wallMs: () => wallMs, monotonicMs: () => wallMs, random: () => 0.5 },
    after: () => ({ [Symbol.dispose]: () => undefined }),
    every: (periodMs, run) => {
      timers.push({ run, periodMs })
      return { [Symbol.dispose]: () => undefined }
    },
  }
  const emitting = { emit: (_type: string, _severity: string, message: string) => void events.push(message) } as unknown as EventLog
  const shared = { env, logger, store: store as unknown as Store, desired }
  return {
    ...{ desired, warnings, events, timers },
    vips: new PlatformVips({ ...shared, events: emitting, leads: () => leads }),
    health: new VipHealth({ ...shared, host: 'h1', run: '/nowhere' }),
    /** Has it look once more, and waits until that is over. */
    async look() {
      await vi.waitFor(() => expect(news.length).toBeGreaterThan(0))
      news.shift()!()
      await vi.waitFor(() => expect(news.length).toBeGreaterThan(0))
    },
  }
}

const reports = (db1: MemberHealth, db2: MemberHealth): [string, StoredHealth][] => [
  ['h1', { doc: { 'db-vip': { 'db-1': db1 } }, revision: 3 }],
  ['h2', { doc: { 'db-vip': { 'db-2': db2 } }, revision: 4 }],
]
function leaderWith(store: FakeStore, db1: MemberHealth, db2: MemberHealth, leads = true) {
  const host = hostWith(store, leads)
  for (const [name, stored] of reports(db1, db2)) {
    host.desired.health.set(name, stored)
    store.revisions.set(networkKeys.health(name), stored.revision)
  }
  host.vips.start()
  stops.push(() => host.vips.stop())
  return host
}

describe('the host that leads', () => {
  it('writes where a VIP is, with the MAC of its port, and tells of it; others write nothing', async () => {
    const store = new FakeStore()
    const follower = leaderWith(store, well, well, false)
    await follower.look()
    expect(store.written).toEqual([])
    const leader = leaderWith(store, well, well)
    await leader.look()
    expect(store.written).toMatchObject([
      { put: networkKeys.vip('db-vip'), value: { owner: { port: 'db-1', host: 'h1', mac: '02:00:00:00:00:01' } } },
    ])
    expect(leader.events).toEqual(['VIP db-vip is at db-1 on h1 now'])
  })

  it('writes once only where two take themselves for it', async () => {
    const store = new FakeStore()
    const both = [leaderWith(store, unwell, well), leaderWith(store, well, well)]
    await Promise.all(both.map((leader) => leader.look()))
    expect(store.written).toHaveLength(1)
    expect(both.flatMap(({ events }) => events)).toHaveLength(1)
  })

  it('writes nothing by a report that is not the newest', async () => {
    const store = new FakeStore()
    const leader = leaderWith(store, unwell, well)
    store.revisions.set(networkKeys.health('h1'), 9)
    await leader.look()
    expect(store.written).toEqual([])
    leader.desired.health.set('h1', { doc: { 'db-vip': { 'db-1': well } }, revision: 9 })
    await leader.look()
    expect(store.written).toMatchObject([{ value: { owner: { port: 'db-1' } } }])
  })

  it('moves nothing while the store is away, and says so once', async () => {
    const store = new FakeStore()
    store.away = true
    const leader = leaderWith(store, unwell, well)
    await leader.look()
    await leader.look()
    expect(leader.events).toEqual([])
    expect(leader.warnings).toEqual(['the store is away: VIPs that the platform drives stay where they are'])
    store.away = false
    await leader.look()
    expect(leader.events).toHaveLength(1)
  })

  it('measures the outage of an owner whose host has vanished from its last renewal', async () => {
    const store = new FakeStore()
    const leader = leaderWith(store, well, well)
    await leader.look()
    const key = networkKeys.vip('db-vip')
    const first = store.written[0] as unknown as { value: StoredVip['record'] }
    leader.desired.vips.set('db-vip', { record: first.value, revision: store.revisions.get(key)! })
    await leader.look()
    leader.desired.health.delete('h1')
    store.revisions.delete(networkKeys.health('h1'))
    await leader.look()
    expect(store.written.at(-1)).toMatchObject({
      value: { owner: { port: 'db-2' }, history: [{}, { from: 'db-1', to: 'db-2', outageMs: healthLeaseSeconds * 1000 }] },
    })
    expect(leader.events.at(-1)).toContain('it was at db-1: h1 says nothing of it; 3000 ms')
  })
})

describe('a host with members', () => {
  const down = { 'db-vip': { 'db-1': { well: false, sinceMs: wallMs, why: 'its port is down', lastWellAtMs: null } } }
  const key = networkKeys.health('h1')
  function hostThatChecks(store: FakeStore) {
    const host = hostWith(store)
    host.health.start()
    stops.push(() => host.health.stop())
    const [look, renew] = host.timers.toSorted((a, b) => a.periodMs - b.periodMs)
    const settle = () => new Promise((resolve) => setTimeout(resolve, 20))
    return { ...host, look: async () => (look!.run(), await settle()), renew: async () => (renew!.run(), await settle()) }
  }

  it('reports a port that is down after two looks, once, under a lease', async () => {
    const store = new FakeStore()
    const host = hostThatChecks(store)
    await host.look()
    expect(store.written).toEqual([])
    await host.look()
    expect(store.written).toEqual([{ put: key, value: down, leaseId: `lease-1 of ${healthLeaseSeconds} s` }])
    host.desired.health.set('h1', { doc: down, revision: 1 })
    await host.look()
    await host.renew()
    expect(store.written).toHaveLength(1)
  })

  it('goes on from what the process before it has reported, under a lease of its own', async () => {
    const store = new FakeStore()
    const host = hostThatChecks(store)
    const doc = { 'db-vip': { 'db-1': well } }
    host.desired.health.set('h1', { doc, revision: 1 })
    await host.look()
    expect(store.written).toEqual([{ put: key, value: doc, leaseId: `lease-1 of ${healthLeaseSeconds} s` }])
    // The others have missed it: it has to settle anew.
    store.leaseLasts = false
    await host.renew()
    expect(store.written.at(-1)).toMatchObject({ value: { 'db-vip': { 'db-1': { well: true, sinceMs: wallMs } } } })
  })

  it('reports again when its lease has ended or its report is gone, and when the store is back', async () => {
    const store = new FakeStore()
    const host = hostThatChecks(store)
    host.desired.health.set('h1', { doc: down, revision: 1 })
    await host.look()
    store.leaseLasts = false
    await host.renew()
    expect(store.written).toHaveLength(2)
    store.leaseLasts = true
    host.desired.health.delete('h1')
    await host.renew()
    expect(store.written).toHaveLength(3)
    store.away = true
    await host.renew()
    await host.renew()
    expect(host.warnings).toHaveLength(1)
    expect(host.warnings[0]).toContain('while it is away no such VIP moves')
    store.away = false
    await host.renew()
    expect(store.written).toHaveLength(4)
  })

  it('takes its report back when it has no member any more', async () => {
    const store = new FakeStore()
    const host = hostThatChecks(store)
    await host.look()
    await host.look()
    host.desired.network = { ...network, vips: [] }
    await host.look()
    await host.renew()
    expect(store.written.at(-1)).toEqual({ delete: key })
  })
})
