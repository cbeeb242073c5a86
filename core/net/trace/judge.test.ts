import { describe, expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest } from '../../model/trace.ts'
import { blameParting, judge, partingOf, type Observation, type Sighting } from './judge.ts'
import { traceSimulated } from './simulate.ts'
import { shop, testWorld } from './test-world.ts'
import { compileHost } from '../compile/compile.ts'
import { FlowTables } from '../openflow/tables.ts'

const world = testWorld(shop)
const request = (asked: Partial<TraceRequest> = {}) => traceRequestSchema.parse({ from: 'web-1', to: 'db-1', ...asked })
const taps = ['h1/web-1', 'h1/tenant', 'h2/tenant', 'h2/db-1']

/** What is observed when the packet is seen at these places, on its way there and back. */
function observed(there: string[], back: string[] = [], more: Partial<Observation> = {}, asked: Partial<TraceRequest> = {}): Observation {
  const sighting =
    (leg: Sighting['leg']) =>
    (place: string, index: number): Sighting => {
      const [host = '', device = ''] = place.split('/')
      return { host, device, leg, atUs: 1000 + 100 * index + (leg === 'return' ? 1000 : 0) }
    }
  return {
    ...{ path: traceSimulated(world, request(asked)), armed: new Set(taps), blind: new Map(), sentAtUs: 500, answered: true },
    sightings: [...there.map(sighting('forward')), ...back.map(sighting('return'))],
    ...more,
  }
}

describe('the verdict of a live trace', () => {
  it('is delivered when the answer is back at the sender, with what was seen, inferred and computed', () => {
    const { verdict, hops, rttMs } = judge(observed(['h1/tenant', 'h2/tenant', 'h2/db-1'], ['h2/db-1', 'h2/tenant', 'h1/tenant', 'h1/web-1']))
    expect(verdict).toBe('delivered')
    expect(rttMs).toBeCloseTo(1.3)
    expect(hops.map(({ device, evidence }) => `${device} ${evidence}`).slice(0, 10)).toEqual([
      ...['web-1 seen', 'br-int computed', 'vxlan computed', 'tenant seen', 'tor1 inferred', 'tor2 inferred', 'tenant seen'],
      ...['vxlan computed', 'br-int computed', 'db-1 seen'],
    ])
  })

  it('is the drop that the flows in place explain, when nothing was seen beyond it', () => {
    const { verdict, drop } = judge(observed(['h1/tenant', 'h2/tenant'], [], {}, { proto: 'tcp', dport: 22 }))
    expect({ verdict, object: drop?.object }).toEqual({ verdict: 'dropped', object: 'acl/no-ssh' })
  })

  it('believes a tap against the flows: what came back was delivered', () => {
    expect(judge(observed(['h1/tenant', 'h2/tenant', 'h2/db-1'], ['h1/web-1'], {}, { proto: 'tcp', dport: 22 })).verdict).toBe('delivered')
  })

  it.each<[string, string[], string[], Partial<Observation>, string]>([
    ['lost between two hosts', ['h1/tenant'], [], {}, 'lost in between'],
    ['not out of the own switch', [], [], {}, 'seen nowhere'],
    ['at the guest, which is silent', ['h1/tenant', 'h2/tenant', 'h2/db-1'], [], {}, 'did not answer'],
    ['not at the guest, though flows send it there', ['h1/tenant', 'h2/tenant'], [], {}, 'did not come to db-1'],
    [
      'beyond where no agent answers',
      ['h1/tenant'],
      [],
      { armed: new Set(['h1/web-1', 'h1/tenant']), blind: new Map([['h2/tenant', 'h2 is off']]) },
      'h2 is off',
    ],
  ])('is unknown, with the last place seen: %s', (_, there, back, more, words) => {
    const { verdict, drop, limit } = judge(observed(there, back, more))
    expect({ verdict, drop }).toEqual({ verdict: 'unknown', drop: null })
    expect(limit).toContain(words)
  })

  it('needs no answer for UDP', () => {
    const asked = { proto: 'udp' as const, dport: 9 }
    expect(judge(observed(['h1/tenant', 'h2/tenant', 'h2/db-1'], [], { answered: false }, asked)).verdict).toBe('delivered')
    expect(judge(observed(['h1/tenant', 'h2/tenant'], [], { answered: false }, asked)).verdict).toBe('unknown')
  })
})

describe('where what is to be and what is part', () => {
  const ownerOf = (cookie: string) => {
    const owner = world.owners.find(cookie)?.owner
    return owner ? `${owner.kind}/${owner.name}` : null
  }
  const asked = request({ proto: 'tcp', dport: 22 })
  const simulated = traceSimulated(world, asked)

  it('is nowhere when they agree', () => expect(partingOf(simulated, simulated, ownerOf)).toBeNull())

  it('is at the host whose flows of an ACL are missing, which is named', () => {
    const without = compileHost(world.index, 'h2').filter(({ cookie }) => ownerOf(cookie) !== 'acl/no-ssh')
    const real = { ...world, tablesOf: (host: string) => (host === 'h2' ? new FlowTables(without) : world.tablesOf(host)) }
    expect(partingOf(simulated, traceSimulated(real, asked), ownerOf)).toMatchObject({ host: 'h2', device: 'br-int', object: 'acl/no-ssh' })
  })

  it('is at the host that lost the flow to a port', () => {
    const without = compileHost(world.index, 'h1').filter(({ table, cookie }) => !(table === 9 && ownerOf(cookie) === 'port/db-1'))
    const real = { ...world, tablesOf: (host: string) => (host === 'h1' ? new FlowTables(without) : world.tablesOf(host)) }
    const live = traceSimulated(real, asked)
    const parting = partingOf(simulated, live, ownerOf)
    expect(parting).toMatchObject({ host: 'h1', object: 'port/db-1' })
    expect(blameParting(live, parting).drop).toMatchObject({ reason: 'flow-missing', host: 'h1', object: 'port/db-1' })
    expect(blameParting(live, null)).toBe(live)
  })
})
