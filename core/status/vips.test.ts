import { expect, test } from 'vitest'
import { vipDocSchema } from '../contract/desktop/broadcast.ts'
import type { VipState } from '../model/broadcast.ts'
import type { Vip } from '../model/network.ts'
import { isContested, vipDocs } from './vips.ts'

const vip: Vip = { name: 'web-vip', network: 'web', ip: '10.20.1.100', ports: ['web-1', 'web-2'] }
const announced = (port: string, host: string, mac: string) => ({ network: 'web', ip: vip.ip, mac, port, host, atMs: 5000 })
const state: VipState = {
  name: 'web-vip',
  owner: { port: 'web-2', host: 'h2', mac: '00:00:5e:00:01:33', epoch: 77, sinceMs: 4000 },
  claimants: [announced('web-2', 'h2', '00:00:5e:00:01:33')],
  damped: false,
  refused: [{ port: 'db-1', atMs: 1000, count: 3 }],
  history: [{ from: 'web-1', to: 'web-2', atMs: 4000, outageMs: 640 }],
}

test('a VIP comes with its owner, its past and the claims that were refused', () => {
  const [doc] = vipDocs([vip], [state])
  expect(vipDocSchema.parse(doc)).toEqual(doc)
  expect(doc).toMatchObject({
    owner: { port: 'web-2', host: 'h2', epoch: 77, since: '1970-01-01T00:00:04.000Z' },
    allowed: ['web-1', 'web-2'],
    refused: [{ port: 'db-1', at: '1970-01-01T00:00:01.000Z', count: 3 }],
    history: [{ from: 'web-1', to: 'web-2', at: '1970-01-01T00:00:04.000Z', outageMs: 640 }],
  })
})

test('one that nobody reported on has no owner', () => {
  const [doc] = vipDocs([{ ...vip, ip: 'fd00:20:1::100' }], [{ ...state, name: 'other' }])
  expect(vipDocSchema.parse(doc)).toMatchObject({ owner: null, claimants: [], refused: [], history: [] })
})

test('two places that announce it contradict each other, one that does so twice does not', () => {
  const [first, second] = [announced('web-1', 'h1', '00:00:5e:00:01:33'), announced('web-2', 'h2', '00:00:5e:00:01:33')]
  const contested = (claimants: VipState['claimants']) => isContested(vipDocs([vip], [{ ...state, claimants }])[0]!)
  expect(contested([first, second])).toBe(true)
  expect(contested([first, { ...first, atMs: 6000 }])).toBe(false)
  expect(contested([])).toBe(false)
})
