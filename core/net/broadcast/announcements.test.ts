import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from '../declaration/parse.ts'
import { planNetwork } from '../declaration/plan.ts'
import { recognize, type Seen } from './announcements.ts'

const virtual = planNetwork(
  emptyVirtualNetwork,
  parseDeclaration(`
networks:
  - {name: web, vpc: shop, vni: 500, subnet: 10.20.1.0/24, subnet6: "fd00:1::/64"}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, mac: "02:00:00:00:00:11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, mac: "02:00:00:00:00:12", host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, mac: "02:00:00:00:00:13", host: h2, attach: {kind: netns}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}
  - {name: both, network: web, ip: "fd00:1::100", ports: [web-2, web-3]}
`),
  { hosts: ['h1', 'h2'], prune: false },
).next
const ends = new Map([
  ['h1', { ip: '10.9.0.1', mac: '0a:58:0a:09:00:01' }],
  ['h2', { ip: '10.9.0.2', mac: '0a:58:0a:09:00:02' }],
])
const seen = { vni: 500, ip: '10.20.1.100', mac: '02:00:00:00:00:12', host: '10.9.0.2', atMs: 5 }
const found = (change: Partial<Seen>) => {
  const recognized = recognize(virtual, ends, { ...seen, ...change })
  return recognized && { vip: recognized.vip?.name, port: recognized.announcement.port, host: recognized.announcement.host }
}

describe('what was announced', () => {
  it('is of a VIP, from the port with that MAC, whoever passed it on', () => {
    expect(found({})).toEqual({ vip: 'web-vip', port: 'web-2', host: 'h2' })
    expect(found({ host: null })).toEqual({ vip: 'web-vip', port: 'web-2', host: 'h2' })
  })

  it('under a virtual router’s MAC is from the one port on that host that may have the VIP', () => {
    expect(found({ mac: '00:00:5e:00:01:33' })).toEqual({ vip: 'web-vip', port: 'web-2', host: 'h2' })
    expect(found({ mac: '00:00:5e:00:01:33', host: null })).toEqual({ vip: 'web-vip', port: null, host: null })
    expect(found({ mac: '00:00:5e:00:02:33', ip: 'fd00:1:0::100' })).toEqual({ vip: 'both', port: null, host: 'h2' })
  })

  it('is dated by whole milliseconds, as documents have it', () => {
    expect(recognize(virtual, ends, { ...seen, atMs: 5.7 })?.announcement.atMs).toBe(5)
  })

  it('may be of no VIP, from nobody who is known, or in no network', () => {
    expect(found({ ip: '10.20.1.12' })).toEqual({ vip: undefined, port: 'web-2', host: 'h2' })
    expect(found({ mac: '02:00:00:00:00:99', host: '10.9.0.77' })).toEqual({ vip: 'web-vip', port: null, host: null })
    expect(found({ vni: 501 })).toBeNull()
  })
})
