import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../errors.ts'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'
import type { Problem } from './problems.ts'

const hosts = ['h1', 'h2']

function plan(text: string, current: VirtualNetwork = emptyVirtualNetwork, prune = false): VirtualNetwork {
  return planNetwork(current, parseDeclaration(text), { hosts, prune }).next
}

function problemsOf(text: string, current?: VirtualNetwork, prune?: boolean): Problem[] {
  try {
    plan(text, current, prune)
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError)
    expect(thrown).toMatchObject({ code: 'bad-input' })
    return (thrown as HoldfastError).data.problems as Problem[]
  }
  return []
}

/** What every case is added to: two VPCs with the same addresses, and a third beside them. Right by itself. */
const base = {
  networks: [
    "{name: web, vpc: shop, vni: 7, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: 'fd00:1::/64', gateway6: 'fd00:1::1'}",
    '{name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}',
    '{name: lone, vpc: shop, subnet: 10.20.3.0/24}',
    '{name: twin, vpc: copy, subnet: 10.20.1.0/24, gateway: 10.20.1.1}',
    '{name: mail, vpc: post, subnet: 10.30.1.0/24, gateway: 10.30.1.1}',
    '{name: free, vpc: post, subnet: 10.30.2.0/24, gateway: 10.30.2.1}',
  ],
  routers: [
    '{name: r-shop, vpc: shop, networks: [web, db], routes: [{to: 10.99.0.0/24, via: 10.20.1.12}]}',
    '{name: r-post, vpc: post, networks: [mail]}',
    '{name: r-copy, vpc: copy, networks: [twin]}',
  ],
  peerings: ['{name: shop-post, routers: [r-shop, r-post], routes: [{on: r-shop, to: 10.30.1.0/24}, {on: r-post, to: 10.20.2.0/24}]}'],
  acls: ['{name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}'],
  ports: [
    "{name: web-1, network: web, mac: '0e:00:00:00:00:01', ip: 10.20.1.11, ip6: 'fd00:1::11', host: h1, attach: {kind: netns}}",
    '{name: web-2, network: web, ip: 10.20.1.12, allow: [10.99.0.0/24], host: h2, attach: {kind: vlan, nic: eth1, vlan: 7}}',
    '{name: db-1, network: db, ip: 10.20.2.11, host: h2, attach: {kind: vm, vm: db-1}}',
    '{name: twin-1, network: twin, ip: 10.20.1.11, host: h1, attach: {kind: netns}}',
  ],
}

/** The base with objects added, and the line that the first of them is on. */
function withAdded(kind: keyof typeof base, ...added: string[]): { text: string; line: number } {
  const lines: string[] = []
  let line = 0
  for (const [each, objects] of Object.entries(base)) {
    lines.push(`${each}:`, ...objects.map((object) => `  - ${object}`))
    if (each !== kind) continue
    line = lines.length + 1
    lines.push(...added.map((object) => `  - ${object}`))
  }
  return { text: lines.join('\n'), line }
}

type Case = [object: string, path: string, message: RegExp, remedy: RegExp]

/** Each object, added to the base, is refused for one reason. */
function refused(kind: keyof typeof base, cases: Case[]): void {
  test.each(cases)(`${kind.slice(0, -1)} %s`, (object, path, message, remedy) => {
    const { text, line } = withAdded(kind, object)
    expect(problemsOf(text)).toEqual([
      { line, path, message: expect.stringMatching(message) as string, remedy: expect.stringMatching(remedy) as string },
    ])
  })
}

/** Each object, added to the base, is right: what is next to what is refused. */
function accepted(kind: keyof typeof base, objects: string[]): void {
  test.each(objects)(`right: ${kind.slice(0, -1)} %s`, (object) => expect(problemsOf(withAdded(kind, object).text)).toEqual([]))
}

test('what is added to is right', () => {
  expect(problemsOf(withAdded('ports').text)).toEqual([])
})

