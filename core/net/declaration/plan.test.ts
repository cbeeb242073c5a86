import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork, virtualNetworkSchema, type VirtualNetwork } from '../../model/network.ts'
import { arbitraryDeclaration } from './arbitrary.ts'
import { macOf } from './numbers.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork, type NetworkPlan } from './plan.ts'
import { networkKinds, type Declaration } from './schema.ts'

const hosts = ['h1', 'h2', 'h3']
const nothing: Declaration = { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], hosts: [], vips: [] }

function plan(text: string, current: VirtualNetwork = emptyVirtualNetwork, prune = false): NetworkPlan {
  return planNetwork(current, parseDeclaration(text), { hosts, prune })
}

const example = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db,  vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: db-1,  network: db,  ip: 10.20.2.11, host: h2, attach: {kind: netns}}
`

describe('planning a network', () => {
  test('what an administrator writes, with what is assigned and what goes without saying', () => {
    const { next, changes } = plan(example)
    const mac = (kind: 'port' | 'router', name: string): string => macOf(kind, name, new Set())
    expect(next).toEqual({
      vpcs: [{ name: 'shop' }],
      networks: [
        {
          name: 'db',
          vpc: 'shop',
          vni: 4096,
          subnet: '10.20.2.0/24',
          gateway: '10.20.2.1',
          tunnel: 'vxlan',
          broadcast: 'cluster+garp',
          mtuBytes: 1450,
        },
        {
          name: 'web',
          vpc: 'shop',
          vni: 4097,
          subnet: '10.20.1.0/24',
          gateway: '10.20.1.1',
          tunnel: 'vxlan',
          broadcast: 'cluster+garp',
          mtuBytes: 1450,
        },
      ],
      routers: [{ name: 'shop', vpc: 'shop', networks: ['db', 'web'], routes: [], number: 1, mac: mac('router', 'shop') }],
      peerings: [],
      acls: [
        {
          name: 'no-ssh',
          network: 'db',
          direction: 'in',
          priority: 100,
          match: { proto: 'tcp', dport: 22 },
          action: 'drop',
          stateful: true,
          log: false,
        },
      ],
      ports: [
        { name: 'db-1', network: 'db', mac: mac('port', 'db-1'), ip: '10.20.2.11', allow: [], host: 'h2', attach: { kind: 'netns' }, number: 256 },
        { name: 'web-1', network: 'web', mac: mac('port', 'web-1'), ip: '10.20.1.11', allow: [], host: 'h1', attach: { kind: 'netns' }, number: 257 },
      ],
      hosts: [],
      vips: [],
      last: { vni: 4097, router: 1, port: 257, broadcastEpoch: 0 },
    })
    expect(changes).toEqual(
      [
        ['vpc', 'shop'],
        ['network', 'db'],
        ['network', 'web'],
        ['router', 'shop'],
        ['acl', 'no-ssh'],
        ['port', 'db-1'],
        ['port', 'web-1'],
      ].map(([kind, name]) => ({ change: 'add', kind, name, fields: [] })),
    )
    expect(plan(example, next)).toEqual({ next, changes: [] })
    expect(plan(example, next, true)).toEqual({ next, changes: [] })
  })

  const { next: current } = plan(example)

  test('changes are told by field, what is not named stays, what is left out goes back to its default', () => {
    const change = 'ports:\n  - {name: web-1, network: web, ip: 10.20.1.12, host: h3, allow: [10.9.0.0/16], attach: {kind: vm, vm: a}}'
    const first = plan(change, current)
    expect(first.changes).toEqual([
      {
        change: 'change',
        kind: 'port',
        name: 'web-1',
        fields: [
          { field: 'ip', before: '10.20.1.11', after: '10.20.1.12' },
          { field: 'allow', before: [], after: ['10.9.0.0/16'] },
          { field: 'host', before: 'h1', after: 'h3' },
          { field: 'attach', before: { kind: 'netns' }, after: { kind: 'vm', vm: 'a' } },
        ],
      },
    ])
    expect(first.next).toEqual({
      ...current,
      ports: [current.ports[0], { ...current.ports[1], ip: '10.20.1.12', host: 'h3', allow: ['10.9.0.0/16'], attach: { kind: 'vm', vm: 'a' } }],
    })

    const wide = plan(
      "networks:\n  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: 'fd00::/64', mtu: 9000, tunnel: gre}",
      current,
    )
    expect(wide.changes).toMatchObject([
      {
        name: 'web',
        fields: [
          { field: 'subnet6', before: null, after: 'fd00::/64' },
          { field: 'tunnel', before: 'vxlan', after: 'gre' },
          { field: 'mtu', before: 1450, after: 9000 },
        ],
      },
    ])
    expect(plan(example, wide.next).next).toEqual(current)
  })

  test('assigned VNIs, MACs and numbers stay whatever changes; declared ones are taken', () => {
    const moved = plan('ports: [{name: web-1, network: db, ip: 10.20.2.99, host: h3, attach: {kind: netns}}]', current).next.ports[1]!
    expect(moved).toMatchObject({ mac: current.ports[1]!.mac, number: current.ports[1]!.number })
    const { next, changes } = plan(
      `networks:\n  - {name: web, vpc: shop, vni: 99, subnet: 10.20.1.0/24, gateway: 10.20.1.1}\nports:\n  - {name: web-1, network: web, mac: '02:00:00:00:00:AB', ip: 10.20.1.11, host: h1, attach: {kind: netns}}`,
      current,
    )
    expect(changes.map(({ name, fields }) => [name, fields])).toEqual([
      ['web', [{ field: 'vni', before: 4097, after: 99 }]],
      ['web-1', [{ field: 'mac', before: current.ports[1]!.mac, after: '02:00:00:00:00:ab' }]],
    ])
    expect(next.last).toEqual(current.last)
    expect(plan(example, next).changes).toEqual([])
  })

  test('two networks may change their VNIs', () => {
    const swapped = example.replace('{name: web,', '{name: web, vni: 4096,').replace('{name: db, ', '{name: db, vni: 4097,')
    expect(plan(swapped, current).next.networks.map(({ vni }) => vni)).toEqual([4097, 4096])
  })

  test('only pruning deletes, and numbers of what is gone are not given again', () => {
    const without = example.replace(/.*web-1.*\n/, '')
    expect(plan(without, current)).toEqual({ next: current, changes: [] })
    const pruned = plan(without, current, true)
    expect(pruned.changes).toEqual([{ change: 'delete', kind: 'port', name: 'web-1', fields: [] }])
    expect(plan(example, pruned.next).next.ports).toMatchObject([{ number: 256 }, { name: 'web-1', number: 258, mac: current.ports[1]!.mac }])
    expect(plan('', current).changes).toEqual([])
    expect(plan('', current, true)).toMatchObject({
      next: { ...emptyVirtualNetwork, last: current.last },
      changes: Array.from({ length: 7 }, () => ({ change: 'delete' })),
    })
  })

  test('after the last number comes the first that is free', () => {
    const worn = { ...current, last: { vni: 0xff_fffe, router: 0xffff, port: 65_000, broadcastEpoch: 0 } }
    const { next } = plan(
      'networks: [{name: x, vpc: y, subnet: 10.0.0.0/8}]\nrouters: [{name: x, vpc: y, networks: []}]\nports: [{name: x, network: x, ip: 10.1.2.3, host: h1, attach: {kind: netns}}]',
      worn,
    )
    expect(next.last).toEqual({ vni: 4098, router: 2, port: 258, broadcastEpoch: 0 })
  })

  test('an assigned VNI or MAC is nobody else’s', () => {
    const mac = macOf('port', 'b', new Set())
    const { next } = plan(`
