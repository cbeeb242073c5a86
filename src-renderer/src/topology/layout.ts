import { planes, type Link, type Nic, type Plane, type Switch } from '../../../core/model/index.ts'
import { byName } from '../format.ts'
import { insideOf, type Inside } from './inside.ts'

/*
 * Where everything of the physical picture lies. Hosts that share switches are a rack: a row of hosts with the switches above and below
 * it. NICs sit on the side of their host that faces their switch, and each port lies opposite its NIC, so that links run straight.
 * A node whose position is stored stays there; a new one takes the next free place. A host that is taller, because its ports are shown,
 * pushes what lies below its row down, and nothing else. All lengths in pixels at zoom 1, y downwards.
 */

export interface Point {
  x: number
  y: number
}
export interface Box extends Point {
  width: number
  height: number
}
export interface NicBox extends Box {
  id: string
  host: string
  name: string
}
export interface PortBox extends Box {
  /** `switch/port`. */
  id: string
  switch: string
  port: string
  label: string
}
/** `dy`: how far below its own place it is drawn, because of what is shown above and inside it. */
export type PlacedBox = Box & { dy: number }
export interface ChipBox extends Box {
  name: string
  host: string
}
/** How many ports a host has, of which `hidden` are not shown. */
export interface CountBox extends Box {
  host: string
  hidden: number
  all: number
}
export interface Layout {
  hosts: Map<string, PlacedBox>
  switches: Map<string, PlacedBox>
  nics: NicBox[]
  ports: PortBox[]
  chips: ChipBox[]
  counts: CountBox[]
}

export interface LayoutInput {
  hosts: string[]
  nics: Nic[]
  switches: Switch[]
  links: Link[]
  /** By node id: `host/h1`, `switch/tor1`. */
  stored: Readonly<Record<string, Point>>
  /** Ports of the virtual network by host, in the order in which they are to stand; absent where there is no virtual network. */
  guests?: ReadonlyMap<string, readonly string[]>
  /** Hosts whose ports are all shown. */
  expanded?: ReadonlySet<string>
  /** Ports that are shown in any case. */
  pinned?: ReadonlySet<string>
  /** Whether all switches stand below the hosts, because the virtual network is above them. */
  switchesBelow?: boolean
  /** Hosts are at least this wide. */
  hostWidth?: number
  /** Whether NICs stand at the right end of their side, so that there is room beside them. */
  nicsRight?: boolean
}

/** Id under which the place of a switch is stored. */
export const switchKey = (name: string, below = false): string => (below ? `below/switch/${name}` : `switch/${name}`)

export const sizes = {
  hostHeight: 76,
  hostWidth: 156,
  hostWidthWithPorts: 216,
  hostGap: 40,
  nicHeight: 20,
  nicGap: 14,
  switchHeight: 44,
  portWidth: 26,
  portHeight: 20,
  portPitch: 32,
  switchName: 108,
  rowGap: 150,
  switchGap: 68,
  rackGap: 120,
}

/** Hosts in a row of a rack: one row up to six, then about one and a half times as wide as high. */
const hostsARow = (hosts: number): number => Math.max(6, Math.ceil(Math.sqrt(hosts * 1.6)))

/** Width of a NIC's label at 12 px. */
const nicWidth = (name: string): number => Math.max(52, Math.round(name.length * 7.2) + 14)

/** What stands on a port: its number if it ends in one, otherwise its id as far as it fits. */
export const portLabel = (id: string): string => /(\d+)$/.exec(id)?.[1] ?? id.slice(0, 3)

