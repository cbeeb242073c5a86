import { describe, expect, test } from 'vitest'
import { broadcastDocSchema } from '../contract/desktop/broadcast.ts'
import type { BroadcastHost, BroadcastNode, Replication } from '../model/broadcast.ts'
import type { Network, NetworkHost } from '../model/network.ts'
import { broadcastOf, type BroadcastInput } from './broadcast.ts'

const network = (name: string, vni: number, broadcast: Network['broadcast'] = 'cluster'): Network => ({
  ...{ name, vpc: 'shop', vni, subnet: '10.20.1.0/24', tunnel: 'vxlan', broadcast, mtuBytes: 1450 },
})
const end = (last: number) => ({ ip: `10.77.3.${last}`, mac: `52:54:00:00:00:${last}` })
const ends = new Map([1, 2, 3].map((n) => [`h${n}`, end(10 + n)]))
const replication = (change: Partial<Replication> = {}): Replication => ({
  ...{ network: 'web', vni: 7, members: [{ host: 'h1', ip: '10.77.3.11' }], frames: 10, copies: 30, bytes: 3000, failed: 0, dropped: {} },
  copiesPerSecond: 12,
  ...change,
})
const report = (host: string, change: Partial<BroadcastNode> = {}): BroadcastNode => ({
  ...{ host, way: 'tc', problems: [], replicator: end(1), clusterEnd: end(9), holdsClusterAddress: host === 'h1', membershipWrites: 1 },
  ...{ networks: [replication()], answeredArp: 0, answeredBfd: 0, droppedInAll: {}, announcements: [], changedAtMs: 1 },
  ...change,
})
const input = (change: Partial<BroadcastInput> = {}): BroadcastInput => ({
  ...{
    networks: [network('web', 7)],
    ports: [
      { network: 'web', host: 'h10' },
      { network: 'web', host: 'h2' },
      { network: 'web', host: 'h2' },
    ],
  },
  ...{ hosts: [], ends, reports: [report('h1'), report('h2')], watchers: [], epoch: 3, liveOf: () => 'up' as const },
  ...change,
})

describe('nodes', () => {
  test('the first two hosts, unless some have the role', () => {
    const declared: NetworkHost[] = [
      { name: 'h3', roles: ['broadcast', 'gateway'] },
      { name: 'h1', roles: [] },
    ]
    expect(broadcastOf(input()).nodes.map(({ host }) => host)).toEqual(['h1', 'h2'])
    expect(broadcastOf(input({ hosts: declared })).nodes.map(({ host }) => host)).toEqual(['h3'])
  })

  test.each([
    ['up', 'up', {}],
    ['degraded', 'up', { way: 'packet' as const }],
    ['degraded', 'up', { problems: ['no tcx'] }],
    ['down', 'up', { way: null }],
    ['down', 'down', {}],
    ['unknown', 'unknown', {}],
  ] as const)('one is %s where its host is %s and it reports %j', (state, live, change) => {
    const reports = [report('h1', change as Partial<BroadcastNode>)]
    expect(broadcastOf(input({ reports, liveOf: () => live })).nodes[0]?.state).toBe(state)
  })

  test('one that was never heard is unknown, and none is none', () => {
    expect(broadcastOf(input({ reports: [] })).nodes.map(({ state, way }) => [state, way])).toEqual([
      ['unknown', null],
      ['unknown', null],
    ])
    expect(broadcastOf(input({ ends: new Map(), reports: [] }))).toMatchObject({ clusterAddress: null, nodes: [], networks: [{ node: null }] })
  })

  test('the cluster’s address is at who says so and lives', () => {
    expect(broadcastOf(input()).clusterAddress).toEqual({ ip: '169.254.255.250', heldBy: ['h1'] })
    expect(broadcastOf(input({ liveOf: (host) => (host === 'h1' ? 'down' : 'up') })).clusterAddress?.heldBy).toEqual([])
  })
})

describe('networks', () => {
  test('counts of all nodes together; a silent node replicates nothing now', () => {
    const reports = [
      report('h1', { networks: [replication({ dropped: { storm: 2 } })] }),
      report('h2', { networks: [replication({ frames: 5, copiesPerSecond: 3, dropped: { storm: 1, loop: 0 } })] }),
    ]
    const doc = broadcastOf(input({ reports, liveOf: (host) => (host === 'h1' ? 'unknown' : 'up') }))
    expect(broadcastDocSchema.parse(doc)).toEqual(doc)
    expect(doc.networks[0]).toMatchObject({ frames: 15, copies: 60, copiesPerSecond: 3, dropped: { storm: 3 } })
    expect(doc.networks[0]?.dropped).not.toHaveProperty('loop')
  })

  test('members are hosts with ports and those that a node has, in natural order, with the nodes that have them', () => {
    const hosts: NetworkHost[] = [{ name: 'h10', roles: [], tunnelEnd: end(50) }]
    expect(broadcastOf(input({ hosts })).networks[0]?.members).toEqual([
      { host: 'h1', ip: '10.77.3.11', ports: 0, nodes: ['h1', 'h2'] },
      { host: 'h2', ip: '10.77.3.12', ports: 2, nodes: [] },
      { host: 'h10', ip: '10.77.3.50', ports: 1, nodes: [] },
    ])
  })

  test('in mode source no node is asked', () => {
    const networks = [network('web', 7), network('raw', 8, 'source')]
    expect(broadcastOf(input({ networks })).networks.map(({ node }) => node === null)).toEqual([false, true])
  })
})

describe('hosts', () => {
  const watches: BroadcastHost['watches'] = [
    { host: 'h1', as: 'node', up: true, flaps: 0 },
    { host: 'h2', as: 'node', up: false, flaps: 3 },
  ]

  test('each says which nodes it sees and how often they fell silent; what one that is silent saw last is old', () => {
    const watchers = ['h2', 'h1'].map((host) => ({ host, watches, flowsChanged: 4 }))
    const doc = broadcastOf(input({ watchers, liveOf: (host) => (host === 'h2' ? 'down' : 'up') }))
    expect(broadcastDocSchema.parse(doc)).toEqual(doc)
    expect(doc.hosts.map(({ host, watches: seen }) => [host, ...seen.map(({ state, flaps }) => `${state} ${flaps}`)])).toEqual([
      ['h1', 'up 0', 'down 3'],
      ['h2', 'unknown 0', 'unknown 3'],
      ['h3'],
    ])
    expect(doc.hosts.map(({ flowsChanged }) => flowsChanged)).toEqual([4, 4, null])
  })
})
