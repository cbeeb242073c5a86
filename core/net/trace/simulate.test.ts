import { describe, expect, it } from 'vitest'
import { traceRequestSchema, traceResultSchema, type TraceRequest } from '../../model/trace.ts'
import { parseDeclaration } from '../declaration/parse.ts'
import { traceSimulated } from './simulate.ts'
import { shop, testWorld, type Ailments } from './test-world.ts'

type Asked = Partial<TraceRequest> & { from: string; to: string }
const trace = (asked: Asked, ailments?: Ailments) =>
  traceResultSchema.parse(traceSimulated(testWorld(shop, ailments), traceRequestSchema.parse(asked)))

describe('a simulated trace delivers', () => {
  it.each<[string, Asked]>([
    ['a ping within a network, on one host', { from: 'db-1', to: 'web-2' }],
    ['a ping over a tunnel, routed', { from: 'web-1', to: '10.20.2.11' }],
    ['IPv6, routed over a tunnel', { from: 'web-1', to: 'fd00:2::11' }],
    ['a SYN that no ACL stops', { from: 'web-1', to: 'db-1', proto: 'tcp', dport: 5432 }],
    ['UDP, which nobody answers', { from: 'web-1', to: 'db-1', proto: 'udp', dport: 22 }],
    ['a ping of the gateway', { from: 'web-1', to: '10.20.1.1' }],
    ['a ping of another gateway of the router, with a TTL of 1', { from: 'web-1', to: '10.20.2.1', ttl: 1 }],
    ['an IPv6 ping of the gateway', { from: 'web-1', to: 'fd00:1::1' }],
    ['an ARP request for the gateway', { from: 'web-1', to: '10.20.1.1', proto: 'arp' }],
    ['an ARP request for a port on another host', { from: 'web-1', to: 'web-2', proto: 'arp' }],
    ['a neighbour solicitation', { from: 'web-1', to: 'fd00:1::1', proto: 'arp' }],
    ['what a stateful ACL drops, as an answer', { from: 'web-3', to: 'db-1', proto: 'tcp', dport: 80 }],
    ['a ping through a peering, over GRE', { from: 'db-1', to: 'crm-1' }],
    ['from a source that the port is allowed', { from: 'web-2', to: 'web-1', proto: 'udp', dport: 9, sourceIp: '172.16.9.9' }],
    ['among twins with the same addresses', { from: 'twin-1', to: '10.20.1.14' }],
    ['as much as the network takes', { from: 'db-1', to: 'db-2', proto: 'udp', dport: 9, sizeBytes: 1400 }],
    ['any protocol', { from: 'web-1', to: 'web-2', proto: 47 }],
  ])('%s', (_, asked) => expect(trace(asked).drop).toBeNull())
})

describe('a simulated trace names what drops', () => {
  it.each<[string, Asked, string, string, string | null, Ailments?]>([
    ['an ACL at the receiver', { from: 'web-1', to: 'db-1', proto: 'tcp', dport: 22 }, 'acl', 'h2', 'acl/no-ssh'],
    ['an ACL at the sender', { from: 'web-2', to: 'db-1', proto: 'udp', dport: 161 }, 'acl', 'h2', 'acl/no-snmp'],
    ['an ACL of one port', { from: 'web-1', to: 'web-3' }, 'acl', 'h1', 'acl/closed'],
    ['a stateless ACL, also for answers', { from: 'db-2', to: 'db-1' }, 'acl', 'h1', 'acl/deaf'],
    ['a missing route', { from: 'web-1', to: '192.0.2.1' }, 'no-route', 'h1', 'router/shop'],
    ['a network without the route back through the peering', { from: 'web-1', to: 'crm-1' }, 'no-route', 'h3', 'router/crm'],
    ['a network without a router', { from: 'twin-1', to: '10.30.1.11' }, 'no-route', 'h1', 'router/other'],
    ['a foreign address', { from: 'web-1', to: 'web-2', sourceIp: '10.20.1.13' }, 'port-security', 'h1', 'port/web-1'],
    ['a foreign MAC', { from: 'web-1', to: 'web-2', sourceMac: '0e:00:00:00:00:99' }, 'port-security', 'h1', 'port/web-1'],
    ['a foreign address in ARP', { from: 'web-1', to: 'web-2', proto: 'arp', sourceIp: '10.20.1.13' }, 'port-security', 'h1', 'port/web-1'],
    ['a foreign IPv6 address', { from: 'web-1', to: 'fd00:2::11', sourceIp: 'fd00:1::77' }, 'port-security', 'h1', 'port/web-1'],
    ['an address on another subnet that nobody has', { from: 'web-1', to: '10.20.2.99' }, 'unknown-destination', 'h1', 'network/db'],
    ['an address on its own subnet that nobody has', { from: 'web-1', to: '10.20.1.99' }, 'arp-unanswered', 'h1', 'network/web'],
    ['a TTL that runs out', { from: 'web-1', to: 'db-1', ttl: 1 }, 'ttl', 'h1', null],
    ['a packet larger than the next network takes', { from: 'web-1', to: 'db-1', proto: 'udp', sizeBytes: 1401 }, 'mtu', 'h1', 'network/db'],
    ['a packet larger than its own network takes', { from: 'web-1', to: 'web-2', proto: 'udp', sizeBytes: 1451 }, 'mtu', 'h1', 'network/web'],
    [
      'an underlay that takes less',
      { from: 'web-1', to: 'web-2', proto: 'udp', sizeBytes: 1450 },
      'mtu',
      'h1',
      'nic/h1/tenant',
      { underlayMtuBytes: 1499 },
    ],
    ['a service of the gateway', { from: 'web-1', to: '10.20.1.1', proto: 'tcp', dport: 80 }, 'unknown-destination', 'h1', 'router/shop'],
    ['a cut cable at the sender', { from: 'web-1', to: 'db-1' }, 'link-down', 'h1', 'link/h1/tenant--tor1/swp8', { nics: { h1: 'down' } }],
    ['a cut cable at the receiver', { from: 'web-1', to: 'db-1' }, 'link-down', 'h2', 'link/h2/tenant--tor2/swp9', { nics: { h2: 'down' } }],
    ['a host that is off', { from: 'web-1', to: 'db-1' }, 'host-down', 'h2', 'host/h2', { states: { h2: 'down' } }],
    ['the own host being off', { from: 'web-1', to: 'db-1' }, 'host-down', 'h1', 'host/h1', { states: { h1: 'down' } }],
    ['a dead switch', { from: 'web-1', to: 'db-1' }, 'switch-down', 'h2', 'forwarding/h2', { switches: { h2: 'down' } }],
    ['a guest that is gone', { from: 'web-1', to: 'db-1' }, 'port-down', 'h2', 'port/db-1', { portsDown: { h2: ['db-1'] } }],
  ])('%s', (_, asked, reason, host, object, ailments) => {
    const { verdict, drop } = trace(asked, ailments)
    expect({ verdict, reason: drop?.reason, host: drop?.host, object: drop?.object }).toEqual({ verdict: 'dropped', reason, host, object })
  })
})

