import { describe, expect, test } from 'vitest'
import type { Status } from '../../core/contract/desktop/inventory.ts'
import type { LiveState, Nic } from '../../core/model/index.ts'
import { concernsOf, type ConcernInput } from './concerns.ts'
import { en } from './i18n/en.ts'

const hosts = ['h1', 'h2', 'h3']

/** A cluster of three with these links cut and these hosts off, as those that are up would report it. */
function input({ cut = [], off = [], ...rest }: { cut?: string[]; off?: string[] } & Partial<ConcernInput> = {}): ConcernInput {
  const hears = (from: string, to: string): LiveState =>
    off.includes(from) ? 'unknown' : off.includes(to) || cut.includes(from) || cut.includes(to) ? 'down' : 'up'
  const status: Status = {
    cluster: { name: 'lab', clusterIp: null, leader: 'h1', quorum: true },
    asOf: new Date(0).toISOString(),
    hosts: hosts.map((name) => ({
      name,
      state: off.includes(name) ? 'down' : 'up',
      planes: {
        mgmt: Object.fromEntries(
          hosts.filter((peer) => peer !== name).map((peer) => [peer, off.includes(name) ? 'unknown' : off.includes(peer) ? 'down' : 'up']),
        ),
        storage: Object.fromEntries(hosts.filter((peer) => peer !== name).map((peer) => [peer, hears(name, peer)])),
      },
      agent: { version: '1', modules: {} },
    })),
  }
  return { status, disks: [], clocks: new Map(), members: [], modules: [], nics: [], tasks: [], vips: [], nodes: [], ...rest }
}
const texts = (given: ConcernInput): string[] => concernsOf(given, en).map(({ severity, text }) => `${severity}: ${text}`)
const nic = (host: string, state: LiveState): Nic => ({
  host,
  name: 'storage',
  plane: 'storage',
  mac: '52:54:00:00:00:01',
  addresses: [],
  state,
  mtuBytes: 1500,
})

describe('concerns', () => {
  test('a healthy cluster has none', () => {
    expect(texts(input())).toEqual([])
  })

  test('two places that claim an address, and a broadcast cluster that is gone', () => {
    const claim = (host: string) => ({ port: 'web-1', host, mac: '00:00:5e:00:01:33', at: '2026-01-01T00:00:00.000Z' })
    const vip = { name: 'web-vip', network: 'web', ip: '10.20.1.100', owner: null, allowed: [], damped: false, refused: [], history: [] }
    const contested = concernsOf(
      input({
        vips: [
          { ...vip, claimants: [claim('h1'), claim('h2')] },
          { ...vip, name: 'calm', claimants: [claim('h1')] },
        ],
      }),
      en,
    )
    expect(contested).toEqual([{ severity: 'warning', text: en.concern.vipContested('web-vip'), about: { kind: 'vip', id: 'web-vip' } }])
    const node = (host: string, state: 'up' | 'down') => ({
      ...{ host, state, way: 'tc' as const, problems: [], replicator: '169.254.3.11', holdsClusterAddress: false, copiesPerSecond: 0 },
      ...{ membershipWrites: 0, answeredArp: 0, answeredBfd: 0, dropped: {}, notFasterBecause: null },
    })
    expect(texts(input({ nodes: [node('h1', 'down'), node('h2', 'up')] }))).toEqual([])
    expect(texts(input({ nodes: [node('h1', 'down'), node('h2', 'down')] }))).toEqual([`error: ${en.concern.noNode('h1, h2')}`])
  })

  test('one cut link is one concern, about the host that is cut', () => {
    expect(concernsOf(input({ cut: ['h2'] }), en)).toEqual([
      { severity: 'error', text: 'h2 is cut off on the storage plane', about: { kind: 'nic', id: 'h2/storage' } },
    ])
  })

  test('a dead host is one concern: its silence on every plane is not told again', () => {
    expect(texts(input({ off: ['h1'] }))).toEqual(['error: h1 is down: no other host hears it on any plane'])
  })

  test('with one host dead and one cut, the NIC tells which of the two left is at fault', () => {
    expect(texts(input({ off: ['h1'], cut: ['h2'], nics: [nic('h2', 'down'), nic('h3', 'up')] }))).toEqual([
      'error: h1 is down: no other host hears it on any plane',
      'error: h2 is cut off on the storage plane',
    ])
  })

  test('errors come before what is unknown, and that before warnings', () => {
    const given = input({ off: ['h3'], disks: [{ host: 'h1', name: 'sda', sizeBytes: 1, health: 'failing' }] })
    given.status.hosts[1]!.state = 'unknown'
    expect(concernsOf(given, en).map(({ severity }) => severity)).toEqual(['error', 'unknown', 'warning'])
  })

  test('lost quorum and a missing leader are one concern', () => {
    const given = input()
    given.status.cluster = { ...given.status.cluster, quorum: false, leader: null }
    expect(texts(given)).toEqual([`error: ${en.concern.noQuorum}`])
  })

  test('a clock that is off by more than records bear', () => {
    const clocks = new Map([
      ['h1', 400],
      ['h2', -600_000],
    ])
    expect(texts(input({ clocks }))).toEqual([`warning: ${en.concern.clock('h2', -600_000)}`])
  })

  test('agents of two versions', () => {
    const given = input()
    given.status.hosts[0]!.agent.version = '2'
    expect(texts(given)).toEqual(['warning: Agents differ in version: 1, 2'])
  })
})