networks:
  - {name: b, vpc: v, subnet: 10.0.1.0/24}
  - {name: a, vpc: v, vni: 4096, subnet: 10.0.2.0/24}
ports:
  - {name: b, network: b, ip: 10.0.1.2, host: h1, attach: {kind: netns}}
  - {name: a, network: a, mac: '${mac}', ip: 10.0.2.2, host: h1, attach: {kind: netns}}
`)
    expect(next.networks.map(({ vni }) => vni)).toEqual([4096, 4097])
    expect(next.ports.map((port) => port.mac)).toEqual([mac, macOf('port', 'b', new Set([mac]))])
  })

  test('of two names with the same MAC the first gets it, in whatever order they are declared', () => {
    const ports = ['port-1110110', 'port-916955'].map(
      (name, index) => `{name: ${name}, network: n, ip: 10.0.0.${index + 1}, host: h1, attach: {kind: netns}}`,
    )
    const macs = [ports, ports.toReversed()].map((order) =>
      plan(`networks: [{name: n, vpc: v, subnet: 10.0.0.0/24}]\nports: [${order.join(', ')}]`).next.ports.map((port) => port.mac),
    )
    expect(macs[0]![0]).toBe(macOf('port', 'port-916955', new Set()))
    expect(macs[0]![1]).not.toBe(macs[0]![0])
    expect(macs[1]).toEqual(macs[0])
  })

  test('VPCs are there by being named, and stay until they are pruned', () => {
    const { next } = plan('vpcs: [{name: spare}]\nrouters: [{name: r, vpc: routed, networks: []}]', current)
    expect(next.vpcs).toEqual([{ name: 'routed' }, { name: 'shop' }, { name: 'spare' }])
    expect(plan('', next).changes).toEqual([])
    expect(plan('vpcs: [{name: spare}]', next, true).next.vpcs).toEqual([{ name: 'spare' }])
  })

  test('addresses and orders are canonical: however it is written, it is the same', () => {
    const text = (flip: boolean): string => {
      const order = <T>(...items: T[]): T[] => (flip ? items.reverse() : items)
      const [subnet6, gateway6, mac] = flip
        ? ['FD00:0:0::/64', 'fd00:0:0:0:0:0:0:1', '02:AA:00:00:00:01']
        : ['fd00::/64', 'fd00::1', '02:aa:00:00:00:01']
      return `
