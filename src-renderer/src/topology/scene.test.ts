import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planes, type Link, type Nic, type Switch } from '../../../core/model/index.ts'
import type { TraceHop } from '../../../core/model/trace.ts'
import { focusOn, sceneOf, type Scene, type SceneInput } from './scene.ts'
import { slotsOf } from './lanes.ts'
import { layers, type Layer } from './layers.ts'
import { switchKey, type Box, type Point } from './layout.ts'

interface Shop {
  hosts: number
  networks: number
  ports: number
  expanded?: string[]
  layer?: Layer
  stored?: Record<string, Point>
  slots?: ReadonlyMap<string, number>
}

/** Hosts on two switches, networks of one router, ports dealt out. */
function shop({ hosts: count, networks: width, ports: many, expanded = [], layer = 'both', stored = {}, slots = new Map() }: Shop): SceneInput {
  const hosts = Array.from({ length: count }, (_, i) => `h${i + 1}`)
  const nics: Nic[] = hosts.flatMap((host) =>
    planes.map((plane): Nic => ({ host, name: plane, plane, mac: '52:54:00:00:00:01', addresses: [], state: 'up', mtuBytes: 1500 })),
  )
  const links: Link[] = nics.map((nic) => ({
    ...{ host: nic.host, nic: nic.name, plane: nic.plane!, state: 'up' as const, seenAtMs: 1 },
    ...{ switch: nic.name === 'storage' ? 'tor2' : 'tor1', port: `swp${hosts.indexOf(nic.host) + (nic.name === 'tenant' ? 101 : 1)}` },
  }))
  const switches: Switch[] = ['tor1', 'tor2'].map((name) => ({
    ...{ name, chassisId: name },
    ports: links.filter((link) => link.switch === name).map(({ port }) => ({ id: port })),
  }))
  const networks = Array.from({ length: width }, (_, i) => ({ name: `n${i + 1}`, vpc: i % 2 === 0 ? 'shop' : 'office' }))
  const ports = Array.from({ length: networks.length === 0 ? 0 : many }, (_, i) => ({
    ...{ name: `p${i + 1}`, network: networks[i % networks.length]!.name, host: hosts[(i * 7) % hosts.length]! },
  }))
  const by = (key: 'host' | 'network'): Map<string, string[]> =>
    new Map([...Map.groupBy(ports, (port) => port[key])].map(([name, own]) => [name, own.map((port) => port.name)]))
  return {
    ...{ layer, hosts, nics, stored, slots, topology: { switches, links }, pinned: new Set() },
    vips: ports.slice(0, 3).map(({ name, network, host }) => ({ name: `${name}-vip`, network, owner: { port: name, host }, moved: null })),
    view: { networks, routers: [{ name: 'r', vpc: 'shop', networks: networks.map(({ name }) => name) }], ports } as unknown as SceneInput['view'],
    ...{ guests: by('host'), members: by('network'), expandedHosts: new Set(expanded), expandedLanes: new Set(expanded) },
  }
}

const overlap = (a: Box, b: Box): boolean =>
  Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 0.01 && Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 0.01
const noneOverlap = (boxes: readonly Box[]): void => {
  for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBe(false)
}

/** The places that are kept: where everything is without what is shown above and inside it. */
const placesOf = ({ layout }: Scene, below: boolean): Record<string, Point> =>
  Object.fromEntries([
    ...[...layout!.hosts].map(([name, { x, y, dy }]) => [`host/${name}`, { x, y: y - dy }]),
    ...[...layout!.switches].map(([name, { x, y, dy }]) => [switchKey(name, below), { x, y: y - dy }]),
  ])

const size = fc.record({
  hosts: fc.integer({ min: 1, max: 14 }),
  networks: fc.integer({ min: 1, max: 9 }),
  ports: fc.integer({ min: 0, max: 120 }),
  layer: fc.constantFrom(...layers),
})

