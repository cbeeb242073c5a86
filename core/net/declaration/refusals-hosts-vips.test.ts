import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'
import { plan, problemsOf, withAdded, type base } from './test-base.ts'

type Case = [object: string, path: string, message: string, remedy: string]

/** Each object, added to the base, is refused for one reason, in these words. */
function refused(kind: keyof typeof base, cases: Case[]): void {
  test.each(cases)(`${kind.slice(0, -1)} %s`, (object, path, message, remedy) => {
    const { text, line } = withAdded(kind, object)
    expect(problemsOf(text)).toEqual([{ line, path, message, remedy }])
  })
}

/** Each object, added to the base, is right: what is next to what is refused. */
function accepted(kind: keyof typeof base, objects: string[]): void {
  test.each(objects)(`right: ${kind.slice(0, -1)} %s`, (object) => expect(problemsOf(withAdded(kind, object).text)).toEqual([]))
}

const end = (ip: string, mac = '02:00:00:00:00:51'): string => `tunnelEnd: {ip: ${ip}, mac: '${mac}'}`

describe('hosts are refused', () => {
  refused('hosts', [
    [
      '{name: h9, roles: [gateway]}',
      'hosts.h9',
      'There is no host h9 in the cluster',
      "Choose one of the cluster's: h1, h2. A host without an agent needs a tunnelEnd.",
    ],
    ['{name: h1, roles: [broadcast, gateway, broadcast]}', 'hosts.h1.roles[2]', 'Role broadcast is there twice', 'Say it once.'],
    [
      `{name: h1, ${end('10.83.5.51')}}`,
      'hosts.h1.tunnelEnd',
      'Host h1 is one of the cluster: its agent says where its tunnels end',
      'Leave out tunnelEnd, or declare a host without an agent by another name.',
    ],
    [
      `{name: x, roles: [broadcast], ${end('10.83.5.51')}}`,
      'hosts.x.roles',
      'Host x has a tunnelEnd, so it is one without an agent, which cannot have roles',
      'Leave out roles or, if it is a host of the cluster, tunnelEnd.',
    ],
    [`{name: x, ${end('10.83.5.50')}}`, 'hosts.x.tunnelEnd.ip', 'The tunnels of host legacy-1 end at 10.83.5.50 already', 'Write another.'],
    [
      `{name: x, ${end('169.254.7.1')}}`,
      'hosts.x.tunnelEnd.ip',
      '169.254.7.1 is in 169.254.0.0/16, which no tunnel ends in',
      'Write its address on the plane that carries tunnels.',
    ],
    [
      `{name: x, ${end('10.83.5.51', '01:00:5E:00:00:01')}}`,
      'hosts.x.tunnelEnd.mac',
      '01:00:5e:00:00:01 is a multicast address',
      'Write the one that answers there.',
    ],
    [
      `{name: x, ${end('10.83.5.51', '00:00:00:00:00:00')}}`,
      'hosts.x.tunnelEnd.mac',
      "00:00:00:00:00:00 is nobody's address",
      'Write the one that answers there.',
    ],
  ])
  accepted('hosts', [
    '{name: h1}',
    '{name: h1, roles: []}',
    '{name: h1, roles: [broadcast, gateway]}',
    // Several hosts can be behind one router, which answers with one MAC.
    `{name: x, roles: [], ${end('10.83.5.51', '02:00:00:00:00:50')}}`,
  ])

  test('but not for having left the cluster, where the document does not speak of them', () => {
    const current = plan(withAdded('hosts', '{name: h1, roles: [broadcast]}').text)
    const apply = (text: string): (() => unknown) => {
      return () => planNetwork(current, parseDeclaration(text), { hosts: ['h2'], prune: false })
    }
    expect(apply('networks: [{name: lone, vpc: shop, subnet: 10.20.4.0/24}]')).not.toThrow()
    expect(apply('hosts: [{name: h1, roles: [broadcast]}]')).toThrow('hosts.h1: There is no host h1 in the cluster')
  })
})

