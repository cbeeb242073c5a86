import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../errors.ts'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { sampleDeclarations } from './arbitrary.ts'
import { exportDeclaration } from './export.ts'
import { maxDeclarationBytes, parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'
import { maxProblems, type Problem } from './problems.ts'

function problemsOf(text: string): Problem[] {
  try {
    parseDeclaration(text)
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HoldfastError)
    expect(thrown).toMatchObject({ code: 'bad-input' })
    return (thrown as HoldfastError).data.problems as Problem[]
  }
  return []
}

describe('parsing a declaration', () => {
  test('all kinds, and where they stand', () => {
    const { lines, ...declaration } = parseDeclaration(`# comment
vpcs: [{name: spare}]
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24}
  - name: db
    vpc: shop
    subnet:
      10.20.2.0/24
    mtu: 9000
acls:
  - {name: all, port: a, direction: out, priority: 1, match: {proto: 47, sport: [1, 2]}, action: allow, stateful: false}
ports:
routers: ~
hosts: [{name: h1, roles: [gateway]}]
vips: [{name: v, network: web, ip: FD00::1, ports: [a], healthCheck: {command: ['true']}, priorities: {a: 0}}]
`)
    expect(declaration).toEqual({
      vpcs: [{ name: 'spare' }],
      networks: [
        { name: 'web', vpc: 'shop', subnet: '10.20.1.0/24' },
        { name: 'db', vpc: 'shop', subnet: '10.20.2.0/24', mtu: 9000 },
      ],
      routers: [],
      peerings: [],
      acls: [{ name: 'all', port: 'a', direction: 'out', priority: 1, match: { proto: 47, sport: [1, 2] }, action: 'allow', stateful: false }],
      ports: [],
      hosts: [{ name: 'h1', roles: ['gateway'] }],
      vips: [{ name: 'v', network: 'web', ip: 'FD00::1', ports: ['a'], healthCheck: { command: ['true'] }, priorities: { a: 0 } }],
    })
    expect(
      [...['vpcs[0].name', 'networks[0].vpc', 'networks[1]', 'networks[1].subnet', 'networks[1].mtu', 'acls[0].match.sport[1]']].map((path) =>
        lines!.get(path),
      ),
    ).toEqual([2, 4, 5, 7, 9, 11])
  })

  test.each(['', '# nothing', '{}', 'ports:', '---\n'])('%j declares nothing', (text) => {
    const { lines: _lines, ...declaration } = parseDeclaration(text)
    expect(declaration).toEqual({ vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], hosts: [], vips: [] })
  })

  const web = '{name: web, vpc: shop, subnet: 10.20.1.0/24'
  const port = '{name: a, network: web, ip: 10.20.1.11, host: h1, attach: '
  const acl = '{name: a, network: web, direction: in, priority: 1, action: drop'
  test.each<[text: string, line: number | null, path: string, message: RegExp, remedy: RegExp]>([
    // What is no document at all.
    ['a:\n  {', 2, '', /no YAML/, /objects as in/],
    ['a: b: c', 1, '', /no YAML/, /objects as in/],
    ['ports: !!binary aGk=', 1, '', /no YAML/, /objects as in/],
    ['networks: []\n---\nports: []', 2, '', /second document/, /one document/],
    ['? [a]\n: 1', 1, '', /no YAML/, /objects as in/],
    ['just text', 1, '', /"just text" is not right for the document/, /vpcs, networks/],
    ['[1]', 1, '', /not right for the document/, /vpcs, networks/],
    [`vpcs: &a []\nports: *a`, 2, 'ports', /\*a stands for/, /in full/],
    [`ports: []\nacls: []\nports: []`, 3, 'ports', /ports is said twice/, /once/],
    [`ports:\n  - {name: a,\n     name: b}`, 3, 'ports[0].name', /name is said twice/, /once/],
    ['['.repeat(10_000), 1, '', /./, /./],
    ['a: '.repeat(5) + '{a: '.repeat(10_000), 1, '', /./, /./],
    ['x'.repeat(maxDeclarationBytes + 1), null, '', /8388609 bytes/, /in parts/],
    ['ü'.repeat(maxDeclarationBytes / 2 + 1), null, '', /8388610 bytes/, /in parts/],
    // Keys.
    ['port: []', 1, 'port', /port is not known/, /Write ports\./],
    ['vlans: []', 1, 'vlans', /vlans is not known/, /Known keys are vpcs, networks/],
    [`networks:\n  - ${web}, gatway: 10.20.1.1}`, 2, 'networks.web.gatway', /not known/, /Write gateway\./],
    [`networks:\n  - ${web}, mtuBytes: 1400}`, 2, 'networks.web.mtuBytes', /not known/, /Known keys are .*mtu/],
    [`acls:\n  - ${acl}, match: {\n    prot: tcp}}`, 3, 'acls.a.match.prot', /not known/, /Write proto\./],
    [`acls:\n  - ${acl}, match: {}, number: 3}`, 2, 'acls.a.number', /not known/, /Known keys/],
    [`ports:\n  - ${port}{kind: netns}, number: 300}`, 2, 'ports.a.number', /not known/, /Known keys/],
    [`ports:\n  - ${port}{kind: vlan, nic: eth1, vlan: 1, vlans: 2}}`, 2, 'ports.a.attach.vlans', /not known/, /Write vlan\./],
    [
      `routers:\n  - {name: a, vpc: v, networks: [], routes: [{to: 10.0.0.0/8, vai: 10.0.0.1}]}`,
      2,
      'routers.a.routes[0].vai',
      /not known/,
      /Write via\./,
    ],
    [`networks:\n  - {name: web, vpc: shop}`, 2, 'networks.web.subnet', /subnet is missing/, /10\.20\.1\.0\/24/],
    [`ports:\n  - {\n    network: web}`, 2, 'ports[0].name', /name is missing/, /lower-case/],
    // Values.
    ['ports: {}', 1, 'ports', /\{\} is not right for ports/, /a list of ports/],
    ['ports: [web-1]', 1, 'ports[0]', /"web-1" is not right for ports/, /a list of ports/],
    ['vpcs:\n  - {name: Shop}', 2, 'vpcs[0].name', /"Shop"/, /lower-case/],
    ['vpcs:\n  - {name: 12}', 2, 'vpcs[0].name', /12 is not right for name/, /in quotes/],
    [`vpcs:\n  - {name: ${'x'.repeat(64)}}`, 2, 'vpcs[0].name', /…/, /63/],
    [`networks:\n  - {name: web, vpc: shop, subnet: 10.20.1.0}`, 2, 'networks.web.subnet', /"10\.20\.1\.0"/, /with its length/],
    [`networks:\n  - {name: web, vpc: shop, subnet: 'fd00::/64'}`, 2, 'networks.web.subnet', /"fd00::\/64"/, /IPv4/],
    [`networks:\n  - ${web}, subnet6: 10.0.0.0/8}`, 2, 'networks.web.subnet6', /"10\.0\.0\.0\/8"/, /IPv6/],
    [`networks:\n  - ${web}, gateway: 10.20.1.300}`, 2, 'networks.web.gateway', /"10\.20\.1\.300"/, /IPv4/],
    [`networks:\n  - ${web}, vni: 16777216}`, 2, 'networks.web.vni', /16777216/, /16777214/],
    // The VNI of the tunnels that watch the broadcast cluster.
    [`networks:\n  - ${web}, vni: 16777215}`, 2, 'networks.web.vni', /16777215/, /1 to 16777214/],
    [`networks:\n  - ${web}, vni: 1.5}`, 2, 'networks.web.vni', /1\.5/, /whole number/],
    [`networks:\n  - ${web}, mtu: 1279}`, 2, 'networks.web.mtu', /1279/, /1280 to 9000/],
    [`networks:\n  - ${web}, tunnel: geneve}`, 2, 'networks.web.tunnel', /"geneve"/, /vxlan or gre/],
    [`peerings:\n  - {name: p, routers: [a]}`, 2, 'peerings.p.routers', /\["a"\]/, /two routers/],
    [`acls:\n  - ${acl}, match: {proto: tpc}}`, 2, 'acls.a.match.proto', /"tpc"/, /tcp, udp/],
    [`acls:\n  - ${acl}, match: {proto: tcp, dport: 65536}}`, 2, 'acls.a.match.dport', /65536/, /range/],
    [`acls:\n  - ${acl}, match: {proto: tcp, dport: [1, 2, 3]}}`, 2, 'acls.a.match.dport', /\[1,2,3\]/, /range/],
    [
      `acls:\n  - {name: a, network: web, direction: ingress, priority: 1, match: {}, action: drop}`,
      2,
      'acls.a.direction',
      /"ingress"/,
      /towards the port/,
    ],
    [`acls:\n  - {name: a, network: web, direction: in, priority: 10001, match: {}, action: drop}`, 2, 'acls.a.priority', /10001/, /10000/],
    [`acls:\n  - {name: a, network: web, direction: in, priority: 1, match: {}, action: deny}`, 2, 'acls.a.action', /"deny"/, /allow or drop/],
    [`acls:\n  - ${acl}}`, 2, 'acls.a.match', /match is missing/, /\{\} for all/],
    [`acls:\n  - ${acl}, match: {}, log: yes}`, 2, 'acls.a.log', /"yes"/, /true or false/],
    [`ports:\n  - ${port}netns}`, 2, 'ports.a.attach', /"netns"/, /\{kind: netns\}/],
    [`ports:\n  - ${port}{kind: tap}}`, 2, 'ports.a.attach.kind', /"tap"/, /netns, vm, vlan or remote/],
    [`ports:\n  - ${port}{kind: vlan, nic: --help, vlan: 1}}`, 2, 'ports.a.attach.nic', /"--help"/, /eth1/],
    [`ports:\n  - ${port}{kind: netns}, mac: 0e-00-00-00-00-01}`, 2, 'ports.a.mac', /0e-00/, /MAC/],
    [`ports:\n  - ${port}{kind: netns}, allow: [10.0.0.0/33]}`, 2, 'ports.a.allow[0]', /10\.0\.0\.0\/33/, /networks/],
  ])('refusal %#', (text, line, path, message, remedy) => {
    const [problem] = problemsOf(text)
    expect(problem).toEqual({ line, path, message: expect.stringMatching(message) as string, remedy: expect.stringMatching(remedy) as string })
  })

  const vip = '{name: v, network: web, ip: 10.20.1.100, ports: [web-1]'
  const noTunnelEnd = 'Write where the tunnels of a host without an agent end, such as {ip: 10.7.2.50, mac: 02:00:00:00:00:50}.'
  const checks = 'Write one of {tcp: 3306}, {http: /health, port: 8080} and {command: [pg_isready, -q]}.'
  test.each<[text: string, path: string, message: string, remedy: string]>([
    [
      `networks:\n  - ${web}, broadcast: all}`,
      'networks.web.broadcast',
      '"all" is not right for broadcast',
      'Write source, cluster or cluster+garp.',
    ],
    [
      'ports:\n  - {name: a, network: web, ip: 10.20.1.11, attach: {kind: netns}}',
      'ports.a.host',
      'host is missing',
      'Write the name of a host; only a port in a VLAN may leave it out, to have a gateway chosen.',
    ],
    [
      'hosts:\n  - {name: h1, roles: [storage]}',
      'hosts.h1.roles[0]',
      '"storage" is not right for roles',
      'Write a list of roles: broadcast, gateway.',
    ],
    ['hosts:\n  - {name: h1, role: [gateway]}', 'hosts.h1.role', 'role is not known here', 'Write roles.'],
    ['hosts:\n  - {name: h1, tunnelEnd: 10.7.2.50}', 'hosts.h1.tunnelEnd', '"10.7.2.50" is not right for tunnelEnd', noTunnelEnd],
    [
      'hosts:\n  - {name: h1, tunnelEnd: {ip: 10.7.2.50}}',
      'hosts.h1.tunnelEnd.mac',
      'mac is missing',
      'Write the MAC address that answers there, such as 02:00:00:00:00:50.',
    ],
    [`vips:\n  - {name: v, network: web, ports: [a]}`, 'vips.v.ip', 'ip is missing', 'Write an address such as 10.20.1.11 or fd00:20:1::11.'],
    [
      `vips:\n  - {name: v, network: web, ip: 10.20.1.100, ports: web-1}`,
      'vips.v.ports',
      '"web-1" is not right for ports',
      'Write a list of the names of its ports such as [web-1, web-2].',
    ],
    [`vips:\n  - ${vip}, healthCheck: {tpc: 80}}`, 'vips.v.healthCheck', '{"tpc":80} is not right for healthCheck', checks],
    [`vips:\n  - ${vip}, healthCheck: {}}`, 'vips.v.healthCheck', '{} is not right for healthCheck', checks],
    [`vips:\n  - ${vip}, healthCheck: {tcp: 0}}`, 'vips.v.healthCheck.tcp', '0 is not right for tcp', 'Write a whole number from 1 to 65535.'],
    [
      `vips:\n  - ${vip}, healthCheck: {http: health}}`,
      'vips.v.healthCheck.http',
      '"health" is not right for http',
      'Write the path to ask for, such as /health.',
    ],
    [
      `vips:\n  - ${vip}, healthCheck: {http: "/a b"}}`,
      'vips.v.healthCheck.http',
      '"/a b" is not right for http',
      'Write the path to ask for, such as /health.',
    ],
    [
      `vips:\n  - ${vip}, healthCheck: {http: /, port: 65536}}`,
      'vips.v.healthCheck.port',
      '65536 is not right for port',
      'Write a whole number from 1 to 65535.',
    ],
    [`vips:\n  - ${vip}, healthCheck: {http: /, prot: 80}}`, 'vips.v.healthCheck.prot', 'prot is not known here', 'Write port.'],
    [
      `vips:\n  - ${vip}, healthCheck: {command: []}}`,
      'vips.v.healthCheck.command',
      '[] is not right for command',
      'Write a program and its arguments, such as [pg_isready, -q].',
    ],
    [`vips:\n  - ${vip}, priorities: {host: 256}}`, 'vips.v.priorities.host', '256 is not right for host', 'Write a whole number from 0 to 255.'],
    [
      `vips:\n  - ${vip}, priorities: [100]}`,
      'vips.v.priorities',
      '[100] is not right for priorities',
      'Write a map of ports to whole numbers from 0 to 255, such as {web-1: 100}.',
    ],
  ])('%s', (text, path, message, remedy) => {
    expect(problemsOf(text)).toEqual([{ line: 2, path, message, remedy }])
  })

  test('a port without a host has that told with all else that is wrong with it', () => {
    const problems = problemsOf('ports:\n  - {name: a, network: 1, ip: x, attach: {kind: remote}}')
    expect(problems.map(({ path }) => path).sort()).toEqual(['ports.a.host', 'ports.a.ip', 'ports.a.network'])
  })

  test('tells all problems at once, in the order of lines, the first of them in its message', () => {
    const text = `ports:\n  - {name: a, network: 1, ip: x, host: h1, attach: {kind: netns}}\nnetworks:\n  - {nam: web}\n`
    const problems = problemsOf(text)
    expect(problems.map(({ line, path }) => `${line} ${path}`).sort()).toEqual(
      ['2 ports.a.ip', '2 ports.a.network', '4 networks[0].nam', '4 networks[0].name', '4 networks[0].subnet', '4 networks[0].vpc'].sort(),
    )
    expect(problems.map(({ line }) => line)).toEqual([2, 2, 4, 4, 4, 4])
    expect(() => parseDeclaration(text)).toThrow(/^The declaration was refused for 6 reasons, first: line 2, ports\.a\.network: /)
    expect(() => parseDeclaration('vlans: []')).toThrow(/^The declaration was refused: line 1, vlans: vlans is not known here$/)
  })

  test('counts more problems than it tells', () => {
    const text = Array.from({ length: maxProblems + 1 }, (_, index) => `k${index}: 1\n`).join('')
    expect(problemsOf(text)).toHaveLength(maxProblems)
    expect(() => parseDeclaration(text)).toThrow(/refused for 1001 reasons, first: line 1, k0/)
  })

  test('whatever the text, it is a declaration or refused as one', () => {
    const good = sampleDeclarations(3, 20).map((declaration) =>
      exportDeclaration(planNetwork(emptyVirtualNetwork, declaration, { hosts: ['h1', 'h2', 'h3'], prune: false }).next),
    )
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ', ',
      '- ',
      '\n',
      '  ',
      '&a',
      '*a',
      '!!set',
      '"',
      "'",
      '|',
      '>',
      '#',
      '%YAML 1.1\n---\n',
      '<<',
      'null',
      '0',
      '::/0',
      '\u0000',
      '__proto__',
    )
    const damaged = fc
      .tuple(
        fc.constantFrom(...good),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 5 }), fc.oneof(token, fc.string({ maxLength: 3 }))), { minLength: 1, maxLength: 4 }),
      )
      .map(([text, cuts]) =>
        cuts.reduce((rest, [at, length, by]) => rest.slice(0, at % rest.length) + by + rest.slice((at % rest.length) + length), text),
      )
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.array(token).map((tokens) => tokens.join('')),
      damaged,
      fc.json(),
    )
    fc.assert(
      fc.property(texts, fc.boolean(), (text, prune) => {
        try {
          planNetwork(emptyVirtualNetwork, parseDeclaration(text), { hosts: ['h1', 'h2'], prune })
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(HoldfastError)
          expect(thrown).toMatchObject({ code: 'bad-input' })
          const { problems } = (thrown as HoldfastError).data as { problems: Problem[] }
          expect(problems.length).toBeGreaterThan(0)
          const count = text.split('\n').length
          for (const { line, message, remedy } of problems) {
            if (line !== null) expect(line).toSatisfy((number: number) => number >= 1 && number <= count + 1)
            expect(message).not.toMatch(/undefined|\[object/)
            expect(remedy).not.toMatch(/^$|undefined/)
          }
        }
      }),
      { numRuns: 150 },
    )
  }, 60_000)
})