describe('the picture', () => {
  test('nothing lies on anything else, whatever is expanded', () => {
    fc.assert(
      fc.property(size, fc.subarray(['h1', 'h2', 'h3', 'h8', 'n1', 'n2']), (of, expanded) => {
        const { layout, lanes } = sceneOf(shop({ ...of, expanded }))
        noneOverlap([
          ...(lanes?.lanes ?? []),
          ...(lanes?.routers ?? []),
          ...[...(layout?.hosts.values() ?? [])],
          ...[...(layout?.switches.values() ?? [])],
        ])
        noneOverlap([...(layout?.chips ?? []), ...(layout?.counts ?? [])])
        noneOverlap([...(lanes?.ports ?? []), ...(lanes?.taps ?? []), ...(lanes?.rests ?? [])])
      }),
      { numRuns: 60 },
    )
  })

  test('chips and their count lie inside their host, clear of its NICs', () => {
    fc.assert(
      fc.property(size, (of) => {
        const { layout } = sceneOf(shop({ ...of, layer: 'both', expanded: ['h1'] }))
        for (const chip of [...layout!.chips, ...layout!.counts]) {
          const host = layout!.hosts.get(chip.host)!
          expect(Math.abs(chip.x - host.x) + chip.width / 2).toBeLessThanOrEqual(host.width / 2)
          expect(Math.abs(chip.y - host.y) + chip.height / 2).toBeLessThanOrEqual(host.height / 2)
          for (const nic of layout!.nics) expect(overlap(chip, nic)).toBe(false)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('every port is shown or counted once', () => {
    fc.assert(
      fc.property(size, fc.subarray(['h1', 'h2', 'n1', 'n2', 'n3']), (of, expanded) => {
        const input = shop({ ...of, expanded })
        const { layout, lanes } = sceneOf(input)
        if (layout) expect(layout.chips.length + layout.counts.reduce((sum, { hidden }) => sum + hidden, 0)).toBe(input.view.ports.length)
        if (lanes && !layout)
          expect(lanes.ports.length + [...lanes.taps, ...lanes.rests].reduce((sum, { count }) => sum + count, 0)).toBe(input.view.ports.length)
      }),
      { numRuns: 60 },
    )
  })
})

describe('nobody moves', () => {
  test('when ports come, or a host', () => {
    fc.assert(
      fc.property(size, (of) => {
        const before = sceneOf(shop({ ...of, layer: 'both' }))
        const slots = slotsOf(shop(of).view.networks, new Map())
        const after = sceneOf(shop({ ...of, layer: 'both', ports: of.ports + 7, hosts: of.hosts + 1, stored: placesOf(before, true), slots }))
        for (const [name, { x, y, height }] of before.layout!.hosts) {
          const now = after.layout!.hosts.get(name)!
          expect([now.x, now.y - now.height / 2]).toEqual([x, y - height / 2])
        }
        for (const lane of before.lanes!.lanes) expect(after.lanes!.lanes.find(({ name }) => name === lane.name)!.y).toBe(lane.y)
      }),
      { numRuns: 40 },
    )
  })

  test('when a network comes', () => {
    for (const layer of ['both', 'virtual'] as const) {
      const before = sceneOf(shop({ hosts: 3, networks: 4, ports: 20, layer }))
      const known = slotsOf(shop({ hosts: 3, networks: 4, ports: 0 }).view.networks, new Map())
      const after = sceneOf(shop({ hosts: 3, networks: 5, ports: 20, layer, slots: known, ...(before.layout && { stored: placesOf(before, true) }) }))
      for (const lane of before.lanes!.lanes) expect(after.lanes!.lanes.find(({ name }) => name === lane.name)!.y).toBeCloseTo(lane.y)
    }
  })

  test('above a host that is expanded; what is below makes room', () => {
    const input = { hosts: 14, networks: 3, ports: 120 }
    const before = sceneOf(shop(input))
    const after = sceneOf(shop({ ...input, expanded: ['h1'], stored: placesOf(before, true) }))
    const grown = after.layout!.hosts.get('h1')!.height - before.layout!.hosts.get('h1')!.height
    expect(grown).toBeGreaterThan(0)
    const top = (scene: Scene, host: string): number => scene.layout!.hosts.get(host)!.y - scene.layout!.hosts.get(host)!.height / 2
    expect(top(after, 'h1')).toBe(top(before, 'h1'))
    expect(top(after, 'h2')).toBe(top(before, 'h2'))
    expect(top(after, 'h14') - top(before, 'h14')).toBeCloseTo(grown)
    expect(after.lanes!.lanes.map(({ y }) => y)).toEqual(before.lanes!.lanes.map(({ y }) => y))
    // What is kept is where it is without all that.
    expect(placesOf(after, true)).toEqual(placesOf(before, true))
  })
})

test('the focus of a trace has what it passes, and nothing else', () => {
  const hop = (host: string, device: string, objects: string[] = []): TraceHop => ({
    ...{ n: 1, leg: 'forward', evidence: 'computed', kind: 'virtual', in: null, out: null, action: '', detail: '', cookies: [] },
    ...{ host, device, objects },
  })
  const input = shop({ hosts: 5, networks: 4, ports: 40 })
  const [from] = input.view.ports.filter(({ host }) => host === 'h1')
  const hops = [hop('h1', from!.name), hop('h1', 'br-int', ['router/r', 'network/n2']), hop('h1', 'tenant'), hop('tor1', 'tor1'), hop('h3', 'tenant')]
  const scene = sceneOf(focusOn(hops, { ...input, pinned: new Set([from!.name]) }))
  expect([...scene.layout!.hosts.keys()]).toEqual(['h1', 'h3'])
  expect([...scene.layout!.switches.keys()]).toEqual(['tor1'])
  expect(scene.layout!.nics.map(({ id }) => id)).toEqual(['h1/tenant', 'h3/tenant'])
  expect(scene.layout!.chips.map(({ name }) => name)).toEqual([from!.name])
  expect(new Set(scene.lanes!.lanes.map(({ name }) => name))).toEqual(new Set(['n2', from!.network]))
})
