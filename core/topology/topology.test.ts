import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linkSchema, switchSchema, type Entity, type EntityDocs, type LiveState } from '../model/index.ts'
import type { Source } from '../status/freshness.ts'
import { linkId, switchState, topologyOf } from './topology.ts'

const nowMs = 1_000_000
const fresh = (host: string): Source => ({ host, module: 'monitor', connected: true, seenAtMs: nowMs - 500 })
const stale = (host: string): Source => ({ host, module: 'monitor', connected: false, seenAtMs: nowMs - 60_000 })

function nic(host: string, name: string, state: LiveState): Entity {
  return {
    kind: 'nic',
    id: `${host}/${name}`,
    atMs: 1,
    doc: { host, name, plane: 'mgmt', mac: '02:00:00:00:00:01', addresses: [], state, mtuBytes: 1500 },
  }
}

function neighbour(host: string, nicName: string, fields: Partial<EntityDocs['neighbour']> = {}): Entity {
  return {
    kind: 'neighbour',
    id: `${host}/${nicName}`,
    atMs: 1,
    doc: { host, nic: nicName, chassisId: '02:aa:00:00:00:01', systemName: 'tor1', portId: `${host}-${nicName}`, ...fields },
  }
}

describe('state of a link', () => {
  const lostAtMs = nowMs - 9_000
  it.each<[string, Entity[], Source[], LiveState, number]>([
    ['heard, carrier', [neighbour('h1', 'mgmt'), nic('h1', 'mgmt', 'up')], [fresh('h1')], 'up', nowMs - 500],
    ['heard, no word of the NIC', [neighbour('h1', 'mgmt')], [fresh('h1')], 'up', nowMs - 500],
    ['heard until a moment ago, no carrier', [neighbour('h1', 'mgmt'), nic('h1', 'mgmt', 'down')], [fresh('h1')], 'down', nowMs - 500],
    ['lost, no carrier: remembered', [neighbour('h1', 'mgmt', { lostAtMs }), nic('h1', 'mgmt', 'down')], [fresh('h1')], 'down', lostAtMs],
    ['lost, but carrier', [neighbour('h1', 'mgmt', { lostAtMs }), nic('h1', 'mgmt', 'up')], [fresh('h1')], 'unknown', lostAtMs],
    ['lost, no word of the NIC', [neighbour('h1', 'mgmt', { lostAtMs })], [fresh('h1')], 'unknown', lostAtMs],
    ['host not heard lately', [neighbour('h1', 'mgmt'), nic('h1', 'mgmt', 'up')], [stale('h1')], 'unknown', nowMs - 60_000],
    ['host not heard lately, last word was down', [neighbour('h1', 'mgmt'), nic('h1', 'mgmt', 'down')], [stale('h1')], 'unknown', nowMs - 60_000],
    ['another module of the host is heard', [neighbour('h1', 'mgmt')], [{ ...fresh('h1'), module: 'cluster' }], 'unknown', 0],
  ])('%s', (_, entities, sources, state, seenAtMs) => {
    expect(topologyOf({ entities, sources, nowMs }).links).toMatchObject([
      { host: 'h1', nic: 'mgmt', switch: 'tor1', port: 'h1-mgmt', state, seenAtMs },
    ])
  })
})

it('folds what several hosts hear into one switch with all its ports, in natural order', () => {
  const entities = ['h10', 'h2', 'h1'].map((host) => neighbour(host, 'mgmt', { portDescription: `to ${host}` }))
  const topology = topologyOf({ entities, sources: ['h1', 'h2', 'h10'].map(fresh), nowMs })
  expect(topology.switches).toEqual([
    {
      name: 'tor1',
      chassisId: '02:aa:00:00:00:01',
      ports: ['h1', 'h2', 'h10'].map((host) => ({ id: `${host}-mgmt`, description: `to ${host}` })),
    },
  ])
  expect(topology.links.map(linkId)).toEqual(['h1/mgmt--tor1/h1-mgmt', 'h2/mgmt--tor1/h2-mgmt', 'h10/mgmt--tor1/h10-mgmt'])
  expect(switchState(topology, 'tor1')).toBe('up')
  expect(switchState(topology, 'tor2')).toBe('unknown')
})

