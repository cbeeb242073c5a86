import { byName } from '../format.ts'
import { chip, chipWidth } from './inside.ts'
import type { Box, Point } from './layout.ts'

/*
 * The virtual network as lanes: a band for each network, routers to the left of the bands that they join. Alone, ports hang below their
 * band. Over hosts, the bands lie above them, and where a host has ports in a network its stem has a tap on the band. Each network has a
 * slot that it keeps: new ones come at the end. Lengths in pixels at zoom 1, y downwards.
 */

export interface LaneBox extends Box {
  name: string
  /** Where its name stands. */
  label: Point
}
export interface RouterBox extends Box {
  name: string
  /** Bands that it joins. */
  networks: string[]
}
/** Where a host's stem meets a band: how many ports of it are in that network. */
export interface TapBox extends Box {
  id: string
  host: string
  network: string
  count: number
  /** Ports that it stands for. */
  ports: string[]
}
/** From a host up to the highest band that it has ports in. */
export interface Stem {
  host: string
  from: Point
  to: Point
}
export interface LanePort extends Box {
  name: string
  network: string
}
export interface VpcBox extends Point {
  key: string
  vpc: string
}
export interface Lanes {
  lanes: LaneBox[]
  routers: RouterBox[]
  /** Ports of a network together, by host: over hosts on their stem, alone where a band is collapsed. */
  taps: TapBox[]
  stems: Stem[]
  ports: LanePort[]
  /** Counts of ports that hang from a band, and are not shown. */
  rests: (Box & { network: string; count: number })[]
  vpcs: VpcBox[]
}

export interface LanesInput {
  networks: readonly { name: string; vpc: string }[]
  routers: readonly { name: string; vpc: string; networks: readonly string[] }[]
  /** In the order in which they are to stand. */
  ports: readonly { name: string; network: string; host: string }[]
  /** Slot of each network; those that have none get the next. */
  slots: ReadonlyMap<string, number>
}

export const laneSizes = {
  height: 30,
  pitch: 44,
  labelWidth: 236,
  narrowLabel: 0,
  routerWidth: 92,
  routerHeight: 28,
  routerGap: 40,
  vpcGap: 16,
  tapHeight: 18,
  alone: 800,
  aloneNarrow: 400,
}

/** Slots of all networks, the first at the bottom: those that have one keep it; others come on top, sorted by VPC and name from above. */
export function slotsOf(networks: LanesInput['networks'], known: ReadonlyMap<string, number>): Map<string, number> {
  const slots = new Map(networks.flatMap(({ name }) => (known.has(name) ? [[name, known.get(name)!] as const] : [])))
  let next = Math.max(-1, ...known.values()) + 1
  for (const { name } of networks.toSorted((a, b) => byName(b.vpc, a.vpc) || byName(b.name, a.name))) if (!slots.has(name)) slots.set(name, next++)
  return slots
}

/** From above. */
const inSlots = ({ networks, slots }: LanesInput): LanesInput['networks'] => {
  const all = slotsOf(networks, slots)
  return networks.toSorted((a, b) => all.get(b.name)! - all.get(a.name)!)
}

/** A router stands left of its bands, in the middle of them; one that would lie on another is moved further left. */
function routersOf(input: LanesInput, lanes: readonly LaneBox[], left: number): RouterBox[] {
  const at = new Map(lanes.map((lane) => [lane.name, lane.y]))
  const placed: RouterBox[] = []
  for (const { name, networks } of input.routers.toSorted((a, b) => byName(a.name, b.name))) {
    const ys = networks.flatMap((network) => at.get(network) ?? [])
    const y = ys.length === 0 ? 0 : (Math.min(...ys) + Math.max(...ys)) / 2
    const width = Math.max(laneSizes.routerWidth, chipWidth(name) + 12)
    let x = left - laneSizes.routerGap - width / 2
    while (placed.some((other) => Math.abs(other.y - y) < laneSizes.routerHeight + 8 && Math.abs(other.x - x) < (other.width + width) / 2 + 12))
      x -= 24
    placed.push({ name, networks: networks.filter((network) => at.has(network)), x, y, width, height: laneSizes.routerHeight })
  }
  return placed
}

/** A VPC's name stands over the first of each run of its bands. */
function vpcsOf(ordered: LanesInput['networks'], lanes: readonly LaneBox[]): VpcBox[] {
  return ordered.flatMap(({ name, vpc }, i) => {
    if (ordered[i - 1]?.vpc === vpc) return []
    const lane = lanes[i]!
    return [{ key: `${vpc}/${name}`, vpc, x: lane.x - lane.width / 2, y: lane.y - lane.height / 2 - 11 }]
  })
}

/** Height from one band to the next: a run of another VPC's begins with its name. */
const gapBefore = (ordered: LanesInput['networks'], i: number): number => (ordered[i - 1]?.vpc === ordered[i]!.vpc ? 0 : laneSizes.vpcGap)

