import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entity } from '../../../core/model/entity.ts'
import { planes, type Link, type Nic } from '../../../core/model/index.ts'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import type { TraceCopy, TraceHop, TraceRequest, TraceResult } from '../../../core/model/trace.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { buildWorld } from '../../../core/net/trace/build-world.ts'
import { traceSimulated } from '../../../core/net/trace/simulate.ts'
import { exampleDeclaration } from '../declaration/example.ts'
import { sceneOf, type Scene } from '../topology/scene.ts'
import type { Layer } from '../topology/layers.ts'
import { besideLine, besidePieces, calloutAt, drawingOf, mergeBadges, type Drawing, type Piece } from './drawing.ts'

const hosts = ['h1', 'h2']
const { next: network } = planNetwork(emptyVirtualNetwork, parseDeclaration(exampleDeclaration(hosts)), { hosts, prune: false })
const nics = hosts.flatMap((host, i) =>
  planes.map((plane): Nic => ({
    host,
    name: plane,
    plane,
    mac: `52:54:00:00:0${i}:01`,
    addresses: [],
    state: 'up',
    mtuBytes: plane === 'mgmt' ? 1500 : 1600,
  })),
)
const portOf = (nic: Nic): string => `swp${hosts.indexOf(nic.host) + (nic.plane === 'tenant' ? 25 : 1)}`
const links = nics.map((nic): Link => ({
  ...{ host: nic.host, nic: nic.name, plane: nic.plane!, state: 'up', seenAtMs: 1 },
  ...{ switch: nic.name === 'storage' ? 'tor2' : 'tor1', port: portOf(nic) },
}))
const entities = [
  ...hosts.map((host, i) => ({
    kind: 'host',
    id: host,
    atMs: 0,
    doc: { name: host, addresses: { mgmt: `10.0.0.${i + 1}`, tenant: `10.0.1.${i + 1}` }, role: 'voter', joinedAtMs: 0 },
  })),
  ...nics.map((nic) => ({ kind: 'nic', id: `${nic.host}/${nic.name}`, atMs: 0, doc: nic })),
  ...nics.map((nic) => ({
    ...{ kind: 'neighbour', id: `${nic.host}/${nic.name}`, atMs: 0 },
    doc: { host: nic.host, nic: nic.name, chassisId: 'c', systemName: nic.name === 'storage' ? 'tor2' : 'tor1', portId: portOf(nic) },
  })),
] as Entity[]

const request = (of: Partial<TraceRequest>): TraceRequest => ({ from: 'web-1', to: 'db-1', proto: 'icmp', ...of })
const trace = (of: Partial<TraceRequest>): TraceResult =>
  traceSimulated(buildWorld({ network, entities, hostStates: new Map(hosts.map((host) => [host, 'up'])) }), request(of))

const scene = (layer: Layer): Scene =>
  sceneOf({
    ...{ layer, hosts, nics, stored: {}, slots: new Map(), vips: [], expandedHosts: new Set(), expandedLanes: new Set(['web', 'db']) },
    topology: {
      links,
      switches: ['tor1', 'tor2'].map((name) => ({
        name,
        chassisId: name,
        ports: links.filter((link) => link.switch === name).map(({ port }) => ({ id: port })),
      })),
    },
    view: network,
    guests: new Map(hosts.map((host) => [host, network.ports.filter((port) => port.host === host).map(({ name }) => name)])),
    members: new Map(network.networks.map(({ name }) => [name, network.ports.filter((port) => port.network === name).map((port) => port.name)])),
    pinned: new Set(['web-1', 'db-1']),
  })
const drawn = (layer: Layer, of: Partial<TraceRequest> = {}): { drawing: Drawing; result: TraceResult } => {
  const result = trace(of)
  const { layout, lanes } = scene(layer)
  return { result, drawing: drawingOf({ result, side: 'simulated', parted: null, layout, lanes }) }
}