it('calls a switch degraded when one of its cables is cut', () => {
  const entities = [neighbour('h1', 'mgmt'), neighbour('h2', 'mgmt'), nic('h2', 'mgmt', 'down')]
  expect(switchState(topologyOf({ entities, sources: ['h1', 'h2'].map(fresh), nowMs }), 'tor1')).toBe('degraded')
})

it('forgets a lost neighbour when its port is heard at another NIC: the cable was moved', () => {
  const entities = [neighbour('h1', 'mgmt', { portId: 'p1', lostAtMs: 5 }), neighbour('h2', 'mgmt', { portId: 'p1' })]
  expect(topologyOf({ entities, sources: ['h1', 'h2'].map(fresh), nowMs }).links.map(linkId)).toEqual(['h2/mgmt--tor1/p1'])
})

it('goes by the chassis id when a switch has no name, and by the newest chassis id when it has', () => {
  const entities = [
    neighbour('h1', 'a', { systemName: '' }),
    neighbour('h1', 'b', { chassisId: 'old', lostAtMs: 5 }),
    neighbour('h2', 'b', { chassisId: 'new' }),
  ]
  const { switches } = topologyOf({ entities, sources: ['h1', 'h2'].map(fresh), nowMs })
  expect(switches.map((s) => [s.name, s.chassisId])).toEqual([
    ['02:aa:00:00:00:01', '02:aa:00:00:00:01'],
    ['tor1', 'new'],
  ])
})

it('does not take a host of the cluster for a switch', () => {
  const host: Entity = { kind: 'host', id: 'h2', atMs: 1, doc: { name: 'h2', addresses: { mgmt: '10.0.0.2' }, role: 'voter', joinedAtMs: 1 } }
  expect(topologyOf({ entities: [host, neighbour('h1', 'mgmt', { systemName: 'h2' })], sources: [fresh('h1')], nowMs })).toEqual({
    switches: [],
    links: [],
  })
})

describe('for any reports', () => {
  const hostName = fc.constantFrom('h1', 'h2', 'h3')
  const nicName = fc.constantFrom('mgmt', 'storage', '__proto__')
  const entity: fc.Arbitrary<Entity> = fc.oneof(
    fc.tuple(hostName, nicName, fc.constantFrom<LiveState>('up', 'down', 'unknown')).map(([host, name, state]) => nic(host, name, state)),
    fc
      .record({
        host: hostName,
        nic: nicName,
        systemName: fc.constantFrom('tor1', 'tor2', '', 'h3', '__proto__'),
        portId: fc.constantFrom('1', '2', '10'),
      })
      .chain((fields) =>
        fc
          .option(fc.nat({ max: nowMs }))
          .map((lostAtMs) => neighbour(fields.host, fields.nic, { ...fields, ...(lostAtMs !== null && { lostAtMs }) })),
      ),
  )
  const entities = fc.uniqueArray(entity, { selector: (e) => `${e.kind}/${e.id}`, maxLength: 20 })
  const sources = fc.subarray(['h1', 'h2', 'h3']).map((hosts) => hosts.map(fresh))

  it('the result is valid, every link ends at a port of a switch that is listed, and the order of the reports does not matter', () => {
    fc.assert(
      fc.property(entities, sources, (some, from) => {
        const topology = topologyOf({ entities: some, sources: from, nowMs })
        for (const found of topology.switches) switchSchema.parse(found)
        for (const link of topology.links) {
          linkSchema.parse(link)
          expect(topology.switches.find((s) => s.name === link.switch)?.ports.map((port) => port.id)).toContain(link.port)
        }
        expect(topologyOf({ entities: [...some].reverse(), sources: [...from].reverse(), nowMs })).toEqual(topology)
      }),
    )
  })

  it('nothing is up or down on stale data', () => {
    fc.assert(
      fc.property(entities, (some) => {
        const sources = ['h1', 'h2', 'h3'].map(stale)
        for (const link of topologyOf({ entities: some, sources, nowMs }).links) expect(link.state).toBe('unknown')
      }),
    )
  })
})