export function layoutOf(input: LayoutInput): Layout {
  const linkOf = new Map(input.links.map((link) => [`${link.host}/${link.nic}`, link]))
  const nicsOf = Map.groupBy(input.nics, (nic) => nic.host)
  const racks = racksOf(input.hosts, input.links, input.switches)
  const layout: Layout = { hosts: new Map(), switches: new Map(), nics: [], ports: [], chips: [], counts: [] }
  const { guests, expanded = new Set(), pinned = new Set(), switchesBelow = false, nicsRight = false } = input
  const least = input.hostWidth ?? (guests ? sizes.hostWidthWithPorts : sizes.hostWidth)

  let left = 0
  for (const rack of racks) {
    const above = switchesBelow ? [] : rack.switches.slice(0, Math.ceil(rack.switches.length / 2))
    const perRow = hostsARow(rack.hosts.length)
    const widths = new Map(rack.hosts.map((host) => [host, hostWidth(nicsOf.get(host) ?? [], linkOf, new Set(above), least)]))
    const pitch = Math.max(168, ...widths.values()) + sizes.hostGap
    const taken = rack.hosts.flatMap((host) => input.stored[`host/${host}`] ?? [])
    let slot = 0
    const places = new Map<string, Point>()
    for (const host of rack.hosts) {
      let place = input.stored[`host/${host}`]
      while (!place) {
        const free = { x: left + (slot % perRow) * pitch, y: Math.floor(slot / perRow) * sizes.rowGap }
        slot++
        if (!taken.some((other) => Math.abs(other.x - free.x) < pitch * 0.6 && Math.abs(other.y - free.y) < sizes.hostHeight * 1.2)) place = free
      }
      places.set(host, place)
    }
    const insideAt = (host: string, { x, y }: Point): Inside => {
      if (!guests) return { growth: 0, chips: [], count: null }
      const corner = { left: x - widths.get(host)! / 2, top: y - sizes.hostHeight / 2, width: widths.get(host)! }
      return insideOf(corner, guests.get(host) ?? [], { expanded: expanded.has(host), pinned })
    }
    const push = pushOf([...places].map(([host, place]) => ({ y: place.y, growth: insideAt(host, place).growth })))
    for (const [host, place] of places) {
      const at = { x: place.x, y: place.y + push(place.y) }
      const { growth, chips, count } = insideAt(host, at)
      layout.hosts.set(host, {
        x: at.x,
        y: at.y + growth / 2,
        width: widths.get(host)!,
        height: sizes.hostHeight + growth,
        dy: push(place.y) + growth / 2,
      })
      layout.chips.push(...chips.map((each) => ({ ...each, host })))
      if (count) layout.counts.push({ ...count, host })
    }
    const boxes = rack.hosts.map((host) => layout.hosts.get(host)!)
    const rows = [...places.values()].map(({ y }) => y)
    const top = rows.length > 0 ? Math.min(...rows) : 0
    const bottom = rows.length > 0 ? Math.max(...rows) : 0
    const own = new Map(
      rack.switches.map((name, i) => {
        const level = i < above.length ? above.length - i : i - above.length + 1
        const offset = sizes.rowGap * 0.86 + (level - 1) * sizes.switchGap
        return [name, input.stored[switchKey(name, switchesBelow)]?.y ?? (i < above.length ? top - offset : bottom + offset)]
      }),
    )
    const heights = new Map([...own].map(([name, y]) => [name, y + push(y)]))
    for (const host of rack.hosts) layout.nics.push(...nicBoxes(layout.hosts.get(host)!, nicsOf.get(host) ?? [], linkOf, heights, nicsRight))
    const nicAt = new Map(layout.nics.map((nic) => [nic.id, nic]))
    for (const name of rack.switches) {
      const y = heights.get(name)!
      const known = input.switches.find((other) => other.name === name)!
      const ports = portBoxes(known, y, input.links, nicAt, left)
      const from = Math.min(...ports.map(({ x }) => x)) - sizes.portWidth / 2 - sizes.switchName
      const to = Math.max(...ports.map(({ x }) => x)) + sizes.portWidth / 2 + 14
      layout.switches.set(name, { x: (from + to) / 2, y, width: to - from, height: sizes.switchHeight, dy: y - own.get(name)! })
      layout.ports.push(...ports)
    }
    const right = Math.max(
      left,
      ...boxes.map(({ x, width }) => x + width / 2),
      ...rack.switches.map((name) => layout.switches.get(name)!.x + layout.switches.get(name)!.width / 2),
    )
    left = right + sizes.rackGap + pitch / 2
  }
  return layout
}

/**
 * How far what stands at a height is pushed down by taller hosts: each row above it pushes by as much as its tallest host grew. Hosts whose
 * middles lie within half a host's height are a row.
 */
export function pushOf(hosts: readonly { y: number; growth: number }[]): (y: number) => number {
  const rows: { y: number; growth: number }[] = []
  for (const { y, growth } of hosts.toSorted((a, b) => a.y - b.y)) {
    const row = rows.at(-1)
    if (row && y - row.y < sizes.hostHeight / 2) row.growth = Math.max(row.growth, growth)
    else rows.push({ y, growth })
  }
  return (y) => rows.reduce((sum, row) => (row.y + sizes.hostHeight / 2 <= y ? sum + row.growth : sum), 0)
}