describe('ports are refused where they are', () => {
  const port = (rest: string): string => `{name: x, network: web, ip: 10.20.1.13, ${rest}}`
  const vlan = (number: number): string => `attach: {kind: vlan, nic: eth1, vlan: ${number}}`
  refused('ports', [
    [
      port('host: legacy-1, attach: {kind: netns}'),
      'ports.x.host',
      'Host legacy-1 has no agent that could attach a netns',
      'Attach {kind: remote}, or choose a host of the cluster: h1, h2.',
    ],
    [
      port(`host: legacy-1, ${vlan(8)}`),
      'ports.x.host',
      'Host legacy-1 has no agent that could attach a vlan',
      'Attach {kind: remote}, or choose a host of the cluster: h1, h2.',
    ],
    [
      port('host: h1, attach: {kind: remote}'),
      'ports.x.attach',
      'Host h1 has no tunnelEnd: only at a host without an agent is anything remote',
      'Attach something else, or name another host.',
    ],
    [port('host: legacy-2, attach: {kind: remote}'), 'ports.x.host', 'There is no host legacy-2', 'Write legacy-1, or declare the host legacy-2.'],
    [port(`host: h1, ${vlan(8)}`), 'ports.x.host', 'Host h1 is no gateway', 'Leave host out, or choose a gateway: h2.'],
    // Others of its VLAN stay where they are.
    [port(`host: h1, ${vlan(7)}`), 'ports.x.host', 'Host h1 is no gateway', 'Leave host out, or choose a gateway: h2.'],
    [
      `{name: x, network: db, ip: 10.20.2.13, ${vlan(7)}}`,
      'ports.x.attach',
      'VLAN 7 of eth1 is joined to network web already, by port web-2',
      'Join a VLAN to one network.',
    ],
  ])
  accepted('ports', [
    port('host: legacy-1, attach: {kind: remote}'),
    port(vlan(7)),
    port(`host: h2, ${vlan(7)}`),
    port(vlan(8)),
    `{name: x, network: db, ip: 10.20.2.13, attach: {kind: vlan, nic: eth2, vlan: 7}}`,
  ])

  test('without a gateway', () => {
    const text = withAdded('ports').text.replace('roles: [gateway]', 'roles: [broadcast]')
    expect(problemsOf(text)).toEqual([
      {
        line: 18,
        path: 'ports.web-2.attach',
        message: 'No host has the role gateway, which joins VLANs to networks',
        remedy: 'Declare one, as in hosts: [{name: h1, roles: [gateway]}].',
      },
    ])
  })

  test('at two gateways of one VLAN', () => {
    const { text, line } = withAdded('ports', port(`host: h1, ${vlan(7)}`))
    expect(problemsOf(text.replace('hosts:\n', 'hosts:\n  - {name: h1, roles: [gateway]}\n'))).toEqual([
      { line, path: 'ports.x.host', message: 'VLAN 7 of eth1 is at gateway h2, by port web-2', remedy: 'Write h2 too, or leave host out.' },
    ])
  })

  const current = plan(withAdded('ports', port('host: legacy-1, attach: {kind: remote}')).text)

  test('for what becomes of their hosts, also where the document does not name them', () => {
    expect(problemsOf('hosts:\n  - {name: h2}', current)).toEqual([
      expect.objectContaining({ line: null, path: 'ports.web-2.attach', message: 'No host has the role gateway, which joins VLANs to networks' }),
    ])
    const text = withAdded('ports', port('host: legacy-1, attach: {kind: remote}'), port('host: h1, attach: {kind: netns}').replace('x,', 'y,')).text
    const without = text.replace(/hosts:\n[^]*vips:/, 'vips:').replace('ip: 10.20.1.13, host: h1', 'ip: 10.20.1.14, host: h1')
    expect(problemsOf(without, current)).toEqual([])
    const remedy = (host: string): string => `Declare the host ${host} too, or delete what needs it, or do not prune.`
    expect(problemsOf(without, current, true)).toEqual([
      { line: 18, path: 'ports.web-2.host', message: 'The host h2 is deleted by this plan', remedy: remedy('h2') },
      { line: 21, path: 'ports.x.host', message: 'The host legacy-1 is deleted by this plan', remedy: remedy('legacy-1') },
    ])
  })
})