describe('networks are refused', () => {
  const at = (field: string): string => `networks.x.${field}`
  refused('networks', [
    [
      '{name: x, vpc: shop, subnet: 10.20.1.128/25}',
      at('subnet'),
      /10\.20\.1\.128\/25 overlaps 10\.20\.1\.0\/24 of network web, in the same VPC shop/,
      /another VPC/,
    ],
    ['{name: x, vpc: copy, subnet: 10.20.0.0/16}', at('subnet'), /overlaps 10\.20\.1\.0\/24 of network twin/, /free/],
    ["{name: x, vpc: shop, subnet: 10.1.0.0/24, subnet6: 'fd00:1::/48'}", at('subnet6'), /fd00:1::\/48 overlaps fd00:1::\/64 of network web/, /free/],
    ['{name: x, vpc: other, subnet: 10.1.0.5/24}', at('subnet'), /10\.1\.0\.5\/24 has bits set/, /Write 10\.1\.0\.0\/24\./],
    ["{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'FD00:9::1:0/64'}", at('subnet6'), /fd00:9::1:0\/64 has bits set/, /Write fd00:9::\/64\./],
    ['{name: x, vpc: other, subnet: 10.1.0.0/31}', at('subnet'), /no room/, /\/30 or larger/],
    ["{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'fd00:9::/127'}", at('subnet6'), /no room/, /\/126 or larger/],
    ['{name: x, vpc: other, subnet: 127.1.0.0/24}', at('subnet'), /overlaps 127\.0\.0\.0\/8/, /RFC 1918/],
    ['{name: x, vpc: other, subnet: 0.0.0.0/0}', at('subnet'), /overlaps 0\.0\.0\.0\/8/, /RFC 1918/],
    ['{name: x, vpc: other, subnet: 239.1.0.0/16}', at('subnet'), /overlaps 224\.0\.0\.0\/3/, /RFC 1918/],
    ["{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'fe80::/64'}", at('subnet6'), /overlaps fe80::\/10/, /RFC 4193/],
    ["{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'ff02::/64'}", at('subnet6'), /overlaps ff00::\/8/, /RFC 4193/],
    [
      '{name: x, vpc: other, subnet: 10.1.0.0/24, gateway: 10.1.1.1}',
      at('gateway'),
      /10\.1\.1\.1 is outside 10\.1\.0\.0\/24/,
      /from 10\.1\.0\.1 to 10\.1\.0\.254/,
    ],
    ['{name: x, vpc: other, subnet: 10.1.0.0/24, gateway: 10.1.0.0}', at('gateway'), /stands for the network itself/, /from 10\.1\.0\.1 to/],
    ['{name: x, vpc: other, subnet: 10.1.0.0/24, gateway: 10.1.0.255}', at('gateway'), /broadcast/, /to 10\.1\.0\.254/],
    ["{name: x, vpc: other, subnet: 10.1.0.0/24, gateway6: 'fd00:9::1'}", at('gateway6'), /no subnet6/, /leave out gateway6/],
    [
      "{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'fd00:9::/64', gateway6: 'fd00:8::1'}",
      at('gateway6'),
      /outside fd00:9::\/64/,
      /from fd00:9::1 to fd00:9::ffff:ffff:ffff:ffff/,
    ],
    ["{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'fd00:9::/64', gateway6: 'fd00:9::'}", at('gateway6'), /anycast/, /from fd00:9::1/],
    ['{name: x, vpc: other, vni: 7, subnet: 10.1.0.0/24}', at('vni'), /VNI 7 is that of network web/, /leave vni out/],
  ])
  accepted('networks', [
    '{name: x, vpc: other, subnet: 10.20.1.0/24, gateway: 10.20.1.254}',
    '{name: x, vpc: shop, subnet: 10.20.0.0/24}',
    '{name: x, vpc: other, subnet: 10.1.0.0/30, gateway: 10.1.0.2}',
    "{name: x, vpc: other, subnet: 10.1.0.0/24, subnet6: 'fd00:9::/126', gateway6: 'fd00:9::3'}",
  ])
  test('the later of two, whichever is wider', () => {
    const { text, line } = withAdded(
      'networks',
      '{name: x, vpc: v, subnet: 10.1.2.0/24}',
      '{name: y, vpc: v, subnet: 10.1.0.0/16}',
      '{name: z, vpc: v, subnet: 10.1.3.0/24}',
    )
    expect(problemsOf(text).map(({ line, path, message }) => [line, path, message.replace(/, in.*/, '')])).toEqual([
      [line + 1, 'networks.y.subnet', '10.1.0.0/16 overlaps 10.1.2.0/24 of network x'],
      [line + 2, 'networks.z.subnet', '10.1.3.0/24 overlaps 10.1.0.0/16 of network y'],
    ])
  })
})

