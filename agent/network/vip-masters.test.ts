import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork, type TunnelEnd } from '../../core/model/network.ts'
import type { Masters } from '../../core/net/broadcast/masters.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store, Unchanged, Write } from '../store/store.ts'
import type { Advert } from './broadcast/sightings.ts'
import type { StoredVip } from './desired.ts'
import { VipMasters } from './vip-masters.ts'

const network = planNetwork(
  emptyVirtualNetwork,
  parseDeclaration(`
networks: [{name: web, vpc: shop, vni: 500, subnet: 10.20.1.0/24}]
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, mac: "02:00:00:00:00:11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, mac: "02:00:00:00:00:12", host: h2, attach: {kind: netns}}
vips: [{name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}]
`),
  { hosts: ['h1', 'h2'], prune: false },
).next

const ends = new Map<string, TunnelEnd>([
  ['h1', { ip: '10.9.0.1', mac: '0a:58:0a:09:00:01' }],
  ['h2', { ip: '10.9.0.2', mac: '0a:58:0a:09:00:02' }],
])

/** One node, its store, and guests that advertise themselves each second as long as they are in `live`. */
function node(owner: string) {
  const state = { nowMs: 100_000, away: false, lease: 0, live: new Set<number>(), adverts: new Map<number, Advert>(), warnings: 0 }
  const masters = new Map<string, Masters>()
  const only: string[] = []
  const writes: string[] = []
  const record = { owner: { port: owner, host: 'h1', mac: '02:00:00:00:00:11', sinceMs: 95_000 }, claimants: [], history: [] }
  const store = {
    async change(_: readonly Unchanged[], changes: readonly Write[]) {
      await Promise.resolve()
      if (state.away) throw new Error('no member answers')
      for (const change of changes) {
        writes.push('put' in change ? `put ${change.leaseId}` : 'delete')
        if ('put' in change) masters.set('h1', change.value as Masters)
        else masters.delete('h1')
      }
      return { done: true, revision: 1 }
    },
    async grantLease() {
      await Promise.resolve()
      return String(++state.lease)
    },
    async keepLease() {
      await Promise.resolve()
      if (state.away) throw new Error('no member answers')
      return state.lease > 0
    },
  }
  const vipMasters = new VipMasters({
    env: { wallMs: () => state.nowMs } as never,
    logger: { warn: () => state.warnings++ } as unknown as Logger,
    store: store as unknown as Store,
    host: 'h1',
    desired: { network, ends, vips: new Map<string, StoredVip>([['web-vip', { record, revision: 1 }]]), masters },
    adverts: () => [...state.adverts.values()],
    onOnlyMaster: (vip, { port }) => only.push(`${vip} ${port}`),
  })
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      state.nowMs += 1000
      for (const number of state.live) {
        state.adverts.set(number, { vni: 500, router: 51, family: 4, mac: `02:00:00:00:00:1${number}`, host: null, atMs: state.nowMs - 300 })
      }
      // Of the same moment, by a clock that is read anew.
      for (const [number, advert] of state.adverts) state.adverts.set(number, { ...advert, atMs: advert.atMs + (second % 2) })
      await vipMasters.look()
    }
  }
  const told = () => (masters.get('h1')?.['web-vip'] ?? []).map(({ port }) => port)
  /** Two senders under one MAC, of which the map has the last alone. */
  const passVirtual = async (seconds: number, ...hosts: string[]) => {
    for (let second = 0; second < seconds; second++) {
      state.nowMs += 1000
      const host = hosts[second % hosts.length]!
      state.adverts.set(0, { vni: 500, router: 51, family: 4, mac: '00:00:5e:00:01:33', atMs: state.nowMs - 300, host })
      await vipMasters.look()
    }
  }
  return { state, masters, only, passVirtual, writes, pass, told }
}

describe('what a node hears of virtual routers’ masters', () => {
  it('is told when it changes, and until they are silent', async () => {
    const { state, writes, pass, told } = node('web-1')
    state.live.add(1)
    await pass(1)
    expect(told()).toEqual([])
    await pass(20)
    expect([told(), writes]).toEqual([['web-1'], ['put 1']])
    state.live.add(2)
    await pass(5)
    expect(told()).toEqual(['web-1', 'web-2'])
    state.live.delete(1)
    await pass(5)
    expect(told()).toEqual(['web-2'])
    state.live.clear()
    await pass(5)
    expect([told(), writes.at(-1)]).toEqual([[], 'delete'])
  })

  it('makes the only master known that is not the owner, once the owner is silent', async () => {
    const { state, only, pass } = node('web-1')
    state.live = new Set([1, 2])
    await pass(10)
    expect(only).toEqual([])
    state.live.delete(1)
    await pass(2)
    expect(only).toEqual([])
    await pass(4)
    expect(only).toContain('web-vip web-2')
  })

  it('tells senders under the MAC of a virtual router apart, and which of them goes on', async () => {
    const { only, told, passVirtual } = node('web-1')
    await passVirtual(10, '10.9.0.1', '10.9.0.2')
    expect([told(), only]).toEqual([['web-1', 'web-2'], []])
    await passVirtual(12, '10.9.0.2')
    expect(told()).toEqual(['web-2'])
    expect(only).toContain('web-vip web-2')
  })

  it('leaves the address where it went just now', async () => {
    const { state, only, pass } = node('web-1')
    state.live.add(2)
    await pass(4)
    expect(only).toEqual([])
    await pass(5)
    expect(only).toContain('web-vip web-2')
  })

  it('does not, while another node hears the owner', async () => {
    const { state, only, masters, pass } = node('web-1')
    const owner = { network: 'web', ip: '10.20.1.100', mac: '02:00:00:00:00:11', port: 'web-1', host: 'h1', atMs: 0, router: 51 }
    masters.set('h2', { 'web-vip': [owner] })
    state.live.add(2)
    await pass(10)
    expect(only).toEqual([])
  })

  it('is no master for one advertisement after a long silence', async () => {
    const { state, told, pass } = node('web-1')
    state.live.add(1)
    await pass(5)
    state.live.clear()
    await pass(100)
    state.live.add(1)
    await pass(1)
    state.live.clear()
    await pass(5)
    expect(told()).toEqual([])
  })

  it('is told anew when the lease has ended, and after the store was away', async () => {
    const { state, writes, pass, told } = node('web-1')
    state.live.add(1)
    await pass(5)
    state.lease = 0
    await pass(1)
    expect(writes).toEqual(['put 1', 'put 1'])
    state.away = true
    state.live.add(2)
    await pass(10)
    expect([told(), state.warnings]).toEqual([['web-1'], 1])
    state.away = false
    await pass(2)
    expect(told()).toEqual(['web-1', 'web-2'])
  })
})
