import { expect, it } from 'vitest'
import type { Disk, Neighbour, Nic } from '../../core/model/index.ts'
import { announcedOf, eventsBetween, mergeAnnounced } from './announce.ts'

const nic = (state: Nic['state']): Nic => ({ host: 'h1', name: 'mgmt', mac: '02:00:00:00:00:01', addresses: [], state, mtuBytes: 1500 })
const neighbour = (fields: Partial<Neighbour>): Neighbour => ({
  host: 'h1',
  nic: 'mgmt',
  chassisId: 'c',
  systemName: 'tor1',
  portId: 'p1',
  ...fields,
})
const disk = (health: Disk['health']): Disk => ({ host: 'h1', name: 'vdb', sizeBytes: 1, health })

it.each([
  ['a NIC loses its carrier', announcedOf([nic('up')], [], []), announcedOf([nic('down')], [], []), ['nic-down']],
  ['a NIC gets its carrier back', announcedOf([nic('down')], [], []), announcedOf([nic('up')], [], []), ['nic-up']],
  ['a NIC is seen for the first time', {}, announcedOf([nic('down')], [], []), []],
  ['a NIC does not tell', announcedOf([nic('up')], [], []), announcedOf([nic('unknown')], [], []), []],
  ['a cable is moved', announcedOf([], [neighbour({})], []), announcedOf([], [neighbour({ portId: 'p2' })], []), ['neighbour-changed']],
  ['a neighbour is lost', announcedOf([], [neighbour({})], []), announcedOf([], [neighbour({ lostAtMs: 5 })], []), []],
  ['a disk begins to fail', announcedOf([], [], [disk('ok')]), announcedOf([], [], [disk('failing')]), ['disk-failing']],
  ['a failing disk is seen for the first time', {}, announcedOf([], [], [disk('failing')]), ['disk-failing']],
  ['a disk fails on', announcedOf([], [], [disk('failing')]), announcedOf([], [], [disk('failing')]), []],
  ['a disk is seen for the first time', {}, announcedOf([], [], [disk('ok')]), []],
])('%s', (_, before, now, types) => {
  expect(eventsBetween(before, now).map((event) => event.type)).toEqual(types)
})

it('keeps the last word on what does not tell now, and forgets what is gone', () => {
  const before = { 'nic/h1/mgmt': 'up', 'nic/h1/gone': 'up', 'neighbour/h1/mgmt': 'tor1 port p1' }
  const merged = mergeAnnounced(before, announcedOf([nic('down')], [], []), (key) => !key.endsWith('/gone'))
  expect(merged).toEqual({ 'nic/h1/mgmt': 'down', 'neighbour/h1/mgmt': 'tor1 port p1' })
})

it('says what to whom in plain words', () => {
  const [event] = eventsBetween({ 'neighbour/h1/mgmt': 'tor1 port p1' }, { 'neighbour/h1/mgmt': 'tor2 port p9' })
  expect(event).toMatchObject({ message: 'NIC mgmt of h1 is now cabled to tor2 port p9, before to tor1 port p1', about: ['nic/h1/mgmt', 'host/h1'] })
})