describe('ports are refused', () => {
  const at = (field: string): string => `ports.x.${field}`
  const port = (rest: string): string => `{name: x, ${rest}, attach: {kind: netns}}`
  refused('ports', [
    [port('network: wbe, ip: 10.20.1.13, host: h1'), at('network'), /no network wbe/, /Write web, or declare the network wbe/],
    [port('network: nothing-like-it, ip: 10.20.1.13, host: h1'), at('network'), /no network nothing-like-it/, /^Declare the network/],
    [port('network: web, ip: 10.20.1.13, host: h3'), at('host'), /no host h3/, /h1, h2/],
    [
      port('network: web, ip: 10.20.2.13, host: h1'),
      at('ip'),
      /10\.20\.2\.13 is outside 10\.20\.1\.0\/24, the subnet of network web/,
      /from 10\.20\.1\.1 to 10\.20\.1\.254/,
    ],
    [port('network: web, ip: 10.20.1.0, host: h1'), at('ip'), /network itself/, /from/],
    [port('network: web, ip: 10.20.1.255, host: h1'), at('ip'), /broadcast/, /from/],
    [port('network: web, ip: 10.20.1.11, host: h1'), at('ip'), /already the address of port web-1/, /free/],
    [port('network: web, ip: 10.20.1.1, host: h1'), at('ip'), /already the address of its gateway/, /free/],
    [
      port("network: web, ip: 10.20.1.13, ip6: 'FD00:1::0:11', host: h1"),
      at('ip6'),
      /fd00:1::11 is in network web already the address of port web-1/,
      /free/,
    ],
    [port("network: web, ip: 10.20.1.13, ip6: 'fd00:1::1', host: h1"), at('ip6'), /its gateway/, /free/],
    [port("network: web, ip: 10.20.1.13, ip6: 'fd00:2::1', host: h1"), at('ip6'), /outside fd00:1::\/64/, /from/],
    [port("network: db, ip: 10.20.2.13, ip6: 'fd00:1::13', host: h1"), at('ip6'), /no subnet6/, /Give network db a subnet6, or leave out ip6/],
    [
      port("network: db, ip: 10.20.2.13, mac: '0E:00:00:00:00:01', host: h1"),
      at('mac'),
      /in VPC shop already the address of port web-1/,
      /leave mac out/,
    ],
    [port("network: db, ip: 10.20.2.13, mac: '01:00:5e:00:00:01', host: h1"), at('mac'), /multicast/, /leave mac out/],
    [port("network: db, ip: 10.20.2.13, mac: '00:00:00:00:00:00', host: h1"), at('mac'), /nobody/, /leave mac out/],
    [port('network: db, ip: 10.20.2.13, allow: [10.9.0.0/16, 10.8.0.1/16], host: h1'), at('allow[1]'), /bits set/, /10\.8\.0\.0\/16/],
    [port("network: db, ip: 10.20.2.13, allow: ['fd00::/8', 'FD00:0::/8'], host: h1"), at('allow[1]'), /fd00::\/8 is there twice/, /once/],
    [
      '{name: x, network: db, ip: 10.20.2.13, host: h2, attach: {kind: vlan, nic: eth1, vlan: 7}}',
      at('attach'),
      /VLAN 7 of eth1 on h2 is attached to port web-2/,
      /one port/,
    ],
  ])
  accepted('ports', [
    port("network: twin, ip: 10.20.1.13, mac: '0e:00:00:00:00:01', host: h1"),
    '{name: x, network: db, ip: 10.20.2.13, host: h1, attach: {kind: vlan, nic: eth1, vlan: 7}}',
    port("network: web, ip: 10.20.1.254, ip6: 'fd00:1::ffff:ffff:ffff:ffff', host: h1"),
  ])
})

