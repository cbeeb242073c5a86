import { describe, expect, test } from 'vitest'
import { parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'
import { base, plan, problemsOf, withAdded } from './test-base.ts'

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
      '{name: x, vpc: v, subnet: 10.1.0.0/24}',
      '{name: y, vpc: v, subnet: 10.1.0.0/16}',
      '{name: z, vpc: v, subnet: 10.1.3.0/24}',
    )
    expect(problemsOf(text).map(({ line, path, message }) => [line, path, message.replace(/, in.*/, '')])).toEqual([
      [line + 1, 'networks.y.subnet', '10.1.0.0/16 overlaps 10.1.0.0/24 of network x'],
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
  ])
  accepted('ports', [
    port("network: twin, ip: 10.20.1.13, mac: '0e:00:00:00:00:01', host: h1"),
    port("network: web, ip: 10.20.1.254, ip6: 'fd00:1::ffff:ffff:ffff:ffff', host: h1"),
  ])
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
      expect.objectContaining({ line: null, path: 'vips.web-vip.ip' }),
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
