import { setTimeout as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import type { VipRecord } from '../../core/net/broadcast/claims.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { World } from '../../core/sim/env.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store, Unchanged, Write } from '../store/store.ts'
import type { BroadcastPath } from './broadcast/path.ts'
import type { Advert, Sighting } from './broadcast/sightings.ts'
import type { StoredVip } from './desired.ts'
import { VipClaims } from './vip-claims.ts'

const network = planNetwork(
  emptyVirtualNetwork,
  parseDeclaration(`
networks: [{name: web, vpc: shop, vni: 500, subnet: 10.20.1.0/24}]
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, mac: "02:00:00:00:00:11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, mac: "02:00:00:00:00:12", host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, mac: "02:00:00:00:00:13", host: h2, attach: {kind: netns}}
vips: [{name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}]
`),
  { hosts: ['h1', 'h2'], prune: false },
).next
const ends = new Map([
  ['h1', { ip: '10.9.0.1', mac: '0a:58:0a:09:00:01' }],
  ['h2', { ip: '10.9.0.2', mac: '0a:58:0a:09:00:02' }],
])

/** One host with a store that tells at once, in virtual time. */
function host() {
  const world = new World(1)
  const vips = new Map<string, StoredVip>()
  const told: string[] = []
  const state = { away: false, cutOff: false, revision: 0, seenChanges: 0, adverts: [] as Advert[], sightings: [] as Sighting[] }
  const store = {
    async change(unchanged: readonly Unchanged[], writes: readonly Write[]) {
      await Promise.resolve()
      if (state.away) throw new Error('no member answers')
      if (unchanged.some(({ revision }) => (vips.get('web-vip')?.revision ?? 0) !== revision)) return { done: false, revision: state.revision }
      for (const write of writes) if ('put' in write) vips.set('web-vip', { record: write.value as VipRecord, revision: ++state.revision })
      return { done: true, revision: state.revision }
    },
    get: async () => {
      await Promise.resolve()
      const known = vips.get('web-vip')
      return known ? { key: '', value: known.record, revision: known.revision } : null
    },
  }
  const claims = new VipClaims({
    env: {
      wallMs: () => world.nowMs,
      monotonicMs: () => world.nowMs,
      random: () => 0,
      after: (ms, run) => world.after(ms, run),
      every: () => ({ [Symbol.dispose]: () => undefined }),
    },
    logger: { warn: (message: string) => told.push(message) } as unknown as Logger,
    events: { emit: (type: string) => told.push(type) } as unknown as EventLog,
    store: store as unknown as Store,
    host: 'h9',
    desired: { network, ends, vips },
    isCutOff: () => state.cutOff,
    sees: () => ({ adverts: () => state.adverts, sightings: () => state.sightings }) as unknown as BroadcastPath,
    onSeen: () => state.seenChanges++,
  })
  const pass = async (ms: number) => {
    world.runUntil(world.nowMs + ms)
    await turn(1)
  }
  const sighting = (number: number, change: Partial<Sighting> = {}): Sighting => ({
    ...{ vni: 500, ip: '10.20.1.100', mac: `02:00:00:00:00:1${number}`, host: `10.9.0.${number}`, atMs: world.nowMs, sequence: 1 },
    ...change,
  })
  const owner = () => vips.get('web-vip')?.record.owner?.port
  return { claims, state, told, vips, pass, sighting, owner, world }
}

