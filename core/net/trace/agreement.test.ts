import { describe, expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest } from '../../model/trace.ts'
import { FlowTables } from '../openflow/tables.ts'
import { tables } from '../compile/tables.ts'
import { compileHost } from '../compile/compile.ts'
import { traceSimulated } from './simulate.ts'
import { shop, testWorld } from './test-world.ts'
import type { World } from './world.ts'

/* What the proof `trace-agreement` has once found to differ from what Open vSwitch and the systems of guests do. */

type Asked = Partial<TraceRequest> & { from: string; to: string }
const trace = (asked: Asked, world: World = testWorld(shop)) => traceSimulated(world, traceRequestSchema.parse(asked))

describe('a multicast or broadcast address', () => {
  it.each([
    ['web-1', '224.0.0.18', 'IPv4 multicast'],
    ['web-1', '255.255.255.255', 'the limited broadcast'],
    ['web-1', '10.20.1.255', 'the subnet’s broadcast'],
    ['web-1', 'ff02::12', 'IPv6 multicast'],
  ])('needs no MAC to be asked for: %s to %s, %s', (from, to) => {
    const { verdict, hops } = trace({ from, to, proto: 112 })
    expect(verdict).toBe('delivered')
    expect(hops.at(-1)).toMatchObject({ action: 'received' })
  })
})

describe('a question for a MAC', () => {
  it('that came only to those who are not asked is not answered', () => {
    expect(trace({ from: 'web-1', to: '10.20.1.99', proto: 'arp' }).drop).toMatchObject({ reason: 'arp-unanswered', object: 'network/web' })
    expect(trace({ from: 'web-1', to: 'fd00:1::99', proto: 'arp' }).drop).toMatchObject({ reason: 'arp-unanswered', object: 'network/web' })
  })

  it.each(['10.20.1.12', 'fd00:1::12'])('for %s is answered by the guest itself where the flow that answers is missing', (to) => {
    const whole = testWorld(shop.replace('ip: 10.20.1.12,', 'ip: 10.20.1.12, ip6: "fd00:1::12",'))
    const without = (host: string): FlowTables =>
      new FlowTables(
        compileHost(whole.index, host).filter(({ table, priority }) => table !== tables.arpAnswer || priority === 0),
        whole.tablesOf(host).groups.values(),
      )
    const { verdict, hops } = trace({ from: 'web-1', to, proto: 'arp' }, { ...whole, tablesOf: without })
    expect(verdict).toBe('delivered')
    expect(hops.filter(({ action }) => action === 'sent' || action === 'received').map(({ leg, device }) => `${leg} ${device}`)).toEqual(
      expect.arrayContaining(['forward web-2', 'return web-2', 'return web-1']),
    )
  })
})

describe('a packet that earns an ICMP error', () => {
  const refusal = (declaration: string): string | undefined =>
    trace({ from: 'web-1', to: 'db-1', ttl: 1, proto: 'udp' }, testWorld(declaration)).hops.find(({ out }) => out === 'hf-icmp')?.action

  it('is refused', () => expect(refusal(shop)).toBe('refused'))

  it('is dropped where an ACL keeps the error from its sender', () => {
    const deaf = '  - {name: deaf-web, port: web-1, direction: in, priority: 9, match: {proto: icmp}, action: drop, stateful: false}\nports:\n'
    expect(refusal(shop.replace('ports:\n', deaf))).toBe('dropped')
  })
})

it.each([
  [1404, 'delivered'],
  [1405, 'dropped'],
])('a packet of %i bytes, in a tunnel to a NIC that takes 1,450, is %s: a NIC has room for a VLAN tag', (sizeBytes, verdict) => {
  const world = testWorld(shop)
  const hosts = new Map([...world.hosts].map(([name, host]) => [name, name === 'h2' ? { ...host, nic: { ...host.nic!, mtuBytes: 1450 } } : host]))
  const result = trace({ from: 'web-1', to: 'web-2', proto: 'udp', sizeBytes }, { ...world, hosts })
  expect(result.verdict).toBe(verdict)
  if (verdict === 'dropped') expect(result.drop).toMatchObject({ reason: 'mtu', object: 'nic/h2/tenant' })
})
