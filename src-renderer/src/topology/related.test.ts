import { expect, test } from 'vitest'
import type { Link } from '../../../core/model/index.ts'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { exampleDeclaration } from '../declaration/example.ts'
import { viewOf } from '../network/view.ts'
import { relatedOf } from './related.ts'

const hosts = ['h1', 'h2']
const { next } = planNetwork(emptyVirtualNetwork, parseDeclaration(exampleDeclaration(hosts)), { hosts, prune: false })
const links = hosts.flatMap((host, i) =>
  (['mgmt', 'tenant'] as const).map((plane): Link => ({
    ...{ host, nic: plane, plane, state: 'up', seenAtMs: 1, switch: 'tor1' },
    port: `swp${i + (plane === 'tenant' ? 25 : 1)}`,
  })),
)
const view = viewOf({ revision: 1, ...next, vips: [{ name: 'web-vip', network: 'web', ip: '10.20.1.100', ports: ['web-1'] }] })
const related = (kind: string, id: string): string[] =>
  [...relatedOf({ kind, id }, { view, topology: { links }, tunnelPlaneOf: () => 'tenant', ownerOf: () => 'web-1' })].sort()

test('a port belongs to its network, its host and the cable that its packets take', () => {
  expect(related('port', 'web-1')).toEqual(
    [...['host/h1', 'link/h1/tenant--tor1/swp25', 'network/web', 'nic/h1/tenant'], ...['socket/tor1/swp25', 'stem/h1', 'tap/h1/web']].sort(),
  )
})

test('a cable belongs to the networks whose packets it carries, another cable of the host to none', () => {
  expect(related('link', 'h1/tenant--tor1/swp25')).toEqual(['stem/h1', 'tap/h1/web'])
  expect(related('link', 'h1/mgmt--tor1/swp1')).toEqual([])
  expect(related('nic', 'h1/tenant')).toEqual(['stem/h1', 'tap/h1/web'])
})

test('a network belongs to its ports wherever they are, and to its router', () => {
  expect(related('network', 'db')).toEqual(['join/shop/db', 'port/db-1', 'router/shop', 'tap/h2/db'])
  expect(related('acl', 'no-ssh')).toEqual(['join/shop/db', 'network/db', 'port/db-1', 'router/shop', 'tap/h2/db'])
})

test('a VIP belongs to its network and to all that its owner’s port belongs to', () => {
  expect(related('vip', 'web-vip')).toEqual([...related('port', 'web-1'), 'held/web-vip', 'moved/web-vip', 'port/web-1'].sort())
  expect(related('network', 'web')).toContain('vip/web-vip')
})

test('what is not there belongs to nothing', () => {
  expect(related('port', 'gone')).toEqual([])
  expect(related('event', 'h1/3')).toEqual([])
})