describe('routers are refused', () => {
  const at = (field: string): string => `routers.x.${field}`
  const routes = (text: string): string => `{name: x, vpc: post, networks: [free], routes: [${text}]}`
  refused('routers', [
    ['{name: x, vpc: shop, networks: [lonely]}', at('networks[0]'), /no network lonely/, /Write lone, or declare/],
    ['{name: x, vpc: shop, networks: [web]}', at('networks[0]'), /attached to router r-shop/, /one router/],
    ['{name: x, vpc: post, networks: [free, free]}', at('networks[1]'), /free is there twice/, /once/],
    ['{name: x, vpc: shop, networks: [free]}', at('networks[0]'), /in VPC post, but the router in VPC shop/, /peering/],
    ['{name: x, vpc: shop, networks: [lone]}', at('networks[0]'), /no gateway/, /Give network lone a gateway/],
    [routes('{to: 10.98.0.0/24, via: 10.30.2.11}'), at('routes[0].via'), /10\.30\.2\.11 is the address of no port/, /a port on free/],
    [routes('{to: 10.98.0.0/24, via: 10.30.2.1}'), at('routes[0].via'), /no port/, /a port on free/],
    [routes('{to: 10.98.0.0/24, via: 10.20.1.12}'), at('routes[0].via'), /no port on a network of router x/, /a port on free/],
    [routes("{to: 10.98.0.0/24, via: 'fd00::1'}"), at('routes[0].via'), /different families/, /IPv4/],
    [routes("{to: '::/0', via: 10.30.2.11}"), at('routes[0].via'), /different families/, /IPv6/],
  ])

  const viaGuest = (text: string): string => `{name: x, vpc: shop2, networks: [n2], routes: [${text}]}`
  const guest = `networks:
  - {name: n2, vpc: shop2, subnet: 10.1.0.0/24, gateway: 10.1.0.1}
ports:
  - {name: guest, network: n2, ip: 10.1.0.2, host: h1, attach: {kind: netns}}
routers:
  - `
  test.each<Case>([
    [viaGuest('{to: 10.98.0.1/24, via: 10.1.0.2}'), at('routes[0].to'), /bits set/, /10\.98\.0\.0\/24/],
    [
      viaGuest('{to: 10.98.0.0/24, via: 10.1.0.2}, {to: 10.98.0.0/24, via: 10.1.0.2}'),
      at('routes[1].to'),
      /has 10\.98\.0\.0\/24 already, by a route of its own/,
      /one way/,
    ],
    [viaGuest('{to: 10.1.0.0/24, via: 10.1.0.2}'), at('routes[0].to'), /already, by network n2/, /one way/],
  ])('%s', (router, path, message, remedy) => {
    expect(problemsOf(guest + router)).toEqual([
      { line: 6, path, message: expect.stringMatching(message) as string, remedy: expect.stringMatching(remedy) as string },
    ])
  })
  test.each([viaGuest('{to: 10.1.0.128/25, via: 10.1.0.2}, {to: 0.0.0.0/0, via: 10.1.0.2}')])('right: %s', (router) =>
    expect(problemsOf(guest + router)).toEqual([]),
  )

  test('a MAC that a port has', () => {
    const { text, line } = withAdded('ports', "{name: x, network: db, mac: '0a:ff:00:00:00:99', ip: 10.20.2.13, host: h1, attach: {kind: netns}}")
    const problems = problemsOf(
      text.replace('{name: r-copy,', "{name: r-more, vpc: shop, networks: [], mac: '0A:FF:00:00:00:99'}\n  - {name: r-copy,"),
    )
    expect(problems).toMatchObject([
      { line: line + 1, path: 'ports.x.mac', message: '0a:ff:00:00:00:99 is in VPC shop already the address of router r-more' },
    ])
  })
})

