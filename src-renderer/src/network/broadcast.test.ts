import { expect, test } from 'vitest'
import type { BroadcastWatcher, VipDoc } from '../../../core/contract/desktop/broadcast.ts'
import type { Announcement } from '../../../core/model/broadcast.ts'
import { en } from '../i18n/en.ts'
import { announcedIn, dropsOf, mostFlapsFirst, vipMark, watchedBy } from './broadcast.ts'
import { healthCheckText } from './words.ts'

const owner = { port: 'web-1', host: 'h1', mac: '00:00:5e:00:01:33', epoch: 7, since: '2026-01-01T00:00:00.000Z' }
const vip = (change: Partial<VipDoc>): VipDoc => ({
  ...{ name: 'web-vip', network: 'web', ip: '10.20.1.100', owner, allowed: [], claimants: [], damped: false, refused: [], history: [] },
  ...change,
})
const claim = (host: string) => ({ port: 'web-1', host, mac: owner.mac, at: owner.since })

test('a VIP is as its owner’s port, unless something is odd about it', () => {
  expect(vipMark(vip({}), 'down', en)).toEqual({ state: 'down', word: 'down' })
  expect(vipMark(vip({ owner: null }), 'up', en)).toEqual({ state: 'unknown', word: en.vip.nobody })
  expect(vipMark(vip({ damped: true }), 'up', en)).toEqual({ state: 'warning', word: en.vip.damped })
  expect(vipMark(vip({ damped: true, claimants: [claim('h1'), claim('h2')] }), 'up', en)).toEqual({ state: 'warning', word: en.vip.contested })
})

test('announcements of all nodes are one log, the newest first, each once', () => {
  const seen = (network: string, atMs: number): Announcement => ({ network, ip: '10.20.1.100', mac: owner.mac, port: 'web-1', host: 'h1', atMs })
  const nodes = [{ announcements: [seen('web', 1), seen('db', 2), seen('web', 3)] }, { announcements: [seen('web', 3), seen('web', 4)] }]
  expect(announcedIn('web', nodes, 10).map(({ atMs }) => atMs)).toEqual([4, 3, 1])
  expect(announcedIn('web', nodes, 2)).toHaveLength(2)
})

test('drops come the most first, and none that never was', () => {
  expect(dropsOf({ loop: 3, storm: 40, truncated: 0 })).toEqual([
    ['storm', 40],
    ['loop', 3],
  ])
})

test('a health check is said in words', () => {
  expect(healthCheckText({ tcp: 3306 }, en)).toBe('TCP 3306')
  expect(healthCheckText({ http: '/up' }, en)).toBe('HTTP /up on port 80')
  expect(healthCheckText({ command: ['pg_isready', '-q'] }, en)).toBe('command pg_isready -q')
})

test('hosts that find a replicator dead come first, then those that did most often', () => {
  const watcher = (host: string, ...seen: ['up' | 'down', number][]): BroadcastWatcher => ({
    ...{ host, flowsChanged: 0 },
    watches: seen.map(([state, flaps], i) => ({ host: `h${i + 1}`, as: i === 2 ? 'gateway' : 'node', state, flaps })),
  })
  const hosts = [
    watcher('h1'),
    watcher('h2', ['up', 1], ['up', 0], ['up', 2]),
    watcher('h3', ['up', 0], ['down', 1]),
    watcher('h4', ['up', 0], ['up', 0]),
  ]
  expect(mostFlapsFirst(hosts).map(({ host }) => host)).toEqual(['h3', 'h2', 'h1', 'h4'])
  expect(watchedBy(hosts).map(({ host, as }) => `${host} ${as}`)).toEqual(['h1 node', 'h2 node', 'h3 gateway'])
})
