import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork, type NetworkPlan } from './plan.ts'

const hosts = ['h1', 'h2', 'h3']

function plan(text: string, current: VirtualNetwork = emptyVirtualNetwork, prune = false): NetworkPlan {
  return planNetwork(current, parseDeclaration(text), { hosts, prune })
}

const network = 'networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24}]\n'
const gateways = (...names: string[]): string => `hosts: [${names.map((name) => `{name: ${name}, roles: [gateway]}`).join(', ')}]\n`
const physical = (name: string, vlan: number, host?: string): string =>
  `  - {name: ${name}, network: web, ip: 10.20.1.${10 + Number(name.slice(1))}, ${host === undefined ? '' : `host: ${host}, `}attach: {kind: vlan, nic: tenant, vlan: ${vlan}}}\n`
const placesOf = ({ next }: NetworkPlan): Record<string, string> => Object.fromEntries(next.ports.map(({ name, host }) => [name, host]))

describe('the gateway of a port in a VLAN', () => {
  const many = Array.from({ length: 60 }, (_, index) => physical(`p${index}`, 100 + Math.floor(index / 2))).join('')

  test('is chosen, the same for all ports of the VLAN, and each has its share', () => {
    const places = placesOf(plan(`${network}${gateways('h1', 'h2', 'h3')}ports:\n${many}`))
    for (let index = 0; index < 60; index += 2) expect(places[`p${index}`]).toBe(places[`p${index + 1}`])
    const shares = hosts.map((host) => Object.values(places).filter((place) => place === host).length)
    expect(Math.min(...shares)).toBeGreaterThan(8)
    // Whatever the order of the document.
    expect(placesOf(plan(`ports:\n${many}${gateways('h3', 'h1', 'h2')}${network}`))).toEqual(places)
  })

  test('stays when gateways come; when one goes, only what was there moves, and that is told', () => {
    const before = plan(`${network}${gateways('h1', 'h2')}ports:\n${many}`)
    expect(plan(gateways('h3'), before.next).changes).toMatchObject([{ change: 'add', kind: 'host', name: 'h3' }])
    const again = plan(`${network}${gateways('h1', 'h2', 'h3')}ports:\n${many}`, before.next, true)
    expect(placesOf(again)).toEqual(placesOf(before))
    const without = plan('hosts: [{name: h1}]', before.next)
    const moved = without.changes.filter(({ kind }) => kind === 'port')
    expect(moved.map(({ name }) => name)).toEqual(before.next.ports.filter(({ host }) => host === 'h1').map(({ name }) => name))
    expect(moved[0]!.fields).toEqual([{ field: 'host', before: 'h1', after: 'h2' }])
    // And it comes back to nobody by itself.
    expect(placesOf(plan(gateways('h1'), without.next))).toEqual(placesOf(without))
  })

  test('is the declared one, for all ports of the VLAN', () => {
    const before = plan(`${network}${gateways('h1', 'h2')}ports:\n${physical('p1', 7, 'h1')}${physical('p2', 7)}${physical('p3', 8, 'h1')}`)
    expect(placesOf(before)).toEqual({ p1: 'h1', p2: 'h1', p3: 'h1' })
    const moved = plan(`ports:\n${physical('p2', 7, 'h2')}`, before.next)
    expect(placesOf(moved)).toEqual({ p1: 'h2', p2: 'h2', p3: 'h1' })
    expect(placesOf(plan(`ports:\n${physical('p2', 7)}${physical('p1', 7)}`, moved.next))).toEqual(placesOf(moved))
  })
})

test('the epoch of the broadcast cluster rises by one with every change of its declared nodes, and with nothing else', () => {
  let current = emptyVirtualNetwork
  const epochAfter = (text: string, prune = false): number => {
    current = plan(text, current, prune).next
    return current.last.broadcastEpoch
  }
  expect(epochAfter(network)).toBe(0)
  expect(epochAfter('hosts: [{name: h1, roles: [broadcast]}, {name: h2, roles: [gateway, broadcast]}]')).toBe(1)
  expect(epochAfter('hosts: [{name: h2, roles: [broadcast]}, {name: h1, roles: [broadcast]}]')).toBe(1)
  expect(epochAfter('hosts: [{name: h3, roles: [gateway]}]')).toBe(1)
  expect(epochAfter('hosts: [{name: h2}, {name: h3, roles: [broadcast]}]')).toBe(2)
  expect(epochAfter(network, true)).toBe(3)
  expect(epochAfter('')).toBe(3)
})

test('roles, modes and VIPs are stored in one order, and what changes of them is told by field', () => {
  const text = `networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, subnet6: 'fd00::/64'}
ports:
  - {name: a, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: b, network: web, ip: 10.20.1.12, host: legacy, attach: {kind: remote}}
hosts:
  - {name: legacy, tunnelEnd: {ip: 10.7.2.50, mac: '02:00:00:00:00:AB'}}
  - {name: h1, roles: [gateway, broadcast]}
vips:
  - {name: v, network: web, ip: 'FD00::0:9', ports: [b, a], healthCheck: {tcp: 80}, priorities: {b: 1, a: 2}}
`
  const { next } = plan(text)
  expect(next.hosts).toEqual([
    { name: 'h1', roles: ['broadcast', 'gateway'] },
    { name: 'legacy', roles: [], tunnelEnd: { ip: '10.7.2.50', mac: '02:00:00:00:00:ab' } },
  ])
  expect(next.vips).toEqual([{ name: 'v', network: 'web', ip: 'fd00::9', ports: ['b', 'a'], healthCheck: { tcp: 80 }, priorities: { a: 2, b: 1 } }])
  expect(JSON.stringify(next.vips)).toMatch(/"priorities":\{"a":2,"b":1\}/)
  expect(next.networks[0]!.broadcast).toBe('cluster+garp')
  const changed = text
    .replace("'fd00::/64'}", "'fd00::/64', broadcast: cluster}")
    .replace('10.7.2.50', '10.7.2.51')
    .replace('[gateway, broadcast]', '[gateway]')
    .replace('[b, a], healthCheck: {tcp: 80}, priorities: {b: 1, a: 2}', '[a, b]')
  expect(plan(changed, next).changes).toEqual([
    { change: 'change', kind: 'network', name: 'web', fields: [{ field: 'broadcast', before: 'cluster+garp', after: 'cluster' }] },
    { change: 'change', kind: 'host', name: 'h1', fields: [{ field: 'roles', before: ['broadcast', 'gateway'], after: ['gateway'] }] },
    {
      change: 'change',
      kind: 'host',
      name: 'legacy',
      fields: [
        {
          field: 'tunnelEnd',
          before: { ip: '10.7.2.50', mac: '02:00:00:00:00:ab' },
          after: { ip: '10.7.2.51', mac: '02:00:00:00:00:ab' },
        },
      ],
    },
    {
      change: 'change',
      kind: 'vip',
      name: 'v',
      fields: [
        { field: 'ports', before: ['b', 'a'], after: ['a', 'b'] },
        { field: 'healthCheck', before: { tcp: 80 }, after: null },
        { field: 'priorities', before: { a: 2, b: 1 }, after: null },
      ],
    },
  ])
})