/** The bands over the hosts, the first slot nearest to them. */
export function lanesOverHosts(input: LanesInput, hosts: ReadonlyMap<string, Box>, labelWidth = laneSizes.labelWidth): Lanes {
  const ordered = inSlots(input)
  const boxes = [...hosts.values()]
  const topmost = boxes.length > 0 ? Math.min(...boxes.map(({ y, height }) => y - height / 2)) : 0
  const leftmost = boxes.length > 0 ? Math.min(...boxes.map(({ x, width }) => x - width / 2)) : 0
  const right = boxes.length > 0 ? Math.max(...boxes.map(({ x, width }) => x + width / 2)) : 600
  const left = leftmost - labelWidth
  let y = topmost - 64
  const ys: number[] = []
  for (let i = ordered.length - 1; i >= 0; i--) {
    ys[i] = y
    y -= laneSizes.pitch + gapBefore(ordered, i)
  }
  const lanes = ordered.map(({ name }, i): LaneBox => ({
    name,
    x: (left + right) / 2,
    y: ys[i]!,
    width: right - left,
    height: laneSizes.height,
    label: { x: left + 12, y: ys[i]! },
  }))
  const laneAt = new Map(lanes.map((lane) => [lane.name, lane]))

  // Only hosts that stand side by side have a column of their own for a stem.
  const oneRow = boxes.every((box) => Math.abs(box.y - box.height / 2 - topmost) < 60)
  const taps: TapBox[] = []
  const stems: Stem[] = []
  if (oneRow) {
    for (const [host, ports] of Map.groupBy(input.ports, (port) => port.host)) {
      const box = hosts.get(host)
      if (!box) continue
      const own = [...Map.groupBy(ports, ({ network }) => network)].flatMap(([network, inIt]): TapBox[] => {
        const lane = laneAt.get(network)
        const base = { id: `${host}/${network}`, host, network, count: inIt.length, ports: inIt.map(({ name }) => name) }
        return lane ? [{ ...base, x: box.x, y: lane.y, width: 34, height: laneSizes.tapHeight }] : []
      })
      if (own.length === 0) continue
      taps.push(...own)
      stems.push({ host, from: { x: box.x, y: box.y - box.height / 2 }, to: { x: box.x, y: Math.min(...own.map((tap) => tap.y)) } })
    }
  }
  return { lanes, taps, stems, routers: routersOf(input, lanes, left), ports: [], rests: [], vpcs: vpcsOf(ordered, lanes) }
}

/** From one collapsed band to the next. */
const alonePitch = laneSizes.height + chip.pitch + 26
/** Hosts that a collapsed band names at most. */
const namedHosts = 9

/**
 * The bands alone, each with its ports below it: all of them where it is expanded, else how many are on which host. A band that needs more
 * rows pushes those below it down.
 */
export function lanesAlone(input: LanesInput, expanded: ReadonlySet<string>, width = laneSizes.alone): Lanes {
  const ordered = inSlots(input)
  const portsOf = Map.groupBy(input.ports, ({ network }) => network)
  const result: Lanes = { lanes: [], routers: [], taps: [], stems: [], ports: [], rests: [], vpcs: [] }
  // Counted from below, so that a network that comes on top moves nobody.
  let y = -(alonePitch * ordered.length + ordered.reduce((sum, _, i) => sum + gapBefore(ordered, i), 0))
  for (const [i, { name }] of ordered.entries()) {
    y += gapBefore(ordered, i)
    result.lanes.push({ name, x: width / 2, y, width, height: laneSizes.height, label: { x: 12, y } })
    const ports = portsOf.get(name) ?? []
    const flow = flowFrom(12, y + laneSizes.height / 2 + 8, width)
    if (expanded.has(name)) {
      for (const port of ports) result.ports.push({ name: port.name, network: name, ...flow(chipWidth(port.name)) })
    } else {
      const hosts = [...Map.groupBy(ports, ({ host }) => host)].sort(([a], [b]) => byName(a, b))
      for (const [host, own] of hosts.slice(0, namedHosts)) {
        const names = own.map((port) => port.name)
        result.taps.push({
          id: `${host}/${name}`,
          host,
          network: name,
          count: own.length,
          ports: names,
          ...flow(chipWidth(`${host} ${own.length}`) + 8),
        })
      }
      const rest = hosts.slice(namedHosts).reduce((sum, [, own]) => sum + own.length, 0)
      if (rest > 0) result.rests.push({ network: name, count: rest, ...flow(72) })
    }
    y += alonePitch + (flow.rows() - 1) * chip.pitch
  }
  return { ...result, routers: routersOf(input, result.lanes, 0), vpcs: vpcsOf(ordered, result.lanes) }
}

/** Boxes one after the other, in rows. */
function flowFrom(left: number, top: number, laneWidth: number): ((width: number) => Box) & { rows: () => number } {
  let x = left
  let row = 0
  const place = (width: number): Box => {
    if (x > left && x + width > laneWidth - 12) {
      x = left
      row++
    }
    const box = { x: x + width / 2, y: top + row * chip.pitch + chip.height / 2, width, height: chip.height }
    x += width + chip.gap
    return box
  }
  return Object.assign(place, { rows: () => row + 1 })
}