describe('peerings are refused', () => {
  const at = (field: string): string => `peerings.x.${field}`
  const shopPost = (routes: string): string => `{name: x, routers: [r-shop, r-post], routes: [${routes}]}`
  refused('peerings', [
    ['{name: x, routers: [r-shop, r-pots]}', at('routers[1]'), /no router r-pots/, /Write r-post/],
    ['{name: x, routers: [r-shop, r-shop]}', at('routers'), /with itself/, /two routers/],
    [shopPost('{on: r-copy, to: 10.20.2.0/24}'), at('routes[0].on'), /r-copy is not part/, /r-shop or r-post/],
    [shopPost('{on: r-post, to: 10.20.1.9/32}, {on: r-post, to: 10.99.0.5/24}'), at('routes[1].to'), /bits set/, /10\.99\.0\.0\/24/],
    [
      shopPost('{on: r-post, to: 10.20.3.0/24}'),
      at('routes[0].to'),
      /leads nowhere: router r-shop/,
      /10\.20\.1\.0\/24, fd00:1::\/64, 10\.20\.2\.0\/24, 10\.99\.0\.0\/24/,
    ],
    [
      "{name: x, routers: [r-shop, r-post], routes: [{on: r-shop, to: 'fd00::/8'}]}",
      at('routes[0].to'),
      /fd00::\/8 overlaps the subnet of network web/,
      /Narrow/,
    ],
    ["{name: x, routers: [r-copy, r-post], routes: [{on: r-copy, to: 'fd00::/8'}]}", at('routes[0].to'), /leads nowhere/, /10\.30\.1\.0\/24/],
    [shopPost('{on: r-post, to: 10.30.0.0/16}'), at('routes[0].to'), /overlaps the subnet of network mail/, /Narrow/],
    [shopPost('{on: r-post, to: 0.0.0.0/0}'), at('routes[0].to'), /overlaps the subnet of network mail/, /Narrow/],
    [
      '{name: x, routers: [r-copy, r-shop], routes: [{on: r-copy, to: 10.20.1.11/32}]}',
      at('routes[0].to'),
      /overlaps the subnet of network twin/,
      /renumber/,
    ],
    [shopPost('{on: r-post, to: 10.20.2.0/24}'), at('routes[0].to'), /Router r-post has 10\.20\.2\.0\/24 already, by peering shop-post/, /one way/],
    // Wider, but it lets through just what is there already.
    [shopPost('{on: r-post, to: 10.20.2.0/23}'), at('routes[0].to'), /has 10\.20\.2\.0\/24 already/, /one way/],
    [shopPost('{on: r-shop, to: 10.30.0.0/16}'), at('routes[0].to'), /Router r-shop has 10\.30\.1\.0\/24 already, by peering shop-post/, /one way/],
  ])
  accepted('peerings', [
    shopPost('{on: r-post, to: 10.20.1.0/25}, {on: r-post, to: 10.96.0.0/11}, {on: r-shop, to: 10.30.1.7/32}'),
    '{name: x, routers: [r-copy, r-shop]}',
  ])

  test('of two routers of a VPC', () => {
    const { text, line } = withAdded('peerings', '{name: x, routers: [r-post, r-two]}')
    const problems = problemsOf(text.replace('{name: r-copy,', '{name: r-two, vpc: post, networks: [free]}\n  - {name: r-copy,'))
    expect(problems).toMatchObject([
      {
        line: line + 1,
        path: at('routers'),
        message: 'Routers r-post and r-two are both in VPC post',
        remedy: expect.stringMatching(/one router/) as string,
      },
    ])
  })
})

