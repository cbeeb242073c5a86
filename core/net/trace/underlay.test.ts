import { describe, expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest } from '../../model/trace.ts'
import { traceSimulated } from './simulate.ts'
import { shop, testWorld, type Ailments } from './test-world.ts'

const traced = (ailments: Ailments, asked: Partial<TraceRequest> = {}) =>
  traceSimulated(testWorld(shop, { hosts: 4, ...ailments }), traceRequestSchema.parse({ from: 'web-1', to: 'db-1', ...asked }))
const across = (a: string, b: string) => Number(a.slice(1)) % 2 !== Number(b.slice(1)) % 2

describe('where heartbeats are lost though NICs have a carrier', () => {
  it('is what joins the switches, when each end is heard on its own', () => {
    expect(traced({ silent: across }).drop).toMatchObject({ host: 'tor1', device: 'tor1', reason: 'link-silent', object: 'link/tor1--tor2' })
  })

  it('is the port of a host that not even its neighbours hear', () => {
    const silent = (a: string, b: string) => a === 'h2' || b === 'h2'
    expect(traced({ silent }).drop).toMatchObject({ host: 'tor2', device: 'swp9', reason: 'link-silent', object: 'link/h2/tenant--tor2/swp9' })
  })

  it('cannot be told further where nobody else hangs on the switch', () => {
    expect(traced({ silent: across, hosts: 3 }).drop).toMatchObject({ host: 'tor1', reason: 'link-silent', object: null })
  })

  it('is nowhere where they pass, or where only one end says that they do not', () => {
    expect(traced({ silent: () => false }).verdict).toBe('delivered')
    expect(traced({ silent: (a, b) => a === 'h1' && b === 'h2' }).verdict).toBe('delivered')
  })
})

describe('a packet of a host itself', () => {
  const hosts = { from: 'host:h1', to: 'host:h2' }

  it('passes NICs, cables and switches, there and back', () => {
    const { verdict, hops } = traced({}, hosts)
    expect(verdict).toBe('delivered')
    expect(hops.map(({ leg, host, device }) => `${leg} ${host}/${device}`)).toEqual([
      ...['forward h1/tenant', 'forward tor1/tor1', 'forward tor2/tor2', 'forward h2/tenant'],
      ...['return h2/tenant', 'return tor2/tor2', 'return tor1/tor1', 'return h1/tenant'],
    ])
  })

  it.each<[string, Ailments, Partial<TraceRequest>, object]>([
    ['a cable', { nics: { h2: 'down' } }, {}, { reason: 'link-down', object: 'link/h2/tenant--tor2/swp9' }],
    ['a host that is off', { states: { h2: 'down' } }, {}, { reason: 'host-down', object: 'host/h2' }],
    ['a NIC that takes less', {}, { sizeBytes: 9000, to: '10.83.5.12' }, { reason: 'mtu', object: 'nic/h1/tenant' }],
  ])('is dropped by %s', (_, ailments, asked, drop) => {
    expect(traced({ underlayMtuBytes: asked.sizeBytes ? 1500 : 9000, ...ailments }, { ...hosts, ...asked }).drop).toMatchObject(drop)
  })

  it('goes to hosts only', () => {
    expect(() => traced({}, { from: 'host:h1', to: 'db-1' })).toThrow(/No host has the address/)
    expect(() => traced({}, { from: 'host:h9', to: 'host:h1' })).toThrow(/There is no host h9/)
  })
})