describe('a trace on the picture', () => {
  test.each(['both', 'physical', 'virtual'] as const)('%s: every hop has a badge, alone or with others, in order', (layer) => {
    for (const of of [{}, { proto: 'tcp' as const, dport: 22 }, { proto: 'udp' as const, dport: 53 }]) {
      const { result, drawing } = drawn(layer, of)
      expect(drawing.badges.flatMap(({ ids }) => ids)).toEqual(result.hops.map(({ n }) => `simulated-${n}`))
      for (const { points } of drawing.pieces) for (const { x, y } of points) expect(Number.isFinite(x + y)).toBe(true)
    }
  })

  test('the line goes on where it left off, but for the two sides of a NIC', () => {
    const { drawing } = drawn('both')
    const { layout } = scene('both')
    const forward = drawing.pieces.filter(({ leg }) => leg === 'forward')
    for (const [i, piece] of forward.slice(1).entries()) {
      const [end, begin] = [forward[i]!.points.at(-1)!, piece.points[0]!]
      const isGap = layout!.nics.some((nic) => begin.x === nic.x && Math.abs(begin.y - end.y) === nic.height)
      expect(isGap || (end.x === begin.x && end.y === begin.y)).toBe(true)
    }
  })

  test('a drop ends it, and is where the last badge is', () => {
    const { drawing, result } = drawn('both', { proto: 'tcp', dport: 22 })
    expect(result.drop?.reason).toBe('acl')
    expect(drawing.end).toEqual({ at: drawing.badges.at(-1)!.at, verdict: 'dropped', id: `simulated-${result.hops.length}` })
    expect(drawn('both').drawing.end).toBeNull()
  })

  test('what it passes is known: bands, router, taps, cables', () => {
    const { passed } = drawn('both').drawing
    for (const id of [
      'network/web',
      'network/db',
      'router/shop',
      'join/shop/db',
      'tap/h1/web',
      'link/h1/tenant--tor1/swp25',
      'link/h2/tenant--tor1/swp26',
    ])
      expect(passed).toContain(id)
    expect(passed).not.toContain('link/h1/storage--tor2/swp1')
  })

  test('on the virtual network what happens in between shares a badge', () => {
    expect(drawn('virtual', { proto: 'udp', dport: 53 }).drawing.badges.map(({ text }) => text)).toEqual(['1', '2–8', '9'])
  })
})

describe('a packet to many', () => {
  const hop = (n: number, host: string, device: string): TraceHop => ({
    ...{ n, leg: 'forward', evidence: 'computed', kind: 'virtual', host, device, in: null, out: null, action: 'forwarded', detail: '' },
    ...{ objects: ['network/web'], cookies: [] },
  })
  const hops = [hop(1, 'h1', 'web-1'), hop(2, 'h1', 'br-int'), hop(3, 'h2', 'br-int')]
  const copy = (after: number, own: TraceHop[], verdict: TraceCopy['verdict'] = 'delivered'): TraceCopy => ({
    ...{ host: 'h1', port: 'web-3', after, hops: own, verdict, drop: null, limit: null },
  })
  const draw = (copies: TraceCopy[], result: Partial<TraceResult> = {}): Drawing =>
    drawingOf({
      ...{ side: 'simulated', parted: null, lanes: null },
      layout: scene('both').layout,
      result: { verdict: 'delivered', hops, copies, drop: null, ...result },
    })

  test('the other copies have lines from where they part, without badges, one for all along the same way', () => {
    const own = [{ ...hop(3, 'h1', 'tenant'), kind: 'physical' as const }, hop(4, 'h1', 'web-3')]
    const [one, two] = [draw([copy(3, []), copy(2, own)]), draw([copy(3, []), copy(2, own), copy(2, own)])]
    expect(one.badges).toEqual(draw([]).badges)
    const lines = one.pieces.filter((piece) => piece.copy)
    expect(lines.map(({ n }) => n)).toEqual([3])
    const parting = one.pieces.find(({ n, copy: other }) => n === 2 && !other)!
    expect(lines[0]!.points[0]).toEqual(parting.points.at(-1))
    expect(two.pieces).toEqual(one.pieces)
    expect(draw([copy(3, [])]).pieces.some((piece) => piece.copy)).toBe(false)
  })

  test('where one was lost or not seen any more is marked', () => {
    const own = [hop(3, 'h1', 'web-3')]
    expect(draw([copy(2, own)]).lost).toEqual([])
    expect(draw([{ ...copy(2, own, 'dropped'), host: 'h9' }]).lost).toEqual([])
    expect(draw([copy(2, own, 'dropped')]).lost).toMatchObject([{ verdict: 'dropped' }])
    expect(draw([copy(2, own, 'unknown')]).lost).toMatchObject([{ verdict: 'unknown' }])
  })

  test('to a host whose cable nobody told of it leaves its switch at the end that is nearest to the host', () => {
    const { layout, lanes } = scene('both')
    const outlier = { ...layout!, hosts: new Map([...layout!.hosts, ['h9', { x: 5000, y: 0, width: 100, height: 80, dy: 0 }]]) }
    const bar = outlier.switches.get('tor1')!
    const across: TraceHop = { ...hop(3, 'tor1', 'tor1'), kind: 'physical', in: 'swp26', out: null }
    const own: TraceHop[] = [across, { ...hop(4, 'h9', 'eth0'), kind: 'physical' }]
    const lost = { ...copy(2, own, 'unknown'), host: 'h9' }
    const { pieces } = drawingOf({
      result: { verdict: 'delivered', hops, copies: [lost], drop: null },
      side: 'simulated',
      parted: null,
      layout: outlier,
      lanes,
    })
    const last = pieces.filter((piece) => piece.copy).at(-1)!
    expect(last.points[0]!.x).toBe(bar.x + bar.width / 2)
    expect(Math.abs(last.points[0]!.y - bar.y)).toBeLessThan(bar.height)
    expect(last.points.at(-1)).toEqual({ x: 5000, y: 0 })
  })

  test('a packet that was dropped on its way back is marked there, however far its copies came', () => {
    const drop = { host: 'h1', device: 'br-int', reason: 'arp-unanswered' as const, object: 'vip/web-vip', hint: '' }
    const { end, badges } = draw([], { verdict: 'dropped', drop })
    expect(end).toEqual({ at: badges[1]!.at, verdict: 'dropped', id: 'simulated-2' })
  })
})

