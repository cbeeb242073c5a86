import { expect, it } from 'vitest'
import { buildWorld } from './build-world.ts'
import { shop, testWorld } from './test-world.ts'

it('compiles again only where the network or the hosts’ tunnel ends are others', () => {
  const { network } = testWorld(shop).index.input
  const host = (name: string, ip: string) =>
    ({ kind: 'host', id: name, atMs: 0, doc: { name, addresses: { mgmt: ip, tenant: ip }, role: 'voter', joinedAtMs: 0 } }) as const
  const entities = [host('h1', '10.83.5.11'), host('h2', '10.83.5.12')]
  const first = buildWorld({ network, entities, hostStates: new Map([['h1', 'up']]) })
  const tables = first.tablesOf('h1')

  const later = buildWorld({ network: structuredClone(network), entities, hostStates: new Map([['h1', 'down']]), previous: first })
  expect(later.tablesOf('h1')).toBe(tables)
  expect(later.hosts.get('h1')?.state).toBe('down')

  const moved = buildWorld({ network, entities: [host('h1', '10.83.5.11'), host('h2', '10.83.5.99')], hostStates: new Map(), previous: first })
  expect(moved.tablesOf('h1')).not.toBe(tables)
  const altered = buildWorld({ network: { ...network, acls: [] }, entities, hostStates: new Map(), previous: first })
  expect(altered.tablesOf('h1')).not.toBe(tables)
})
