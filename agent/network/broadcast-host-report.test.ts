import { expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { watchesOf } from './broadcast-host-report.ts'

const ends = new Map([1, 2, 3].map((n) => [`h${n}`, { ip: `10.9.0.${n}`, mac: `0a:58:0a:09:00:0${n}` }]))
const network = {
  ...emptyVirtualNetwork,
  hosts: [
    { name: 'h1', roles: ['broadcast' as const] },
    { name: 'h3', roles: ['gateway' as const] },
  ],
}

test('a watch is named by the host that it watches, as a node or as a gateway', () => {
  const seen = [
    { number: 129, up: false, flaps: 2 },
    { number: 16, up: true, flaps: 0 },
    // Of a node that there was before.
    { number: 19, up: false, flaps: 9 },
  ]
  expect(watchesOf(seen, { network, ends })).toEqual([
    { host: 'h1', as: 'node', up: true, flaps: 0 },
    { host: 'h3', as: 'gateway', up: false, flaps: 2 },
  ])
  expect(watchesOf([], { network, ends })).toEqual([])
})