test('between two switches the line runs beyond both, and hides no number', () => {
  const { layout } = scene('both')
  const hop = (n: number, host: string, ways: { in: string | null; out: string | null }): TraceHop => ({
    ...{ n, leg: 'forward', evidence: 'inferred', kind: 'physical', host, device: host, action: 'switched', detail: '', objects: [], cookies: [] },
    ...ways,
  })
  const hops = [hop(1, 'tor1', { in: 'swp25', out: null }), hop(2, 'tor2', { in: null, out: 'swp2' })]
  const { pieces, badges } = drawingOf({ result: { verdict: 'unknown', hops, drop: null }, side: 'live', parted: null, layout, lanes: null })
  const lowest = Math.max(...[...layout!.switches.values()].map(({ y, height }) => y + height / 2))
  const between = pieces.find(({ n, points }) => n === 2 && points.length === 2)!
  expect(between.points.every(({ y }) => y > lowest)).toBe(true)
  for (const { at } of badges) expect(layout!.ports.every(({ x, y, width }) => Math.abs(x - at.x) >= width / 2 || Math.abs(y - at.y) > 10)).toBe(true)
})

test('badges too near each other become one, those of the answer never with those of the question', () => {
  const badge = (x: number, n: number, leg: 'forward' | 'return' = 'forward') => ({
    at: { x, y: 0 },
    ids: [`live-${n}`],
    text: String(n),
    leg,
    parting: false,
    beside: false,
  })
  expect(mergeBadges([badge(0, 1), badge(5, 2), badge(9, 3), badge(80, 4), badge(81, 5, 'return')], 17).map(({ text }) => text)).toEqual([
    '1–3',
    '4',
    '5',
  ])
})

describe('a line beside a line', () => {
  test('keeps its distance, corners included', () => {
    const corner = [
      { x: 0, y: 0 },
      { x: 10, y: 0 },
      { x: 10, y: 10 },
    ]
    expect(besideLine(corner, 2)).toEqual([
      { x: 0, y: -2 },
      { x: 12, y: -2 },
      { x: 12, y: 10 },
    ])
    const point = fc.record({ x: fc.integer({ min: -500, max: 500 }), y: fc.integer({ min: -500, max: 500 }) })
    fc.assert(
      fc.property(fc.array(point, { maxLength: 9 }), (line) => {
        const moved = besideLine(line, 7)
        expect(moved.length).toBe(line.length)
        for (const [i, { x, y }] of moved.entries()) expect(Math.hypot(x - line[i]!.x, y - line[i]!.y)).toBeLessThan(45)
      }),
    )
  })

  test('pieces that hang together hang together beside it, too', () => {
    const piece = (...points: [number, number][]): Piece => ({
      n: 1,
      points: points.map(([x, y]) => ({ x, y })),
      evidence: 'seen',
      leg: 'return',
      copy: false,
    })
    const moved = besidePieces([piece([0, 0], [10, 0]), piece([10, 0], [10, 10]), piece([10, 20], [10, 30])], 2)
    expect(moved[0]!.points.at(-1)).toEqual(moved[1]!.points[0])
    expect(moved[2]!.points).toEqual([
      { x: 12, y: 20 },
      { x: 12, y: 30 },
    ])
  })
})

test('a note stands within the window, beside its place and not on others', () => {
  const place = { x: 500, y: 300 }
  const right = calloutAt(place, { width: 200, height: 40 }, { width: 800, height: 600 }, [])
  expect(right.left).toBeGreaterThan(500)
  const left = calloutAt(place, { width: 200, height: 40 }, { width: 800, height: 600 }, [{ x: 560, y: 300 }])
  expect(left.left + 200).toBeLessThan(500)
  for (const x of [0, 400, 800]) {
    const { left: from, top } = calloutAt({ x, y: 2 }, { width: 200, height: 40 }, { width: 800, height: 600 }, [])
    expect(from).toBeGreaterThanOrEqual(8)
    expect(from + 200).toBeLessThanOrEqual(792)
    expect(top).toBeGreaterThanOrEqual(8)
  }
})
