import { expect, it } from 'vitest'
import { shop, testWorld } from '../trace/test-world.ts'
import { compileHost } from './compile.ts'
import { cookieOf } from './cookie.ts'
import { dropCounts } from './drop-counts.ts'

const { index, owners } = testWorld(shop)

it('counts what is dropped by reason and object, the most first', () => {
  const counted = new Map([
    [cookieOf('acl', 'acl', 'no-ssh'), 3],
    [cookieOf('unknown-destination', 'network', 'db'), 9],
    [cookieOf('ttl', 'pipeline', ''), 2],
    // Counted whether or not a packet is larger.
    [cookieOf('mtu', 'network', 'db'), 5],
    // It passes packets on.
    [cookieOf('none', 'port', 'db-1'), 7],
  ])
  const flows = compileHost(index, 'h2').map((flow) => {
    const packets = counted.get(flow.cookie) ?? 0
    // The first of its cookie.
    counted.delete(flow.cookie)
    return { ...flow, packets, bytes: packets * 60 }
  })
  expect(dropCounts(flows, owners)).toEqual([
    { reason: 'unknown-destination', object: 'network/db', packets: 9, bytes: 540 },
    { reason: 'acl', object: 'acl/no-ssh', packets: 3, bytes: 180 },
    { reason: 'ttl', object: null, packets: 2, bytes: 120 },
  ])
})

it('tells of a flow that is not ours', () => {
  expect(dropCounts([{ cookie: '0x99', actions: 'drop', packets: 1, bytes: 60 }], owners)).toEqual([
    { reason: 'flow-altered', object: null, packets: 1, bytes: 60 },
  ])
})
