import { describe, expect, test } from 'vitest'
import { lanesAlone, lanesOverHosts, type LanesInput } from './lanes.ts'
import type { Box, Layout } from './layout.ts'
import { vipBoxes, type VipPlace } from './vips.ts'

const input: LanesInput = {
  networks: [{ name: 'web', vpc: 'shop' }],
  routers: [],
  ports: ['h1', 'h1', 'h2'].map((host, i) => ({ name: `web-${i + 1}`, network: 'web', host })),
  slots: new Map(),
}
const hosts = new Map<string, Box>(['h1', 'h2'].map((name, i) => [name, { x: i * 300, y: 0, width: 216, height: 100 }]))
const layout: Layout = { hosts: new Map(), switches: new Map(), nics: [], ports: [], chips: [], counts: [] }
const vip = (name: string, owner: VipPlace['owner'], moved: VipPlace['moved'] = null): VipPlace => ({ name, network: 'web', owner, moved })
const [web1, web3] = [
  { port: 'web-1', host: 'h1' },
  { port: 'web-3', host: 'h2' },
]
const clear = (a: Box, b: Box): boolean => Math.abs(a.x - b.x) >= (a.width + b.width) / 2

describe('over hosts', () => {
  const lanes = lanesOverHosts(input, hosts)
  const tap = (host: string): Box => lanes.taps.find((known) => known.host === host)!

  test('a VIP is on its band beside the count of its owner’s host, and goes to the other’s', () => {
    const [before] = vipBoxes([vip('web-vip', web1)], layout, lanes)
    const [after] = vipBoxes([vip('web-vip', web3)], layout, lanes)
    expect(before).toMatchObject({ at: 'tap/h1/web', owner: 'web-1', y: lanes.lanes[0]!.y })
    expect(after!.at).toBe('tap/h2/web')
    expect(before!.x).toBeGreaterThan(tap('h1').x)
    expect(before!.x).toBeLessThan(tap('h2').x)
    expect(clear(before!, tap('h1')) && clear(after!, tap('h2'))).toBe(true)
  })

  test('two at one host do not lie on each other, nor does one without an owner', () => {
    const boxes = vipBoxes([vip('a-vip', web1), vip('b-vip', web1), vip('c-vip', null), vip('d-vip', null)], layout, lanes)
    expect(boxes.map(({ at }) => at)).toEqual(['tap/h1/web', 'tap/h1/web', null, null])
    for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(clear(a, b), `${a.name} ${b.name}`).toBe(true)
  })

  test('a move is told while it is news', () => {
    const moved = { from: web1, outageMs: 320 }
    expect(vipBoxes([vip('web-vip', web3, moved)], layout, lanes)[0]!.from).toEqual({ at: 'tap/h1/web', outageMs: 320 })
    expect(vipBoxes([vip('web-vip', web1, moved)], layout, lanes)[0]!.from).toBeNull()
  })
})

test('alone, it is above the port that has it, and within its band', () => {
  const lanes = lanesAlone(input, new Set(['web']), 1600)
  const [box] = vipBoxes([vip('web-vip', web3)], null, lanes)
  expect(box).toMatchObject({ at: 'port/web-3', y: lanes.lanes[0]!.y })
  const narrow = lanesAlone(input, new Set(), 300)
  for (const { x, width } of vipBoxes([vip('web-vip', web3), vip('other-vip', web1)], null, narrow)) expect(x + width / 2).toBeLessThanOrEqual(300)
})

describe('without bands', () => {
  const carried = (...vips: VipPlace[]) =>
    vipBoxes(vips, { ...layout, hosts: new Map([...hosts].map(([name, box]) => [name, { ...box, dy: 0 }])) }, null)

  test('the owner’s host carries it, within its box, and without an owner nobody does', () => {
    const [box, ...others] = carried(vip('web-vip', web3), vip('lost-vip', null))
    expect(others).toEqual([])
    expect(box).toMatchObject({ on: 'h2', owner: 'web-3', at: null })
    const host = hosts.get('h2')!
    expect(Math.abs(box!.x - host.x) + box!.width / 2).toBeLessThan(host.width / 2)
    expect(Math.abs(box!.y - host.y) + box!.height / 2).toBeLessThan(host.height / 2)
  })

  test('several lie beside each other, and where there is no room for all, one badge says how many', () => {
    const [a, b] = carried(vip('a', web1), vip('b', web1))
    expect(clear(a!, b!)).toBe(true)
    expect(Math.min(a!.x - a!.width / 2, b!.x - b!.width / 2)).toBeGreaterThanOrEqual(hosts.get('h1')!.x - 18)
    const long = carried(vip('a-long-name', web1), vip('b-vip', web1), vip('c-vip', web3))
    expect(long.map(({ on, name, all }) => [on, name, all.length])).toEqual([
      ['h1', '', 2],
      ['h2', 'c-vip', 1],
    ])
  })
})

test('there is none of a network that is not shown', () => {
  expect(vipBoxes([{ ...vip('web-vip', web1), network: 'gone' }], null, lanesAlone(input, new Set()))).toEqual([])
})