it('does not know what a guest does that routes on, and says so', () => {
  const { verdict, drop, limit } = trace({ from: 'web-1', to: '172.16.5.5' })
  expect({ verdict, drop }).toEqual({ verdict: 'unknown', drop: null })
  expect(limit).toContain('web-2')
})

it('follows the longest of a peer’s routes, also where the peering lets through less than any of them', () => {
  const nested = shop
    .replace('networks: [crm]}', 'networks: [crm], routes: [{to: 0.0.0.0/0, via: 10.30.1.12}, {to: 198.51.100.0/24, via: 10.30.1.13}]}')
    .replace('routes: [{on: shop, to: 10.30.1.0/24}', 'routes: [{on: shop, to: 10.30.1.0/24}, {on: shop, to: 198.51.100.7/32}')
    .concat('  - {name: crm-2, network: crm, ip: 10.30.1.12, host: h2, allow: [0.0.0.0/0], attach: {kind: netns}}\n')
    .concat('  - {name: crm-3, network: crm, ip: 10.30.1.13, host: h2, allow: [198.51.100.0/24], attach: {kind: netns}}\n')
  expect(traceSimulated(testWorld(nested), traceRequestSchema.parse({ from: 'db-1', to: '198.51.100.7' })).hops.at(-1)?.device).toBe('crm-3')
})

it('lists every device on the way there and back, in order', () => {
  const { hops } = trace({ from: 'web-1', to: 'db-1' })
  expect(hops.map(({ n, leg, kind, host, device }) => `${n} ${leg} ${kind} ${host} ${device}`)).toEqual(
    [
      'forward virtual h1 web-1', 'forward virtual h1 br-int', 'forward virtual h1 vxlan', 'forward physical h1 tenant', 'forward physical tor1 tor1',
      'forward physical tor2 tor2', 'forward physical h2 tenant', 'forward virtual h2 vxlan', 'forward virtual h2 br-int', 'forward virtual h2 db-1',
      'return virtual h2 db-1', 'return virtual h2 br-int', 'return virtual h2 vxlan', 'return physical h2 tenant', 'return physical tor2 tor2',
      'return physical tor1 tor1', 'return physical h1 tenant', 'return virtual h1 vxlan', 'return virtual h1 br-int', 'return virtual h1 web-1',
    ].map((line, index) => `${index + 1} ${line}`),
  ) // prettier-ignore
})

it('suggests a declaration that lets pass what an ACL drops, and then it passes', () => {
  const asked: Asked = { from: 'web-1', to: 'db-1', proto: 'tcp', dport: 22 }
  const remedy = trace(asked).drop!['remedy'] as string
  expect(() => parseDeclaration(remedy)).not.toThrow()
  const [, allowed] = /acls:\n([\s\S]*)/.exec(remedy)!
  const world = testWorld(shop.replace('acls:\n', `acls:\n${allowed}`))
  expect(traceSimulated(world, traceRequestSchema.parse(asked)).verdict).toBe('delivered')
})

it('refuses what cannot be traced', () => {
  const world = testWorld(shop)
  const refused = (asked: Asked) => () => traceSimulated(world, traceRequestSchema.parse(asked))
  expect(refused({ from: 'nobody', to: '10.0.0.1' })).toThrow(expect.objectContaining({ code: 'not-found' }))
  expect(refused({ from: 'web-1', to: 'nobody' })).toThrow(expect.objectContaining({ code: 'bad-input' }))
  expect(refused({ from: 'web-2', to: 'fd00:2::11' })).toThrow(expect.objectContaining({ code: 'bad-input' }))
  expect(refused({ from: 'web-1', to: 'db-1', proto: 'udp', sizeBytes: 20 })).toThrow(expect.objectContaining({ code: 'bad-input' }))
})