networks:
  - {name: n, vpc: a, subnet: 10.0.1.0/24, gateway: 10.0.1.1, subnet6: '${subnet6}', gateway6: '${gateway6}'}
  - {name: o, vpc: a, subnet: 10.0.2.0/24, gateway: 10.0.2.1}
  - {name: p, vpc: b, subnet: 10.0.3.0/24, gateway: 10.0.3.1}
routers:
  - {name: a, vpc: a, networks: [${order('n', 'o').join(', ')}], routes: [${order('{to: 10.9.0.0/16, via: 10.0.1.2}', `{to: '${flip ? '0::0/0' : '::/0'}', via: '${flip ? 'FD00::0:2' : 'fd00::2'}'}`).join(', ')}]}
  - {name: b, vpc: b, networks: [p]}
peerings:
  - {name: ab, routers: [${order('a', 'b').join(', ')}], routes: [${order('{on: a, to: 10.0.3.0/24}', '{on: b, to: 10.0.1.0/24}').join(', ')}]}
acls:
  - {name: acl, network: n, direction: in, priority: 1, action: drop, match: {src: '${flip ? 'FD00:1::/64' : 'fd00:1::/64'}'}}
ports:
  - {name: g, network: n, mac: '${mac}', ip: 10.0.1.2, ip6: '${flip ? 'fd00:0::0002' : 'fd00::2'}', allow: [${order('10.9.0.0/16', `'${subnet6}'`).join(', ')}], host: h1, attach: {kind: netns}}
