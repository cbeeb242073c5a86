import { describe, expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest, type TraceResult } from '../../model/trace.ts'
import { traceSimulated } from './simulate.ts'
import { testWorld, type Ailments } from './test-world.ts'

const hall = `
hosts:
  - {name: h1, roles: [broadcast, gateway]}
  - {name: h2, roles: [broadcast, gateway]}
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, broadcast: cluster}
ports:
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, host: h3, attach: {kind: netns}}
  - {name: phys-1, network: web, ip: 10.20.1.31, attach: {kind: vlan, nic: tenant, vlan: 100}}
  - {name: phys-2, network: web, ip: 10.20.1.32, attach: {kind: vlan, nic: tenant, vlan: 100}}
`

function traced(asked: Partial<TraceRequest>, ailments: Ailments = {}): TraceResult {
  return traceSimulated(testWorld(hall, { hosts: 4, ...ailments }), traceRequestSchema.parse({ from: 'web-3', ...asked }))
}

/** The gateway that forwards in a world in which all is well, and the other one. */
const home = testWorld(hall, { hosts: 4 }).index.ports.get('phys-1')!.host
const other = home === 'h1' ? 'h2' : 'h1'
const places = ({ hops }: TraceResult, leg: string): string[] =>
  hops.filter((hop) => hop.leg === leg).map(({ host, device, detail }) => `${host} ${device} ${detail.startsWith('VLAN ') ? detail : ''}`.trim())

describe('a server in a VLAN', () => {
  it('is reached by the gateway that forwards, there and back', () => {
    const result = traced({ to: 'phys-2' })
    expect(result.verdict).toBe('delivered')
    expect(places(result, 'forward').slice(-3)).toEqual([`${home} br-int`, `${home} tenant VLAN 100`, `${home} phys-2`])
    expect(places(result, 'return').slice(0, 3)).toEqual([`${home} phys-2`, `${home} tenant VLAN 100`, `${home} br-int`])
    expect(traced({ from: 'phys-1', to: 'web-3' }).verdict).toBe('delivered')
  })

  it('is reached by the next gateway when that one is off', () => {
    const down: Ailments = { states: { [home]: 'down' } }
    expect(places(traced({ to: 'phys-1' }, down), 'forward').at(-1)).toBe(`${other} phys-1`)
    expect(traced({ from: 'phys-1', to: 'web-3' }, down).verdict).toBe('delivered')
  })

  it('gets one copy of what goes to many, by whichever gateway', () => {
    for (const from of ['web-3', 'web-2']) {
      const { copies } = traced({ from, to: '224.0.0.18', proto: 112 })
      for (const port of ['phys-1', 'phys-2'])
        expect(copies!.filter((copy) => copy.port === port)).toMatchObject([{ host: home, verdict: 'delivered' }])
    }
  })

  it('does not get back what another server of its VLAN sends to many', () => {
    const { copies } = traced({ from: 'phys-1', to: '224.0.0.18', proto: 112 })
    const delivered = copies!.filter(({ verdict }) => verdict === 'delivered').map(({ port }) => port)
    expect(delivered.sort()).toEqual(['web-2', 'web-3'])
  })
})