describe('claims that a host has seen', () => {
  it('are written at once by a node, and later by a host that has only received the copy', async () => {
    const { claims, pass, sighting, owner, told } = host()
    claims.saw(sighting(1))
    await pass(0)
    expect([owner(), told]).toEqual(['web-1', ['vip-moved']])
    claims.saw(sighting(2, { host: null }))
    await pass(100)
    expect(owner()).toBe('web-1')
    await pass(150)
    expect(owner()).toBe('web-2')
  })

  it('move this host’s own flows before the store knows, until it does', async () => {
    const { claims, pass, sighting, state, owner } = host()
    state.away = true
    claims.saw(sighting(2))
    await pass(0)
    expect([claims.seen.get('web-vip')?.port, state.seenChanges, owner()]).toEqual(['web-2', 1, undefined])
    state.away = false
    await pass(1000)
    expect([claims.seen.size, owner()]).toEqual([0, 'web-2'])
  })

  it('are not made later than what somebody else has told meanwhile', async () => {
    const { claims, pass, sighting, vips, owner, state } = host()
    claims.saw(sighting(1, { host: null }))
    await pass(50)
    vips.set('web-vip', {
      record: { owner: { port: 'web-2', host: 'h2', mac: '02:00:00:00:00:12', sinceMs: 50 }, claimants: [], history: [] },
      revision: ++state.revision,
    })
    await pass(1000)
    expect([owner(), claims.seen.size]).toEqual(['web-2', 0])
  })

  it('of ports that may not have the VIP move nothing, but are announcements all the same', async () => {
    const { claims, pass, sighting, owner } = host()
    claims.saw(sighting(3))
    await pass(1000)
    expect(owner()).toBeUndefined()
    expect(claims.announcements.map(({ port }) => port)).toEqual(['web-3'])
  })

  it('while nobody was there are taken in, unless they are older than the owner', async () => {
    const { claims, pass, sighting, owner, state } = host()
    state.sightings = [sighting(1, { atMs: 0 })]
    await pass(100)
    claims.catchUp()
    await pass(0)
    expect(owner()).toBe('web-1')
    claims.saw(sighting(2))
    await pass(0)
    claims.catchUp()
    await pass(1000)
    expect(owner()).toBe('web-2')
  })

  it('come after an outage: from the last sign of life of the old owner', async () => {
    const { claims, pass, sighting, state, vips } = host()
    claims.saw(sighting(1))
    await pass(5000)
    state.adverts = [{ vni: 500, router: 51, family: 4, mac: '02:00:00:00:00:11', host: null, atMs: 4300 }]
    claims.saw(sighting(2))
    await pass(0)
    expect(vips.get('web-vip')!.record.history.map(({ outageMs }) => outageMs)).toEqual([null, 700])
  })

  it('by announcements that came to nothing are forgotten: back at the owner that the store has, this host’s flows are, too', async () => {
    const { claims, pass, sighting, state, owner } = host()
    claims.saw(sighting(1))
    await pass(0)
    state.away = true
    claims.saw(sighting(2))
    await pass(5000)
    expect(claims.seen.get('web-vip')?.port).toBe('web-2')
    expect(claims.problems).toEqual([expect.stringContaining('the store has been away since')])
    claims.saw(sighting(1))
    expect(claims.seen.size).toBe(0)
    state.away = false
    await pass(5000)
    expect([owner(), claims.problems]).toEqual(['web-1', []])
  })

  it('that were seen long ago do not take the address from who has claimed it since', async () => {
    const { claims, pass, sighting, owner, told } = host()
    await pass(60_000)
    claims.saw(sighting(2))
    await pass(5000)
    claims.saw(sighting(1, { atMs: 1000 }))
    await pass(1000)
    expect([owner(), claims.seen.size, told]).toEqual(['web-2', 0, ['vip-moved']])
  })

  it('of guests on a host that is cut off take the address from nobody', async () => {
    const { claims, pass, sighting, owner, state } = host()
    claims.saw(sighting(1))
    await pass(0)
    state.cutOff = true
    claims.saw(sighting(2))
    await pass(1000)
    expect([owner(), claims.seen.size]).toEqual(['web-1', 0])
  })

  it('of the only master are made once, and take the address there', async () => {
    const { claims, pass, sighting, owner, told } = host()
    claims.saw(sighting(1))
    await pass(100)
    const master = { network: 'web', ip: '10.20.1.100', mac: '02:00:00:00:00:12', port: 'web-2', host: 'h2', atMs: 0, router: 51 }
    for (let times = 0; times < 3; times++) claims.isOnlyMaster('web-vip', master)
    await pass(100)
    expect([owner(), told]).toEqual(['web-2', ['vip-moved', 'vip-moved']])
  })
})
