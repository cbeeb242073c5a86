import { describe, expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest } from '../../model/trace.ts'
import { judge, type Observation, type Sighting } from './judge.ts'
import { traceSimulated } from './simulate.ts'
import { shop, testWorld } from './test-world.ts'

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
    ...{ path: traceSimulated(world, request(asked)), armed: new Set(taps), blind: new Map(), lagging: new Map(), sentAtUs: 500, answered: true },
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

  it('is dropped at a host that says nothing and had not put all in place', () => {
    const armed = new Set(['h1/web-1', 'h1/tenant'])
    const blind = new Map([['h2/tenant', 'no tap stood'], ['h2/db-1', 'no tap stood']]) // prettier-ignore
    const lagging = new Map([['h2', 'h2 had revision 3 in place, not 4.']])
    expect(judge(observed(['h1/tenant'], [], { armed, blind, lagging })).drop).toMatchObject({
      ...{ host: 'h2', device: 'br-int', reason: 'flow-missing', object: 'forwarding/h2', hint: 'h2 had revision 3 in place, not 4.' },
    })
    // Where the answer came back, nothing was missing.
    expect(judge(observed(['h1/tenant'], ['h1/tenant', 'h1/web-1'], { armed, blind, lagging })).verdict).toBe('delivered')
    // What nobody answers may well have come in.
    expect(judge(observed(['h1/tenant'], [], { armed, blind, lagging, answered: false }, { proto: 'udp' })).verdict).toBe('unknown')
  })

  it('believes a drop at the very device that did not see it go', () => {
    const cut = testWorld(shop, { nics: { h1: 'down' } })
    expect(judge(observed([], [], { path: traceSimulated(cut, request()) })).drop).toMatchObject({ host: 'h1', reason: 'link-down' })
    // What enters a tunnel is seen where it leaves the host: not at all, if that is where it ends.
    const armed = new Set([...taps, 'h1/br-int', 'h1/vxlan', 'h2/vxlan', 'h2/br-int'])
    expect(judge(observed(['h1/br-int'], [], { path: traceSimulated(cut, request()), armed })).drop).toMatchObject({ reason: 'link-down' })
    expect(judge(observed(['h1/br-int'], [], { armed }))).toMatchObject({
      verdict: 'unknown',
      limit: expect.stringContaining('did not come to vxlan of h1'),
    })
  })

  it('tells of a place that could not be watched only where the packet may have got there', () => {
    const armed = new Set(['h1/web-1', 'h1/tenant', 'h2/tenant'])
    const blind = new Map([['h1/br-int', 'no tap stood']])
    expect(judge(observed(['h1/tenant'], [], { armed, blind })).limit).toContain('lost in between')
  })
})