interface Rack {
  hosts: string[]
  switches: string[]
}

/** Hosts and switches that hang together, in natural order. */
function racksOf(hosts: string[], links: Link[], switches: Switch[]): Rack[] {
  const parent = new Map<string, string>()
  const root = (node: string): string => {
    const up = parent.get(node) ?? node
    if (up === node) return node
    const top = root(up)
    parent.set(node, top)
    return top
  }
  for (const link of links) parent.set(root(`host/${link.host}`), root(`switch/${link.switch}`))
  const racks = new Map<string, Rack>()
  const rackOf = (node: string): Rack => {
    const key = root(node)
    let rack = racks.get(key)
    if (!rack) racks.set(key, (rack = { hosts: [], switches: [] }))
    return rack
  }
  for (const host of hosts.toSorted(byName)) rackOf(`host/${host}`).hosts.push(host)
  for (const { name } of switches.toSorted((a, b) => byName(a.name, b.name))) rackOf(`switch/${name}`).switches.push(name)
  // Hosts that no switch is known of stand together, not each in a rack of its own.
  const [alone, racked] = [
    [...racks.values()].filter((rack) => rack.switches.length === 0),
    [...racks.values()].filter((rack) => rack.switches.length > 0),
  ]
  return alone.length === 0 ? racked : [...racked, { hosts: alone.flatMap((rack) => rack.hosts), switches: [] }]
}

const rank = (plane: Plane | undefined): number => (plane ? planes.indexOf(plane) : planes.length)
const inOrder = (nics: Nic[]): Nic[] => nics.toSorted((a, b) => rank(a.plane) - rank(b.plane) || byName(a.name, b.name))
const rowWidth = (nics: Nic[]): number => nics.reduce((sum, nic) => sum + nicWidth(nic.name) + sizes.nicGap, -sizes.nicGap)

function hostWidth(nics: Nic[], linkOf: Map<string, Link>, above: ReadonlySet<string>, least: number): number {
  const [up, down] = [nics.filter((nic) => above.has(switchOf(nic, linkOf))), nics.filter((nic) => !above.has(switchOf(nic, linkOf)))]
  return Math.max(least, rowWidth(up) + 28, rowWidth(down) + 28)
}

const switchOf = (nic: Nic, linkOf: Map<string, Link>): string => linkOf.get(`${nic.host}/${nic.name}`)?.switch ?? ''

function nicBoxes(host: Box, nics: Nic[], linkOf: Map<string, Link>, heights: Map<string, number>, right: boolean): NicBox[] {
  const isUp = (nic: Nic): boolean => (heights.get(switchOf(nic, linkOf)) ?? Infinity) < host.y
  return [true, false].flatMap((up) => {
    const row = inOrder(nics.filter((nic) => isUp(nic) === up))
    let x = right ? host.x + host.width / 2 - 20 - rowWidth(row) : host.x - rowWidth(row) / 2
    return row.map((nic) => {
      const width = nicWidth(nic.name)
      const box = {
        id: `${nic.host}/${nic.name}`,
        host: nic.host,
        name: nic.name,
        x: x + width / 2,
        y: host.y + (up ? -1 : 1) * (host.height / 2),
        width,
        height: sizes.nicHeight,
      }
      x += width + sizes.nicGap
      return box
    })
  })
}

/** Each port opposite its NIC, none nearer to the next than they are wide. */
function portBoxes(known: Switch, y: number, links: Link[], nicAt: Map<string, NicBox>, left: number): PortBox[] {
  const wanted = known.ports
    .map((port, i) => {
      const link = links.find((other) => other.switch === known.name && other.port === port.id)
      return { port, x: (link && nicAt.get(`${link.host}/${link.nic}`)?.x) ?? left + i * sizes.portPitch }
    })
    .sort((a, b) => a.x - b.x || byName(a.port.id, b.port.id))
  let last = -Infinity
  return wanted.map(({ port, x }) => {
    last = Math.max(x, last + sizes.portPitch)
    return {
      id: `${known.name}/${port.id}`,
      switch: known.name,
      port: port.id,
      label: portLabel(port.id),
      x: last,
      y,
      width: sizes.portWidth,
      height: sizes.portHeight,
    }
  })
}