describe('VIPs are refused', () => {
  const vip = (rest: string): string => `{name: x, ${rest}}`
  const taken = 'Choose one that is free there.'
  const room = 'Choose one from 10.20.1.1 to 10.20.1.254.'
  refused('vips', [
    [vip('network: wbe, ip: 10.20.1.9, ports: [web-1]'), 'vips.x.network', 'There is no network wbe', 'Write web, or declare the network wbe.'],
    [vip('network: web, ip: 10.20.2.9, ports: [web-1]'), 'vips.x.ip', '10.20.2.9 is outside 10.20.1.0/24, the subnet of network web', room],
    [
      vip('network: web, ip: 10.20.1.0, ports: [web-1]'),
      'vips.x.ip',
      '10.20.1.0 is the first address of 10.20.1.0/24, which stands for the network itself',
      room,
    ],
    [vip('network: web, ip: 10.20.1.255, ports: [web-1]'), 'vips.x.ip', '10.20.1.255 is the broadcast address of 10.20.1.0/24', room],
    [vip('network: web, ip: 10.20.1.1, ports: [web-1]'), 'vips.x.ip', '10.20.1.1 is in network web already the address of its gateway', taken],
    [vip("network: web, ip: 'FD00:1::1', ports: [web-1]"), 'vips.x.ip', 'fd00:1::1 is in network web already the address of its gateway', taken],
    [vip('network: web, ip: 10.20.1.12, ports: [web-1]'), 'vips.x.ip', '10.20.1.12 is in network web already the address of port web-2', taken],
    [vip("network: web, ip: 'fd00:1::11', ports: [web-1]"), 'vips.x.ip', 'fd00:1::11 is in network web already the address of port web-1', taken],
    [vip('network: web, ip: 10.20.1.100, ports: [web-1]'), 'vips.x.ip', '10.20.1.100 is in network web already the address of VIP web-vip', taken],
    [
      vip("network: db, ip: 'fd00:1::9', ports: [db-1]"),
      'vips.x.ip',
      'fd00:1::9 is an IPv6 address, but network db has no subnet6',
      'Give network db a subnet6, or write an IPv4 address.',
    ],
    [vip('network: web, ip: 10.20.1.9, ports: []'), 'vips.x.ports', 'It has no ports: nobody could ever have it', 'Name ports of network web.'],
    [
      vip('network: web, ip: 10.20.1.9, ports: [web-1, web-3]'),
      'vips.x.ports[1]',
      'There is no port web-3',
      'Write web-1, or declare the port web-3.',
    ],
    [vip('network: web, ip: 10.20.1.9, ports: [web-1, web-1]'), 'vips.x.ports[1]', 'Port web-1 is there twice', 'Say it once.'],
    [
      vip('network: web, ip: 10.20.1.9, ports: [web-1, db-1]'),
      'vips.x.ports[1]',
      'Port db-1 is in network db, but the VIP in web',
      'Name ports of network web.',
    ],
    [
      // Of another VPC.
      vip('network: web, ip: 10.20.1.9, ports: [twin-1]'),
      'vips.x.ports[0]',
      'Port twin-1 is in network twin, but the VIP in web',
      'Name ports of network web.',
    ],
    [
      vip('network: web, ip: 10.20.1.9, ports: [web-1], priorities: {web-1: 1, web-2: 2}'),
      'vips.x.priorities.web-2',
      'web-2 is none of its ports',
      'Add it to ports, or write one of web-1.',
    ],
    [
      vip('network: web, ip: 10.20.1.9, ports: [web-1, web-2], healthCheck: {command: [true-ish]}'),
      'vips.x.healthCheck.command',
      'Port web-2 is no guest: no command can be run there',
      'Write tcp or http, or leave that port out.',
    ],
  ])
  accepted('vips', [
    vip('network: web, ip: 10.20.1.9, ports: [web-2, web-1], priorities: {web-1: 0, web-2: 255}, healthCheck: {tcp: 3306}'),
    vip("network: web, ip: 'fd00:1::9', ports: [web-1], healthCheck: {http: /}"),
    vip('network: db, ip: 10.20.2.9, ports: [db-1], healthCheck: {command: [pg_isready]}'),
    vip('network: twin, ip: 10.20.1.100, ports: [twin-1]'),
    // The name of an object of another kind is no other's.
    '{name: web, network: web, ip: 10.20.1.9, ports: [web-1]}',
  ])

  const current = plan(withAdded('ports').text)

  test('when a port of theirs is deleted, or goes to another network', () => {
    const { text } = withAdded('ports')
    expect(problemsOf(text.replace(/ {2}- \{name: web-1.*\n/, '').replace(/, \{to: 10.97.0.0\/24[^}]*\}/, ''), current, true)).toEqual([
      {
        line: 24,
        path: 'vips.web-vip.ports[0]',
        message: 'The port web-1 is deleted by this plan',
        remedy: 'Declare the port web-1 too, or delete what needs it, or do not prune.',
      },
    ])
    expect(problemsOf('ports:\n  - {name: web-1, network: lone, ip: 10.20.3.9, host: h1, attach: {kind: netns}}', current)).toContainEqual({
      line: null,
      path: 'vips.web-vip.ports[0]',
      message: 'Port web-1 is in network lone, but the VIP in web',
      remedy: 'Name ports of network web.',
    })
  })

  test('when their network is deleted', () => {
    const text = 'vips:\n  - {name: x, network: n, ip: 10.1.0.9, ports: [p]}'
    const network =
      'networks: [{name: n, vpc: v, subnet: 10.1.0.0/24}]\nports: [{name: p, network: n, ip: 10.1.0.2, host: h1, attach: {kind: netns}}]'
    expect(problemsOf(text, plan(`${network}\n${text}`), true)).toMatchObject([
      { line: 2, path: 'vips.x.network', message: 'The network n is deleted by this plan' },
      { line: 2, path: 'vips.x.ports[0]', message: 'The port p is deleted by this plan' },
    ])
  })

  test('at the port, where the document gives it the address of a VIP that was there', () => {
    expect(problemsOf('ports:\n  - {name: x, network: web, ip: 10.20.1.100, host: h1, attach: {kind: netns}}', current)).toEqual([
      { line: 2, path: 'ports.x.ip', message: '10.20.1.100 is in network web already the address of VIP web-vip', remedy: taken },
    ])
  })
})

test('a route may lead to a VIP, and an ACL of a port is also for the VIPs that it may have', () => {
  const route = withAdded('ports').text.replace('via: 10.20.1.12', 'via: 10.20.1.100')
  expect(problemsOf(route)).toEqual([])
  expect(plan(route, emptyVirtualNetwork).routers.find(({ name }) => name === 'r-shop')!.routes).toContainEqual({
    to: '10.99.0.0/24',
    via: '10.20.1.100',
  })
  const acl = (rest: string): string => `{name: x, ${rest}, priority: 5, action: drop}`
  expect(problemsOf(withAdded('acls', acl('port: web-1, direction: in, match: {dst: 10.20.1.100/32}')).text)).toEqual([])
  expect(problemsOf(withAdded('acls', acl('port: web-1, direction: out, match: {src: 10.20.1.100/32}')).text)).toEqual([])
  expect(problemsOf(withAdded('acls', acl('port: db-1, direction: out, match: {src: 10.20.1.100/32}')).text)).toHaveLength(1)
})