`
    }
    const { next } = plan(text(false))
    expect(JSON.stringify(plan(text(true)).next)).toBe(JSON.stringify(next))
    expect(plan(text(true), next).changes).toEqual([])
    expect(JSON.stringify(next)).not.toMatch(/[A-F]{2}|FD/)
  })

  test('more ports than there are numbers for are refused', () => {
    const ports = Array.from({ length: 64_746 }, (_, index): Declaration['ports'][number] => ({
      name: `p${index}`,
      network: 'n',
      ip: '10.0.0.1',
      host: 'h1',
      attach: { kind: 'netns' },
    }))
    const declaration: Declaration = { ...nothing, ports }
    expect(() => planNetwork(emptyVirtualNetwork, declaration, { hosts, prune: false })).toThrow(
      /ports: There would be 64746 ports, and there are numbers for 64745/,
    )
  })
})

test('planning takes time in proportion to the number of ports', () => {
  const declarationOf = (count: number): Declaration => {
    const networks = Array.from({ length: count / 50 }, (_, index) => ({
      name: `n${index}`,
      vpc: `v${index % 5}`,
      subnet: `10.${index >> 8}.${index & 255}.0/24`,
    }))
    const ports = Array.from({ length: count }, (_, index): Declaration['ports'][number] => {
      const network = networks[index % networks.length]!
      return {
        name: `p${index}`,
        network: network.name,
        ip: network.subnet.replace('0/24', `${10 + Math.floor(index / networks.length)}`),
        host: `h${1 + (index % 3)}`,
        attach: { kind: 'netns' },
      }
    })
    const acls = ports.map(({ name }): Declaration['acls'][number] => ({
      name,
      port: name,
      direction: 'in',
      priority: 1,
      match: { proto: 'tcp', dport: 22 },
      action: 'drop',
    }))
    return { ...nothing, networks, acls, ports }
  }
  const [few, many] = [declarationOf(500), declarationOf(8000)]
  const cpuMsOf = (declaration: Declaration): number => {
    const before = process.threadCpuUsage().user
    planNetwork(emptyVirtualNetwork, declaration, { hosts, prune: false })
    return (process.threadCpuUsage().user - before) / 1000
  }
  const rounds = Array.from({ length: 3 }, () => [cpuMsOf(few), cpuMsOf(many)] as const)
  const [fewMs, manyMs] = [0, 1].map((which) => Math.min(...rounds.map((round) => round[which]!))) as [number, number]
  // 16 times as many; were it quadratic, it would take 256 times as long.
  expect(manyMs / fewMs).toBeLessThan(80)
}, 60_000)

describe('whatever is declared', () => {
  const apply = (current: VirtualNetwork, declaration: Declaration, prune: boolean): NetworkPlan =>
    planNetwork(current, declaration, { hosts, prune })

  test('the network is one of the model, and declared again it stays as it is', () => {
    fc.assert(
      fc.property(arbitraryDeclaration(), (declaration) => {
        const { next, changes } = apply(emptyVirtualNetwork, declaration, false)
        expect(virtualNetworkSchema.parse(next)).toEqual(next)
        expect(changes.length).toBe(networkKinds.reduce((sum, kind) => sum + next[`${kind}s`].length, 0))
        for (const prune of [true, false]) {
          const again = apply(next, declaration, prune)
          expect(again.changes).toEqual([])
          expect(JSON.stringify(again.next)).toBe(JSON.stringify(next))
        }
      }),
      { numRuns: 80 },
    )
  }, 60_000)

  test('the order of a document means nothing', () => {
    const reversed = (declaration: Declaration): Declaration =>
      Object.fromEntries(
        Object.entries(declaration).map(([kind, objects]: [string, unknown[]]) => [kind, objects.toReversed()]),
      ) as unknown as Declaration
    fc.assert(
      fc.property(arbitraryDeclaration(), (declaration) => {
        const [one, other] = [declaration, reversed(declaration)].map((each) => JSON.stringify(apply(emptyVirtualNetwork, each, false).next))
        expect(other).toBe(one)
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  /** What one declares can be what the other was assigned, and is refused then. */
  const unassigned = arbitraryDeclaration().map((declaration) => ({
    ...declaration,
    networks: declaration.networks.map(({ vni: _vni, ...network }) => network),
    routers: declaration.routers.map(({ mac: _mac, ...router }) => router),
    ports: declaration.ports.map(({ mac: _mac, ...port }) => port),
  }))

  test('from one network to another and back, by its changes alone, with no number used twice', () => {
    fc.assert(
      fc.property(unassigned, unassigned, (first, second) => {
        const a = apply(emptyVirtualNetwork, first, false).next
        const { next: b, changes } = apply(a, second, true)
        for (const kind of networkKinds) {
          const [before, after] = [a, b].map((network) => new Map<string, unknown>(network[`${kind}s`].map((object) => [object.name, object]))) as [
            Map<string, unknown>,
            Map<string, unknown>,
          ]
          const told = new Map(changes.filter((change) => change.kind === kind).map(({ name, change }) => [name, change]))
          for (const name of new Set([...before.keys(), ...after.keys()])) {
            const same = JSON.stringify(before.get(name)) === JSON.stringify(after.get(name))
            expect(told.get(name)).toBe(same ? undefined : !before.has(name) ? 'add' : !after.has(name) ? 'delete' : 'change')
          }
        }
        const numberOf = new Map(a.ports.map(({ name, number }) => [number, name]))
        for (const { name, number } of b.ports) expect(numberOf.get(number) ?? name).toBe(name)

        const c = apply(b, first, true).next
        const assigned = (network: VirtualNetwork): unknown => ({
          ...network,
          last: null,
          networks: network.networks.map((each) => ({ ...each, vni: null })),
          routers: network.routers.map((each) => ({ ...each, number: null, mac: null })),
          ports: network.ports.map((each) => ({ ...each, number: null, mac: null, ...(each.attach.kind === 'vlan' && { host: null }) })),
        })
        expect(assigned(c)).toEqual(assigned(a))
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
