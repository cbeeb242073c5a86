import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from '../declaration/parse.ts'
import { planNetwork } from '../declaration/plan.ts'
import { claimantsOf, mastersOf, onlyMaster, type HeardSender, type Masters } from './masters.ts'

const network = planNetwork(
  emptyVirtualNetwork,
  parseDeclaration(`
networks:
  - {name: web, vpc: shop, vni: 500, subnet: 10.20.1.0/24, subnet6: "fd00:1::/64"}
  - {name: slow, vpc: shop, vni: 501, subnet: 10.20.2.0/24, broadcast: cluster}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, mac: "02:00:00:00:00:11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, mac: "02:00:00:00:00:12", host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, mac: "02:00:00:00:00:13", host: h2, attach: {kind: netns}}
  - {name: slow-1, network: slow, ip: 10.20.2.11, mac: "02:00:00:00:00:21", host: h1, attach: {kind: netns}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}
  - {name: web-vip6, network: web, ip: "fd00:1::100", ports: [web-1, web-2]}
  - {name: driven, network: web, ip: 10.20.1.101, ports: [web-1, web-2], healthCheck: {tcp: 80}}
  - {name: slow-vip, network: slow, ip: 10.20.2.100, ports: [slow-1]}
`),
  { hosts: ['h1', 'h2'], prune: false },
).next

const sender = (number: number, change: Partial<HeardSender> = {}): HeardSender => ({
  ...{ vni: 500, router: 51, family: 4, mac: `02:00:00:00:00:1${number}`, host: null, sinceMs: 1000 },
  ...change,
})
const heard = (...senders: HeardSender[]): Masters => mastersOf(network, senders)
const portsOf = (claimants: ReturnType<typeof claimantsOf>) => claimants.map(({ port }) => port)

describe('masters of virtual routers', () => {
  it('are named by port, for VIPs that guests drive and that are followed', () => {
    expect(heard(sender(2), sender(1), sender(3), sender(1, { vni: 501 }), { ...sender(1), mac: '02:00:00:00:00:21', vni: 501 })).toEqual({
      'web-vip': [
        { network: 'web', ip: '10.20.1.100', mac: '02:00:00:00:00:11', port: 'web-1', host: 'h1', atMs: 1000, router: 51 },
        { network: 'web', ip: '10.20.1.100', mac: '02:00:00:00:00:12', port: 'web-2', host: 'h2', atMs: 1000, router: 51 },
      ],
    })
  })

  it('of IPv6 are others than those of IPv4 with the same number', () => {
    const masters = heard(sender(1), sender(2, { family: 6 }))
    expect(masters['web-vip']?.map(({ port }) => port)).toEqual(['web-1'])
    expect(masters['web-vip6']?.map(({ port }) => port)).toEqual(['web-2'])
  })

  it('under the MAC of a virtual router are told apart by their hosts', () => {
    const virtual = (host: string | null) => sender(1, { mac: '00:00:5e:00:01:33', host })
    expect(heard(virtual('h2'), virtual('h1'), virtual('h9'), virtual(null))['web-vip']?.map(({ port, mac }) => `${port} ${mac}`)).toEqual([
      'web-1 00:00:5e:00:01:33',
      'web-2 00:00:5e:00:01:33',
    ])
  })

  it('are claimants where two are of one router, whichever nodes hear them', () => {
    const split = [heard(sender(1)), heard(sender(2))]
    expect(portsOf(claimantsOf(split, 'web-vip', 20_000))).toEqual(['web-1', 'web-2'])
    expect(portsOf(claimantsOf([heard(sender(1), sender(2)), heard(sender(1))], 'web-vip', 20_000))).toEqual(['web-1', 'web-2'])
    expect(claimantsOf([heard(sender(1)), heard(sender(1))], 'web-vip', 20_000)).toEqual([])
    expect(claimantsOf([heard(sender(1), sender(2, { router: 52 }))], 'web-vip', 20_000)).toEqual([])
    expect(claimantsOf([], 'web-vip', 20_000)).toEqual([])
  })

  it('are no claimants while one hands over to another', () => {
    const handingOver = [heard(sender(1), sender(2, { sinceMs: 15_000 }))]
    expect(claimantsOf(handingOver, 'web-vip', 20_000)).toEqual([])
    expect(portsOf(claimantsOf(handingOver, 'web-vip', 25_000))).toEqual(['web-1', 'web-2'])
  })

  it('are the only one where all nodes hear the same', () => {
    expect(onlyMaster([heard(sender(1)), heard(sender(1)), heard()], 'web-vip')?.port).toBe('web-1')
    expect(onlyMaster([heard(sender(1)), heard(sender(2))], 'web-vip')).toBeNull()
    expect(onlyMaster([heard(sender(1), sender(2, { router: 52 }))], 'web-vip')).toBeNull()
    expect(onlyMaster([], 'web-vip')).toBeNull()
  })
})
