import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { arbitraryDeclaration } from './arbitrary.ts'
import { exportDeclaration } from './export.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'

const options = { hosts: ['h1', 'h2', 'h3'], prune: true }
const withoutNumbers = (network: VirtualNetwork): unknown => ({
  ...network,
  last: null,
  routers: network.routers.map((router) => ({ ...router, number: null })),
  ports: network.ports.map((port) => ({ ...port, number: null })),
})

describe('exporting a network', () => {
  test('one object a line, with what was assigned and without what goes without saying', () => {
    const text = `vpcs:
  - {name: spare}
networks:
  - {name: db, vpc: shop, vni: 4096, subnet: 10.20.2.0/24}
  - {name: mail, vpc: post, vni: 12, subnet: 10.30.1.0/24, gateway: 10.30.1.1, tunnel: gre, broadcast: source, mtu: 1400}
  - {name: web, vpc: shop, vni: 4097, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: fd00:20:1::/64, gateway6: fd00:20:1::1}
routers:
  - {name: post, vpc: post, mac: 0a:ff:00:00:00:01, networks: [mail]}
  - {name: shop, vpc: shop, mac: 0a:ff:00:00:00:02, networks: [web], routes: [{to: 10.99.0.0/16, via: 10.20.1.11}]}
peerings:
  - {name: shop-post, routers: [post, shop], routes: [{on: shop, to: 10.30.1.0/24}]}
acls:
  - {name: log-all, network: web, direction: out, priority: 1, match: {}, action: allow, stateful: false, log: true}
  - {name: no-ssh, port: db-1, direction: in, priority: 100, match: {proto: tcp, src: 10.0.0.0/8, dport: [22, 23]}, action: drop}
ports:
  - {name: db-1, network: db, mac: 0e:00:00:00:00:01, ip: 10.20.2.11, host: h2, attach: {kind: vlan, nic: eth1, vlan: 7}}
  - {name: web-1, network: web, mac: 0e:00:00:00:00:02, ip: 10.20.1.11, ip6: fd00:20:1::11, allow: [10.99.0.0/16], host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, mac: 0e:00:00:00:00:03, ip: 10.20.1.12, host: legacy-1, attach: {kind: remote}}
hosts:
  - {name: h1}
  - {name: h2, roles: [broadcast, gateway]}
  - {name: legacy-1, tunnelEnd: {ip: 10.7.2.50, mac: 02:00:00:00:00:50}}
vips:
  - {name: db-vip, network: db, ip: 10.20.2.100, ports: [db-1], healthCheck: {http: /health, port: 8080}}
  - {name: web-vip, network: web, ip: fd00:20:1::64, ports: [web-2, web-1], priorities: {web-1: 100, web-2: 50}}
`
    expect(exportDeclaration(planNetwork(emptyVirtualNetwork, parseDeclaration(text), options).next)).toBe(text)
  })

  test('names and addresses that YAML could take for something else come back as they were', () => {
    const names = ['null', 'true', 'no', '12', '1e3', '0x1f', '1-2', '007']
    const networks = names.map(
      (name, index) => `  - {name: '${name}', vpc: '${name}', subnet: 10.0.${index}.0/24, subnet6: 'fd0${index}::/16', gateway6: 'fd0${index}:1::'}`,
    )
    const { next } = planNetwork(emptyVirtualNetwork, parseDeclaration(`networks:\n${networks.join('\n')}`), options)
    expect(next.networks.map(({ name }) => name)).toEqual(names.toSorted())
    expect(withoutNumbers(planNetwork(emptyVirtualNetwork, parseDeclaration(exportDeclaration(next)), options).next)).toEqual(withoutNumbers(next))
  })

  test('nothing is a declaration too', () => {
    expect(planNetwork(emptyVirtualNetwork, parseDeclaration(exportDeclaration(emptyVirtualNetwork)), options).changes).toEqual([])
  })

  test('applied where it is from it changes nothing, elsewhere it makes the same network', () => {
    fc.assert(
      fc.property(arbitraryDeclaration(), (declaration) => {
        const { next } = planNetwork(emptyVirtualNetwork, declaration, options)
        const text = exportDeclaration(next)
        const read = parseDeclaration(text)
        expect(planNetwork(next, read, options)).toEqual({ next, changes: [] })
        const elsewhere = planNetwork(emptyVirtualNetwork, read, options).next
        expect(withoutNumbers(elsewhere)).toEqual(withoutNumbers(next))
        expect(exportDeclaration(elsewhere)).toBe(text)
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
