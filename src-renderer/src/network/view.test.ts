import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { ancestorsOf, treeRows, type TreeRow } from './tree.ts'
import { overlayReporter, placementOf, portPlacement, summarisePorts, viewOf, type NetworkView } from './view.ts'
import { searchText } from './words.ts'

const shop = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
  - {name: desks, vpc: office, subnet: 10.30.1.0/24, gateway: 10.30.1.1}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
  - {name: office, vpc: office, networks: [desks]}
peerings:
  - {name: shop-office, routers: [shop, office], routes: [{on: office, to: 10.20.1.0/24}]}
acls:
  - {name: low, network: db, direction: in, priority: 10, match: {proto: udp}, action: drop}
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
  - {name: quarantine, port: web-2, direction: out, priority: 5, match: {}, action: drop}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-2, web-10]}
ports:
  - {name: web-10, network: web, ip: 10.20.1.20, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: vm, vm: shop-2}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h1, attach: {kind: netns}}
`

function view(): NetworkView {
  const { next } = planNetwork(emptyVirtualNetwork, parseDeclaration(shop), { hosts: ['h1', 'h2'], prune: false })
  return viewOf({ revision: 1, ...next })
}
const rowsOf = (open: string[], words: string[] = []): string[] =>
  treeRows({ view: view(), open: new Set(open), words, textOf: searchText }).map(
    (row: TreeRow) => `${'  '.repeat(row.level - 1)}${row.kind} ${row.doc.name}`,
  )

describe('the view', () => {
  test('lists what belongs together, names in natural order, rules in the order in which they decide', () => {
    const { portsOf, portsOn, aclsOf, routerOf, peeringsOf } = view()
    expect(portsOf('web').map(({ name }) => name)).toEqual(['web-2', 'web-10'])
    expect(portsOn('h1').map(({ name }) => name)).toEqual(['db-1', 'web-10'])
    expect(aclsOf({ network: 'db' }).map(({ name }) => name)).toEqual(['no-ssh', 'low'])
    expect(aclsOf({ port: 'web-2' }).map(({ name }) => name)).toEqual(['quarantine'])
    expect(routerOf('db')?.name).toBe('shop')
    expect(
      view()
        .vipsFor('web-10')
        .map(({ name }) => name),
    ).toEqual(['web-vip'])
    expect(view().vipsFor('db-1')).toEqual([])
    expect(peeringsOf('office').map(({ name }) => name)).toEqual(['shop-office'])
  })

  test('the reporter of the latest revision counts, of equals the one heard last', () => {
    const overlay = (reporter: string, revision: number) => ({ reporter, doc: { revision } })
    const seen = (reporter: string): number => (reporter === 'h2' ? 20 : 10)
    expect(overlayReporter([overlay('h2', 7), overlay('h1', 8)], seen)).toBe('h1')
    expect(overlayReporter([overlay('h1', 8), overlay('h2', 8)], seen)).toBe('h2')
    expect(overlayReporter([], seen)).toBeUndefined()
  })
})

describe('the tree', () => {
  test('closed nodes hide what they hold', () => {
    expect(rowsOf([])).toEqual(['vpc office', 'vpc shop'])
    expect(rowsOf(['vpc/shop', 'network/db'])).toEqual([
      'vpc office',
      'vpc shop',
      '  router shop',
      '  peering shop-office',
      '  network db',
      '    acl no-ssh',
      '    acl low',
      '    port db-1',
      '  network web',
    ])
  })

  test('what is looked for is shown with all that it lies in, whatever is open', () => {
    expect(rowsOf([], ['10.20.2.11'])).toEqual(['vpc shop', '  network db', '    port db-1'])
    expect(rowsOf([], ['10.20.1.100'])).toEqual(['vpc shop', '  network web', '    vip web-vip'])
    expect(rowsOf([], ['quarantine'])).toEqual(['vpc shop', '  network web', '    port web-2', '      acl quarantine'])
    expect(rowsOf(['vpc/shop'], ['nothing-like-it'])).toEqual([])
  })

  test('an object is shown once all that it lies in is open', () => {
    for (const ref of [
      { kind: 'acl', id: 'quarantine' },
      { kind: 'port', id: 'db-1' },
      { kind: 'vip', id: 'web-vip' },
      { kind: 'peering', id: 'shop-office' },
      { kind: 'router', id: 'office' },
    ]) {
      const rows = treeRows({ view: view(), open: new Set(ancestorsOf(view(), ref)), words: [], textOf: searchText })
      expect(rows.some(({ kind, doc }) => kind === ref.kind && doc.name === ref.id)).toBe(true)
    }
  })
})

describe('how far a host is', () => {
  const well = { hostState: 'up' as const, fresh: true, forwarding: { state: 'up' as const, revision: 8 }, revision: 8 }
  test.each([
    [{}, 'up', 'placed'],
    [{ hostState: 'down' as const }, 'down', 'host-down'],
    [{ hostState: 'unknown' as const }, 'unknown', 'host-unknown'],
    [{ fresh: false }, 'unknown', 'not-reported'],
    [{ forwarding: undefined }, 'unknown', 'not-reported'],
    [{ forwarding: { state: 'down' as const, revision: 8 } }, 'down', 'switch-down'],
    [{ forwarding: { state: 'up' as const, revision: 7 } }, 'degraded', 'late'],
    [{ forwarding: { state: 'up' as const, revision: null } }, 'degraded', 'late'],
    [{ forwarding: { state: 'degraded' as const, revision: 8 } }, 'degraded', 'degraded'],
  ])('%j is %s: %s', (change, state, why) => expect(placementOf({ ...well, ...change })).toEqual({ state, why }))

  test('a port without a device is down where its host can tell', () => {
    expect(portPlacement({ state: 'up', why: 'placed' }, 'web-1', { portsDown: ['web-1'] })).toEqual({ state: 'down', why: 'port-down' })
    expect(portPlacement({ state: 'up', why: 'placed' }, 'web-2', { portsDown: ['web-1'] })).toEqual({ state: 'up', why: 'placed' })
    expect(portPlacement({ state: 'unknown', why: 'not-reported' }, 'web-1', { portsDown: ['web-1'] }).why).toBe('not-reported')
  })
})

test.each([
  [['up', 'up'], 'up', 0],
  [['down', 'down'], 'down', 2],
  [['up', 'down'], 'degraded', 1],
  [['up', 'degraded', 'degraded'], 'degraded', 2],
  [['up', 'unknown'], 'unknown', 1],
  [[], 'up', 0],
] as const)('ports that are %j make %s', (states, state, count) => expect(summarisePorts(states)).toMatchObject({ state, count }))
