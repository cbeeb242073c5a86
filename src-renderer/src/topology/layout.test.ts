import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planes, type Link, type Nic, type Switch } from '../../../core/model/index.ts'
import { layoutOf, portLabel, type Box, type Layout, type LayoutInput, type Point } from './layout.ts'

/** A rack as the lab has it: management and tenant on tor1, storage on tor2. */
function rack(hosts: string[], stored: Record<string, Point> = {}): LayoutInput {
  const nics: Nic[] = hosts.flatMap((host) =>
    planes.map((plane): Nic => ({ host, name: plane, plane, mac: '52:54:00:00:00:01', addresses: [], state: 'up', mtuBytes: 1500 })),
  )
  const links: Link[] = nics.map((nic) => ({
    host: nic.host,
    nic: nic.name,
    plane: nic.plane!,
    switch: nic.name === 'storage' ? 'tor2' : 'tor1',
    port: `swp${hosts.indexOf(nic.host) + 1}${nic.name === 'tenant' ? 't' : ''}`,
    state: 'up',
    seenAtMs: 1,
  }))
  const switches: Switch[] = ['tor1', 'tor2'].map((name) => ({
    name,
    chassisId: name,
    ports: links.filter((link) => link.switch === name).map(({ port }) => ({ id: port })),
  }))
  return { hosts, nics, links, switches, stored }
}

const overlap = (a: Box, b: Box): boolean => Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2
const places = (layout: Layout): Record<string, Point> =>
  Object.fromEntries([
    ...[...layout.hosts].map(([name, { x, y }]) => [`host/${name}`, { x, y }]),
    ...[...layout.switches].map(([name, { x, y }]) => [`switch/${name}`, { x, y }]),
  ])

describe('layout', () => {
  test('hosts stand between their switches, NICs on the side that faces theirs', () => {
    const layout = layoutOf(rack(['h1', 'h2', 'h3']))
    expect(layout.switches.get('tor1')!.y).toBeLessThan(layout.hosts.get('h1')!.y)
    expect(layout.switches.get('tor2')!.y).toBeGreaterThan(layout.hosts.get('h1')!.y)
    for (const nic of layout.nics) expect(Math.sign(nic.y - layout.hosts.get(nic.host)!.y)).toBe(nic.name === 'storage' ? 1 : -1)
  })

  test('links of a single row run straight: each port lies opposite its NIC', () => {
    const input = rack(['h1', 'h2', 'h3'])
    const layout = layoutOf(input)
    for (const link of input.links) {
      const nic = layout.nics.find(({ id }) => id === `${link.host}/${link.nic}`)!
      const port = layout.ports.find(({ id }) => id === `${link.switch}/${link.port}`)!
      expect(port.x).toBeCloseTo(nic.x)
    }
  })

  test('nothing lies on anything else, and every port lies on its switch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
        const layout = layoutOf(rack(Array.from({ length: count }, (_, i) => `h${i + 1}`)))
        const boxes = [...layout.hosts.values(), ...layout.switches.values()]
        for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBe(false)
        for (const [i, a] of layout.ports.entries()) for (const b of layout.ports.slice(i + 1)) expect(overlap(a, b)).toBe(false)
        for (const port of layout.ports) {
          const bar = layout.switches.get(port.switch)!
          expect(port.x - port.width / 2).toBeGreaterThanOrEqual(bar.x - bar.width / 2)
          expect(port.x + port.width / 2).toBeLessThanOrEqual(bar.x + bar.width / 2)
        }
      }),
      { numRuns: 25 },
    )
  })

  test('when a host comes nobody moves, and it stands on nobody', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 12 }), (numbers) => {
        const names = numbers.map((n) => `h${n}`)
        const before = places(layoutOf(rack(names.slice(1))))
        const layout = layoutOf(rack(names, before))
        const after = places(layout)
        for (const name of names.slice(1)) expect(after[`host/${name}`]).toEqual(before[`host/${name}`])
        const boxes = [...layout.hosts.values()]
        for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBe(false)
      }),
    )
  })

  test('when a host goes the others stay', () => {
    const before = places(layoutOf(rack(['h1', 'h2', 'h3'])))
    const after = places(layoutOf(rack(['h1', 'h3'], before)))
    expect(after['host/h1']).toEqual(before['host/h1'])
    expect(after['host/h3']).toEqual(before['host/h3'])
  })

  test('hosts that no switch is known of are still on the picture', () => {
    expect(layoutOf({ hosts: ['h1', 'h2'], nics: [], switches: [], links: [], stored: {} }).hosts.size).toBe(2)
  })

  test.each([
    ['swp12', '12'],
    ['Ethernet1/7', '7'],
    ['uplink', 'upl'],
  ])('port %s is marked %s', (id, label) => expect(portLabel(id)).toBe(label))
})
