import { describe, expect, test } from 'vitest'
import { problemsOf, withAdded, type base } from './test-base.ts'

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

describe('routers are refused', () => {
  const at = (field: string): string => `routers.x.${field}`
  const routes = (text: string): string => `{name: x, vpc: post, networks: [free], routes: [${text}]}`
  refused('routers', [
    ['{name: x, vpc: shop, networks: [lonely]}', at('networks[0]'), /no network lonely/, /Write lone, or declare/],
    ['{name: x, vpc: shop, networks: [web]}', at('networks[0]'), /attached to router r-shop/, /one router/],
    ['{name: x, vpc: post, networks: [free, free]}', at('networks[1]'), /free is there twice/, /once/],
    ['{name: x, vpc: shop, networks: [free]}', at('networks[0]'), /in VPC post, but the router in VPC shop/, /peering/],
    ['{name: x, vpc: shop, networks: [lone]}', at('networks[0]'), /no gateway/, /Give network lone a gateway/],
    [routes('{to: 10.98.0.0/24, via: 10.30.2.11}'), at('routes[0].via'), /10\.30\.2\.11 is the address of no port or VIP/, /a port or VIP on free/],
    [routes('{to: 10.98.0.0/24, via: 10.30.2.1}'), at('routes[0].via'), /no port/, /a port or VIP on free/],
    [routes('{to: 10.98.0.0/24, via: 10.20.1.12}'), at('routes[0].via'), /no port or VIP on a network of router x/, /a port or VIP on free/],
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

  test('that have the same route to different places', () => {
    const text = `networks:
  - {name: a, vpc: a, subnet: 10.1.0.0/24, gateway: 10.1.0.1}
  - {name: b, vpc: b, subnet: 10.2.0.0/24, gateway: 10.2.0.1}
  - {name: c, vpc: c, subnet: 10.2.1.0/24, gateway: 10.2.1.1}
routers: [{name: a, vpc: a, networks: [a]}, {name: b, vpc: b, networks: [b]}, {name: c, vpc: c, networks: [c]}]
peerings:
  - {name: ab, routers: [a, b], routes: [{on: a, to: 10.2.0.0/16}]}
  - {name: ac, routers: [a, c], routes: [{on: a, to: 10.2.0.0/16}]}
`
    expect(problemsOf(text)).toMatchObject([
      { line: 8, path: 'peerings.ac.routes[0].to', message: 'Router a has 10.2.0.0/16 already, by peering ab' },
    ])
    expect(problemsOf(text.replace(/10\.2\.0\.0\/16\}\]\}\n$/, '10.2.0.0/15}]}\n'))).toEqual([])
  })

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
    onWeb('in', 'dst: 255.255.255.255/32'),
    onWeb('in', 'dst: 10.97.0.7/32'),
    acl('port: web-1, ', 'in', 'dst: 10.97.0.0/24'),
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