describe('ACLs are refused', () => {
  const at = (field: string): string => (field === '' ? 'acls.x' : `acls.x.${field}`)
  const acl = (target: string, direction: string, match: string, more = 'priority: 50, action: drop'): string =>
    `{name: x, ${target}direction: ${direction}, match: {${match}}, ${more}}`
  const onWeb = (direction: string, match: string): string => acl('network: web, ', direction, match)
  refused('acls', [
    [acl('', 'in', ''), at(''), /holds for nothing/, /either a network, or a port/],
    [acl('network: web, port: web-1, ', 'in', ''), at('port'), /a network and a port/, /either/],
    [acl('network: wep, ', 'in', ''), at('network'), /no network wep/, /Write web/],
    [acl('port: web-9, ', 'in', ''), at('port'), /no port web-9/, /Write web-1/],
    [onWeb('in', 'src: 10.9.0.1/16'), at('match.src'), /bits set/, /10\.9\.0\.0\/16/],
    [onWeb('in', "src: 10.9.0.0/16, dst: 'fd00:1::/64'"), at('match.dst'), /different families: it can never match/, /same family/],
    [onWeb('in', "proto: icmp, src: 'fd00::/8'"), at('match.src'), /icmp does not go with fd00::\/8: it can never match/, /icmp6, or an IPv4/],
    [onWeb('in', "proto: 1, src: 'fd00::/8'"), at('match.src'), /Protocol 1 does not go/, /icmp6/],
    [onWeb('in', 'proto: icmp6, dst: 10.20.1.0/24'), at('match.dst'), /icmp6 does not go with 10/, /icmp, or an IPv6/],
    [onWeb('in', 'proto: 58, dst: 10.20.1.0/24'), at('match.dst'), /Protocol 58 does not go/, /icmp,/],
    [onWeb('in', 'proto: icmp, dport: 22'), at('match.dport'), /Protocol icmp has no ports: it can never match/, /tcp, udp/],
    [onWeb('in', 'proto: 47, sport: 22'), at('match.sport'), /Protocol 47 has no ports/, /leave out sport/],
    [onWeb('in', 'dport: 22'), at('match.dport'), /dport without proto/, /Write proto tcp/],
    [onWeb('in', 'proto: tcp, dport: [90, 80]'), at('match.dport'), /from 90 to 80 is empty: it can never match/, /\[80, 90\]/],
    [
      onWeb('in', 'dst: 10.20.2.0/24'),
      at('match.dst'),
      /network web receives nothing for 10\.20\.2\.0\/24: it can never match/,
      /turn the direction/,
    ],
    [onWeb('in', "dst: 'fd00:2::/64'"), at('match.dst'), /receives nothing for fd00:2::\/64/, /turn/],
    [onWeb('out', 'src: 10.20.2.0/24'), at('match.src'), /network web sends nothing from 10\.20\.2\.0\/24/, /turn/],
    [onWeb('out', 'src: 224.0.0.0/4'), at('match.src'), /sends nothing from/, /turn/],
    [acl('port: web-1, ', 'in', 'dst: 10.20.1.12/32'), at('match.dst'), /port web-1 receives nothing for 10\.20\.1\.12\/32/, /meets port web-1/],
    [acl('port: web-1, ', 'in', 'dst: 10.99.0.0/24'), at('match.dst'), /port web-1 receives nothing/, /meets/],
    [acl('port: web-1, ', 'out', 'src: 10.99.0.0/24'), at('match.src'), /port web-1 sends nothing/, /meets/],
    [acl('port: web-2, ', 'out', "src: 'fd00:1::12/128'"), at('match.src'), /port web-2 sends nothing/, /meets/],
    [acl('network: db, ', 'in', 'proto: icmp6'), at('match.proto'), /network db receives no IPv6: it can never match/, /Give network db a subnet6/],
    [acl('network: db, ', 'out', "dst: 'fd00:1::/64'"), at('match.dst'), /network db sends no IPv6/, /subnet6/],
    [acl('network: db, ', 'in', 'proto: tcp, dport: 22'), at('priority'), /ACL no-ssh \(priority 100, drop\) decides all/, /above 100/],
    [acl('network: db, ', 'in', 'proto: 6, src: 10.0.0.0/8, dport: [22, 22]', 'priority: 99, action: allow'), at('priority'), /no-ssh/, /above 100/],
    [acl('port: db-1, ', 'in', 'proto: tcp, dport: 22', 'priority: 99, action: allow'), at('priority'), /no-ssh/, /above 100/],
    [acl('network: db, ', 'in', 'proto: tcp, dport: 22', 'priority: 100, action: allow'), at('priority'), /no-ssh/, /above 100/],
  ])
  accepted('acls', [
    onWeb('in', ''),
    onWeb('in', 'dst: 10.0.0.0/8'),
    onWeb('in', 'src: 192.0.2.0/24, dst: 10.20.1.11/32'),
    onWeb('in', 'dst: 224.0.0.251/32'),
    onWeb('in', 'dst: 10.99.0.7/32'),
    onWeb('in', "dst: 'ff02::1/128'"),
    onWeb('out', 'src: 10.99.0.0/28'),
    onWeb('out', "src: 'fe80::/10', proto: icmp6"),
    onWeb('out', 'src: 10.20.1.200/32, dst: 192.0.2.0/24'),
    onWeb('in', 'proto: 132, sport: [5, 5]'),
    acl('port: web-2, ', 'in', 'dst: 10.99.0.0/24'),
    acl('port: web-1, ', 'in', 'dst: 10.20.1.255/32'),
    acl('port: web-1, ', 'out', "src: 'fd00:1::11/128'"),
    acl('network: db, ', 'in', 'proto: tcp, dport: [22, 23]'),
    acl('network: db, ', 'in', 'proto: tcp, dport: 22', 'priority: 100, action: drop'),
    acl('network: db, ', 'in', 'dst: 10.20.2.0/24', 'priority: 50, action: allow'),
    acl('network: db, ', 'out', 'proto: tcp, dport: 22'),
    acl('network: web, ', 'in', 'proto: tcp, dport: 22'),
  ])

  test('the one below, where one is put above it', () => {
    const { text, line } = withAdded('acls', acl('network: db, ', 'in', 'proto: tcp', 'priority: 101, action: allow'))
    expect(problemsOf(text)).toMatchObject([
      { line: line - 1, path: 'acls.no-ssh.priority', message: 'ACL x (priority 101, allow) decides all that this one could: it can never match' },
    ])
  })
})

