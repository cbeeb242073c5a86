import { expect, test } from 'vitest'
import { cookieOf } from '../../../core/net/compile/cookie.ts'
import { flowOwnerOf } from './flow-owner.ts'

const nothing = { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], vips: [] }
const named = (...names: string[]): never[] => names.map((name) => ({ name })) as unknown as never[]

test('a cookie leads back to its object, whatever its flow is for', () => {
  const view = { ...nothing, acls: named('web', 'no-ssh'), networks: named('web') }
  expect(flowOwnerOf(cookieOf('acl', 'acl', 'no-ssh'), view)).toEqual({ kind: 'acl', name: 'no-ssh' })
  expect(flowOwnerOf(cookieOf('none', 'network', 'web'), view)).toEqual({ kind: 'network', name: 'web' })
})

test('what is the same on every host has no object', () => {
  expect(flowOwnerOf(cookieOf('unknown-destination', 'pipeline', ''), nothing)).toEqual({ kind: 'pipeline', name: '' })
})

test('a flow that somebody else put there belongs to nothing', () => {
  expect(flowOwnerOf('0x0', nothing)).toBeNull()
  expect(flowOwnerOf('0xdeadbeef', nothing)).toBeNull()
  expect(flowOwnerOf(cookieOf('none', 'port', 'gone-1'), nothing)).toBeNull()
})
