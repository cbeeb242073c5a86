import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from '../declaration/parse.ts'
import { planNetwork } from '../declaration/plan.ts'
import { flowLine, type Flow } from '../openflow/flow.ts'
import { compileHost } from './compile.ts'
import { FlowOwners, parseCookie } from './cookie.ts'
import { tables } from './tables.ts'
import { indexNetwork } from './view.ts'

const shop = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: "fd00:1::/64", gateway6: "fd00:1::1", broadcast: source}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1, mtu: 1400, tunnel: gre}
  - {name: lone, vpc: other, subnet: 10.20.1.0/24}
routers:
  - {name: shop, vpc: shop, networks: [web, db], routes: [{to: 0.0.0.0/0, via: 10.20.1.12}]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
  - {name: quiet, port: web-2, direction: out, priority: 7, match: {proto: udp, dport: [1000, 1999]}, action: drop, stateful: false}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, ip6: "fd00:1::11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, allow: [0.0.0.0/0], attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h2, attach: {kind: netns}}
  - {name: lone-1, network: lone, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
`
const hosts = new Map(['h1', 'h2', 'h3'].map((name, index) => [name, { ip: `10.9.0.${index + 1}`, mac: `0a:58:0a:09:00:0${index + 1}` }]))

function planned(text: string, current: VirtualNetwork = emptyVirtualNetwork): VirtualNetwork {
  return planNetwork(current, parseDeclaration(text), { hosts: [...hosts.keys()], prune: false }).next
}

function compiled(network: VirtualNetwork, host: string): Flow[] {
  return compileHost(indexNetwork({ network, hosts }), host)
}

const network = planned(shop)
const key = ({ table, priority, match }: Flow): string => `${table} ${priority} ${match}`

describe('the flows of a host', () => {
  it('are the same bytes for the same network, whatever the order in which it was declared', () => {
    const reversed = { ...network, ports: network.ports.toReversed(), acls: network.acls.toReversed(), networks: network.networks.toReversed() }
    for (const host of ['h1', 'h2']) expect(compiled(reversed, host).map(flowLine).sort()).toEqual(compiled(network, host).map(flowLine).sort())
  })

  it('have a table, a priority and a match that no other has, and a cookie that leads back to an object', () => {
    const owners = new FlowOwners(network)
    for (const host of ['h1', 'h2']) {
      const flows = compiled(network, host)
      expect(new Set(flows.map(key)).size).toBe(flows.length)
      for (const { cookie } of flows) expect(owners.find(cookie)?.reason).toBe(parseCookie(cookie)!.reason)
    }
  })

  it('are few on a host without ports', () => {
    expect(compiled(network, 'h3').filter(({ match }) => match.includes('reg0='))).toEqual([])
  })

  it('say nothing of a VPC that has no port there', () => {
    expect(compiled(network, 'h2').some(({ match }) => match.includes(`reg0=${network.networks.find(({ name }) => name === 'lone')!.vni}`))).toBe(
      false,
    )
  })

  it('change only where they must when one port is added', () => {
    const more = planned('ports:\n  - {name: db-2, network: db, ip: 10.20.2.12, host: h2, attach: {kind: netns}}\n', network)
    const before = new Map(compiled(network, 'h1').map((flow) => [key(flow), flowLine(flow)]))
    const after = compiled(more, 'h1')
    const changed = after.filter((flow) => before.get(key(flow)) !== flowLine(flow))
    // On a host that routes to its network: its MAC as a next hop, the tunnel to it, and nothing else.
    expect(changed.map(({ table }) => table).sort((a, b) => a - b)).toEqual([tables.nextHop, tables.fdb, tables.fdb])
    expect(after.length - changed.length).toBe(before.size)
  })

  it('copy broadcast once to each other host and to each port here', () => {
    const many = planned('ports:\n  - {name: web-3, network: web, ip: 10.20.1.13, host: h2, attach: {kind: netns}}\n', network)
    const { vni } = network.networks.find(({ name }) => name === 'web')!
    const flood = compiled(many, 'h1').find(({ table, match }) => table === tables.fdb && match.includes(`reg0=${vni},reg9=0,dl_dst=01:`))!
    expect(flood.actions.match(/output:1/g)).toHaveLength(1)
    expect(flood.actions).toContain('set_field:10.9.0.2->tun_dst')
    expect(
      compiled(many, 'h2').find(({ table, match }) => table === tables.fdb && match.includes(`reg0=${vni},reg9=1,dl_dst=01:`))!.actions,
    ).not.toContain('output')
  })

  it('leave a host whose tunnels end nowhere known as a named drop', () => {
    const flows = compileHost(indexNetwork({ network, hosts: new Map([['h1', hosts.get('h1')!]]) }), 'h1')
    const { mac } = network.ports.find(({ name }) => name === 'db-1')!
    const flow = flows.find(({ table, match }) => table === tables.fdb && match.includes(mac))!
    expect(flow.actions).toBe('drop')
    expect(new FlowOwners(network).find(flow.cookie)).toEqual({ reason: 'host-down', owner: { kind: 'port', name: 'db-1' } })
  })
})