describe('documents are refused', () => {
  test('that name an object twice', () => {
    const { text, line } = withAdded('ports', '{name: web-1, network: db, ip: 10.20.2.40, host: h1, attach: {kind: netns}}')
    expect(problemsOf(text)).toEqual([
      { line, path: 'ports[4].name', message: 'There is another port web-1 in this document', remedy: 'Name each once.' },
    ])
  })

  test('the same name for different kinds is right', () => {
    expect(problemsOf(withAdded('ports', '{name: web, network: db, ip: 10.20.2.40, host: h1, attach: {kind: netns}}').text)).toEqual([])
  })

  test('with all problems at once, in the order of lines', () => {
    const { text, line } = withAdded(
      'ports',
      '{name: a, network: nowhere, ip: 10.20.1.99, host: h9, attach: {kind: netns}}',
      "{name: b, network: web, mac: '01:00:00:00:00:00', ip: 10.20.2.99, ip6: 'fd00:2::', allow: [10.0.0.1/8], host: h1, attach: {kind: netns}}",
    )
    expect(problemsOf(text.replace('subnet: 10.20.3.0/24', 'subnet: 10.20.3.9/24')).map(({ line, path }) => [line, path])).toEqual([
      [4, 'networks.lone.subnet'],
      [line, 'ports.a.network'],
      [line, 'ports.a.host'],
      [line + 1, 'ports.b.ip'],
      [line + 1, 'ports.b.ip6'],
      [line + 1, 'ports.b.allow[0]'],
      [line + 1, 'ports.b.mac'],
    ])
  })

  test('lines are those of fields where an object has several', () => {
    const text = 'networks:\n  - name: a\n    vpc: v\n    subnet: 10.0.0.0/24\n    gateway:\n      10.0.1.1\n'
    expect(problemsOf(text)).toMatchObject([{ line: 5, path: 'networks.a.gateway' }])
  })

  const current = plan(withAdded('ports').text)

  test('for what they do to objects that they do not name', () => {
    expect(problemsOf('networks:\n  - {name: web, vpc: shop, subnet: 10.50.1.0/24, gateway: 10.50.1.1}', current)).toEqual([
      expect.objectContaining({ line: null, path: 'ports.web-1.ip' }),
      expect.objectContaining({ line: null, path: 'ports.web-1.ip6' }),
      expect.objectContaining({ line: null, path: 'ports.web-2.ip' }),
    ])
  })

  test('for a VNI or MAC that another was assigned, at the one that they say it of', () => {
    const { vni } = current.networks.find(({ name }) => name === 'db')!
    const { mac } = current.ports.find(({ name }) => name === 'db-1')!
    const { text, line } = withAdded('networks', `{name: x, vpc: shop, vni: ${vni}, subnet: 10.1.0.0/24}`)
    expect(problemsOf(text, current)).toMatchObject([{ line, path: 'networks.x.vni', message: `VNI ${vni} is that of network db` }])
    // The order in the document does not count.
    const first = text
      .replace(/^ {2}- \{name: x.*\n/m, '')
      .replace('networks:\n', `networks:\n  - {name: x, vpc: shop, vni: ${vni}, subnet: 10.1.0.0/24}\n`)
    expect(problemsOf(first, current)).toMatchObject([{ line: 2, path: 'networks.x.vni' }])
    const ports = `ports:\n  - {name: x, network: web, mac: '${mac}', ip: 10.20.1.77, host: h1, attach: {kind: netns}}\n  - ${base.ports[2]}`
    expect(problemsOf(ports, current)).toMatchObject([
      { line: 2, path: 'ports.x.mac', message: `${mac} is in VPC shop already the address of port db-1` },
    ])
  })

  test('when what they need is deleted', () => {
    const [, ...others] = base.networks
    const text = ['networks:', ...others.map((line) => `  - ${line}`), 'ports:', `  - ${base.ports[0]}`, `  - ${base.ports[2]}`].join('\n')
    expect(problemsOf(text, current, true)).toEqual([
      {
        line: 8,
        path: 'ports.web-1.network',
        message: 'The network web is deleted by this plan',
        remedy: expect.stringMatching(/do not prune/) as string,
      },
    ])
    expect(problemsOf(text, current, false)).toEqual([])
  })

  test('that put a port on a host that is gone, but not for other ports that are there', () => {
    const gone =
      (text: string): (() => unknown) =>
      () =>
        planNetwork(current, parseDeclaration(text), { hosts: ['h2'], prune: false })
    expect(gone(`ports:\n  - ${base.ports[0]}`)).toThrow(/ports\.web-1\.host: There is no host h1/)
    expect(gone(`ports:\n  - ${base.ports[2]}`)).not.toThrow()
  })
})
