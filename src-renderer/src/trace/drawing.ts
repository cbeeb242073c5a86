import type { TraceHop, TraceResult } from '../../../core/model/trace.ts'
import type { Lanes } from '../topology/lanes.ts'
import { sizes, type Box, type Layout, type NicBox, type Point } from '../topology/layout.ts'
import { dropHop, hopId, isParting, type Parting, type Side } from './result.ts'

/*
 * A trace as it is drawn over the topology: a line from start to end with a badge for each hop, in places of the picture at zoom 1. On the
 * physical picture the line follows the cables; on the virtual one it goes from port to band to router, and what happens in between has no
 * place of its own: its hops share a badge.
 */

export interface Piece {
  /** The hop that it leads to, or lies in. */
  n: number
  points: Point[]
  evidence: TraceHop['evidence']
  leg: TraceHop['leg']
  /** Whether it is of another copy of a packet to many than the one that the hops follow. */
  copy: boolean
}

export interface Badge {
  at: Point
  /** Hops that it stands for, in order. */
  ids: string[]
  /** `4`, or `4–9`. */
  text: string
  leg: TraceHop['leg']
  parting: boolean
  /** Whether it stands to the right of its place, which is a box's edge, by half its own width, however near the picture is. */
  beside: boolean
}

export interface Drawing {
  pieces: Piece[]
  badges: Badge[]
  /** Where it ended short of its target: dropped, or not seen any more. */
  end: { at: Point; verdict: 'dropped' | 'unknown'; /** Its hop. */ id: string } | null
  /** Where other copies of a packet to many were lost, or not seen any more. */
  lost: { at: Point; verdict: 'dropped' | 'unknown' }[]
  /** Ids of what it passes on the picture. */
  passed: Set<string>
}

export interface DrawingInput {
  result: Pick<TraceResult, 'verdict' | 'hops' | 'copies' | 'drop'>
  side: Side
  parted: Parting | null
  layout: Layout | null
  lanes: Lanes | null
}

/** Where the line enters and leaves a hop; between the two it is drawn only if `through`. */
interface Stop {
  enter: Point
  leave: Point
  through: Point[]
  badge: Point
  beside?: boolean
}

const at = (point: Point): Stop => ({ enter: point, leave: point, through: [], badge: point })

export function drawingOf(input: DrawingInput): Drawing {
  const { result, side, parted } = input
  const begin = input.layout ? physicalStops(input.layout) : input.lanes ? virtualStops(input.lanes) : () => () => null
  const { pieces, places } = wayOf(result.hops, begin())
  const badges: Badge[] = []
  for (const { hop, stop } of places) {
    const id = hopId(side, hop.n)
    const badge = badges.at(-1)
    if (stop) badges.push({ at: stop.badge, ids: [id], text: '', leg: hop.leg, parting: false, beside: stop.beside ?? false })
    // Nowhere on this picture: it happens between the places that are.
    else if (badge?.leg === hop.leg) badge.ids.push(id)
  }
  const numbers = new Map(result.hops.map((hop) => [hopId(side, hop.n), hop]))
  for (const badge of badges) {
    const [first, end] = [numbers.get(badge.ids[0]!)!.n, numbers.get(badge.ids.at(-1)!)!.n]
    badge.text = first === end ? String(first) : `${first}–${end}`
    badge.parting = badge.ids.some((id) => isParting(numbers.get(id)!, parted))
  }
  const endHop = result.verdict === 'dropped' ? dropHop(result) : result.hops.at(-1)
  const endId = endHop && hopId(side, endHop.n)
  const endBadge = badges.find(({ ids }) => endId !== undefined && ids.includes(endId)) ?? badges.at(-1)
  const end = result.verdict === 'delivered' || !endBadge ? null : { at: endBadge.at, verdict: result.verdict, id: endBadge.ids.at(-1)! }
  const others = copiesOf(input, places, begin)
  return { pieces: [...others.pieces, ...pieces], badges, end, lost: others.lost, passed: new Set([...passedOf(result.hops), ...others.passed]) }
}

/** A hop, and where it is on the picture; null: nowhere. */
interface Place {
  hop: TraceHop
  stop: Stop | null
}

/** The line along hops, and the place of each on the picture. */
function wayOf(hops: TraceHop[], stopOf: StopOf): { pieces: Piece[]; places: Place[] } {
  const pieces: Piece[] = []
  let last: { stop: Stop; leg: TraceHop['leg'] } | undefined
  const places = hops.map((hop, i) => {
    const stop = stopOf(hop, hops[i - 1], hops[i + 1], hops)
    if (!stop) return { hop, stop }
    const { n, evidence, leg } = hop
    if (last?.leg === leg) pieces.push({ n, points: [last.stop.leave, stop.enter], evidence, leg, copy: false })
    if (stop.through.length > 0) pieces.push({ n, points: [stop.enter, ...stop.through, stop.leave], evidence, leg, copy: false })
    last = { stop, leg }
    return { hop, stop }
  })
  return { pieces, places }
}

/**
 * The lines of the other copies from where each parts from the one that the hops follow, those along the same way as one. Over hosts they
 * follow the cables only: inside a host they would cross each other.
 */
function copiesOf(
  { result: { hops, copies = [] }, layout }: DrawingInput,
  places: readonly Place[],
  begin: () => StopOf,
): Pick<Drawing, 'pieces' | 'lost' | 'passed'> {
  const pieces = new Map<string, Piece>()
  const lost = new Map<string, Drawing['lost'][number]>()
  const passed = new Set<string>()
  for (const { host, after, hops: own, verdict } of copies) {
    if (own.length === 0 || (layout && !layout.hosts.has(host))) continue
    const drawn = new Set(own.filter(({ kind }) => !layout || kind === 'physical').map(({ n }) => n))
    const all = [...hops.filter(({ n }) => n <= after), ...own]
    const way = wayOf(all, begin())
    const [parting, from] = [places, way.places].map((each) => each.findLast(({ hop, stop }) => stop && hop.n <= after)?.stop?.leave)
    for (const piece of way.pieces) {
      if (!drawn.has(piece.n)) continue
      // What lies ahead may move a bridge: the line begins where the followed copy's bridge stands.
      const points = piece.points.map((point) => (point === from ? (parting ?? point) : point))
      pieces.set(JSON.stringify(points), { ...piece, points, copy: true })
    }
    for (const id of passedOf(all)) passed.add(id)
    const at = way.places.findLast(({ stop }) => stop !== null)?.stop?.leave
    if (at && verdict !== 'delivered') lost.set(JSON.stringify(at), { at, verdict })
  }
  return { pieces: [...pieces.values()], lost: [...lost.values()], passed }
}

/** What of the virtual network, and which taps of hosts, a trace passes. */
function passedOf(hops: readonly TraceHop[]): Set<string> {
  const passed = new Set<string>()
  for (const { objects, host } of hops) {
    const routers = objects.filter((object) => object.startsWith('router/'))
    const networks = objects.filter((object) => object.startsWith('network/'))
    for (const object of [...routers, ...networks, ...objects.filter((each) => each.startsWith('peering/'))]) passed.add(object)
    for (const network of networks) {
      passed.add(`tap/${host}/${network.slice('network/'.length)}`)
      for (const router of routers) passed.add(`join/${router.slice('router/'.length)}/${network.slice('network/'.length)}`)
    }
  }
  for (const [i, hop] of hops.entries()) {
    for (const beside of [hops[i - 1], hops[i + 1]]) {
      if (hop.kind !== 'physical' || beside?.kind !== 'physical' || beside.host === hop.host) continue
      const port = beside === hops[i - 1] ? beside.out : beside.in
      if (port !== null) passed.add(`link/${hop.host}/${hop.device}--${beside.host}/${port}`)
    }
  }
  return passed
}

type StopOf = (hop: TraceHop, before: TraceHop | undefined, after: TraceHop | undefined, all: TraceHop[]) => Stop | null

function physicalStops({ hosts, switches, nics, ports, chips, counts }: Layout): () => StopOf {
  const nicAt = new Map(nics.map((nic) => [nic.id, nic]))
  const chipAt = new Map(chips.map((chip) => [`${chip.host}/${chip.name}`, chip]))
  const countAt = new Map(counts.map((count) => [count.host, count]))
  const socketAt = new Map(ports.map((port) => [port.id, port]))
  const rightOf = (box: Box): Point => ({ x: box.x + box.width / 2, y: box.y })
  const beside = (box: Box): Stop => ({ ...at(rightOf(box)), beside: true })
  /** Where lines between switches run: beyond them all, on the side away from their hosts. */
  const trunkY = (below: number): number =>
    below > 0
      ? Math.min(...[...switches.values()].map(({ y, height }) => y - height / 2)) - 14
      : Math.max(...[...switches.values()].map(({ y, height }) => y + height / 2)) + 14

  /** Along a switch's edge that faces its hosts, so that the line hides no port's number. */
  function throughSwitch(name: string, hop: TraceHop, before: TraceHop | undefined, after: TraceHop | undefined): Stop | null {
    const bar = switches.get(name)
    if (!bar) return null
    const [enter, leave] = [hop.in, hop.out].map((port) => socketAt.get(`${name}/${port ?? ''}`))
    const below = [...hosts.values()].some((host) => host.y > bar.y) ? 1 : -1
    const edge = bar.y + below * (sizes.portHeight / 2 + 6)
    if ((enter === undefined) !== (leave === undefined)) {
      // By a port that nobody told of: to or from a host at the bar's end nearest to it, another switch between the ports, so that the line hides no number.
      const { x } = (enter ?? leave)!
      const host = hosts.get((enter ? after : before)?.host ?? '')
      const own = { x, y: edge }
      const far = host
        ? { x: Math.min(Math.max(host.x, bar.x - bar.width / 2), bar.x + bar.width / 2), y: edge }
        : { x: x + sizes.portPitch / 2, y: trunkY(below) }
      const stop = { through: [{ x: far.x, y: edge }], badge: far }
      return enter ? { enter: own, leave: far, ...stop } : { enter: far, leave: own, ...stop }
    }
    const ends = [enter ?? leave, leave ?? enter].map((socket) => ({ x: socket?.x ?? bar.x, y: edge })) as [Point, Point]
    // Near the middle, where it hides no port's number.
    const numbers = ports.filter((port) => port.switch === name).map(({ x }) => x)
    const room = (x: number): number => Math.min(24, ...numbers.map((other) => Math.abs(other - x)))
    const places = [0.5, 0.45, 0.55, 0.4, 0.6, 0.3, 0.7].map((share) => ends[0].x + (ends[1].x - ends[0].x) * share)
    const middle = { x: places.reduce((best, x) => (room(x) > room(best) ? x : best)), y: edge }
    return { enter: ends[0], leave: ends[1], through: ends[0].x === ends[1].x ? [] : [middle], badge: middle }
  }

  /** The NIC next to a hop on its host, which its tunnel goes through. */
  const nicBeside = (hop: TraceHop, others: (TraceHop | undefined)[]): NicBox | undefined =>
    others.flatMap((other) => (other?.host === hop.host ? (nicAt.get(`${other.host}/${other.device}`) ?? []) : []))[0]
  const tunnelAt = (host: Box, nic: NicBox): Point => ({ x: nic.x, y: nic.y + (nic.y < host.y ? 1 : -1) * (nic.height / 2 + 24) })

  const stopOf: StopOf = (hop, before, after, all) => {
    const host = hosts.get(hop.host)
    if (!host) return throughSwitch(hop.host, hop, before, after)
    const top = host.y - host.height / 2
    const nic = nicAt.get(`${hop.host}/${hop.device}`)
    if (nic) {
      const outwards = nic.y < host.y ? -1 : 1
      const [inner, outer] = [-1, 1].map((side) => ({ x: nic.x, y: nic.y + side * outwards * (nic.height / 2) })) as [Point, Point]
      const arrives = before !== undefined && before.host !== hop.host
      return { enter: arrives ? outer : inner, leave: arrives ? inner : outer, through: [], badge: rightOf(nic), beside: true }
    }
    const chip = chipAt.get(`${hop.host}/${hop.device}`)
    if (chip) return beside(chip)
    if (hop.device === 'vxlan' || hop.device === 'gre') {
      const through = nicBeside(hop, [before, after])
      return at(through ? tunnelAt(host, through) : { x: host.x + host.width / 2 - 24, y: top + 30 })
    }
    if (hop.device === 'br-int') {
      // Between its port and its tunnel, if it has one.
      const through = nicBeside(hop, all)
      if (!through) return at({ x: host.x + host.width / 2 - 48, y: top + 30 })
      return at({ x: through.x - 58, y: through.y < host.y ? top + 56 : top + 28 })
    }
    const count = countAt.get(hop.host)
    return count ? beside(count) : at({ x: host.x, y: host.y })
  }
  return () => stopOf
}

function virtualStops({ lanes, routers, ports, taps }: Lanes): () => StopOf {
  const laneAt = new Map(lanes.map((lane) => [lane.name, lane]))
  const routerAt = new Map(routers.map((router) => [router.name, router]))
  const portAt = new Map<string, Box & { network: string }>([
    ...taps.flatMap((tap) => tap.ports.map((name) => [name, tap] as const)),
    ...ports.map((port) => [port.name, port] as const),
  ])
  const left = (lane: Box): number => lane.x - lane.width / 2
  const bottom = (lane: Box): number => lane.y + lane.height / 2
  const named = (hop: TraceHop | undefined, kind: string): string[] =>
    (hop?.objects ?? []).flatMap((object) => (object.startsWith(`${kind}/`) ? [object.slice(kind.length + 1)] : []))
  return () => {
    /** The band that the packet is on after the last place that has one. */
    let lane: Box | undefined
    let x = 0

    return (hop, _before, after) => {
      const box = portAt.get(hop.device)
      if (box) {
        const place = { x: box.x, y: box.y - box.height / 2 }
        const [sends] = [hop.in === null]
        const own = laneAt.get(box.network)
        const onLane = own && { x: box.x, y: bottom(own) }
        lane = own
        x = box.x
        return onLane
          ? {
              enter: sends ? place : onLane,
              leave: sends ? onLane : place,
              through: [{ x: box.x, y: (place.y + onLane.y) / 2 }],
              ...{ badge: { x: box.x + box.width / 2, y: box.y }, beside: true },
            }
          : at(place)
      }
      const router = routerAt.get(named(hop, 'router')[0] ?? '')
      if (router && lane) {
        const into =
          named(hop, 'network')
            .map((name) => laneAt.get(name))
            .find((other) => other !== undefined && other !== lane) ?? lane
        const from = { x: left(lane), y: bottom(lane) }
        const to = { x: left(into), y: bottom(into) }
        const side = router.x + router.width / 2
        lane = into
        x = left(into)
        const through = [
          { x: from.x - 20, y: from.y },
          { x: from.x - 20, y: router.y },
          { x: side, y: router.y },
          { x: to.x - 20, y: router.y },
          { x: to.x - 20, y: to.y },
        ]
        return { enter: from, leave: to, through, badge: { x: side, y: router.y } }
      }
      // The last hop of a packet that got no further stands on its band.
      if (!after && lane) return at({ x: x <= left(lane) + 1 ? left(lane) + 228 : x, y: bottom(lane) })
      return null
    }
  }
}

/** Badges that would lie on each other, closer than `least` on the screen, become one. Places are pixels of the screen. */
export function mergeBadges(badges: readonly Badge[], least: number): Badge[] {
  const merged: Badge[] = []
  for (const badge of badges) {
    const last = merged.at(-1)
    if (last && last.leg === badge.leg && Math.hypot(last.at.x - badge.at.x, last.at.y - badge.at.y) < least) {
      merged[merged.length - 1] = {
        ...last,
        ids: [...last.ids, ...badge.ids],
        text: `${last.text.split('–')[0]}–${badge.text.split('–').at(-1)}`,
        parting: last.parting || badge.parting,
      }
    } else merged.push(badge)
  }
  return merged
}

/**
 * A line beside a line, `by` to the left of the way it goes, corners kept. Points of no extent are left where they are.
 */
export function besideLine(points: readonly Point[], by: number): Point[] {
  const normals = points.slice(1).map((point, i) => {
    const [dx, dy] = [point.x - points[i]!.x, point.y - points[i]!.y]
    const length = Math.hypot(dx, dy) || 1
    return { x: dy / length, y: -dx / length }
  })
  return points.map((point, i) => {
    const [before, after] = [normals[i - 1] ?? normals[i], normals[i] ?? normals[i - 1]]
    if (!before || !after) return { ...point }
    // At a corner the two lines meet where both are `by` away; a sharp one is cut off.
    const scale = by / Math.max(0.35, 1 + before.x * after.x + before.y * after.y)
    return { x: point.x + (before.x + after.x) * scale, y: point.y + (before.y + after.y) * scale }
  })
}

/** Pieces that follow each other without a gap are one line; this gives each its points beside it. */
export function besidePieces(pieces: readonly Piece[], by: number): Piece[] {
  const result: Piece[] = []
  let chain: Piece[] = []
  const flush = (): void => {
    const line: Point[] = chain.flatMap(({ points }, i) => (i === 0 ? points : points.slice(1)))
    const moved = besideLine(line, by)
    let from = 0
    for (const piece of chain) {
      result.push({ ...piece, points: moved.slice(from, from + piece.points.length) })
      from += piece.points.length - 1
    }
    chain = []
  }
  for (const piece of pieces) {
    const end = chain.at(-1)?.points.at(-1)
    const begin = piece.points[0]!
    if (end && (end.x !== begin.x || end.y !== begin.y)) flush()
    chain.push(piece)
  }
  if (chain.length > 0) flush()
  return result
}

/** Where a note about a place stands: beside it, within the window, where it hides the fewest of other places. Its left top corner. */
export function calloutAt(
  at: Point,
  note: { width: number; height: number },
  window: { width: number; height: number },
  others: readonly Point[],
): { left: number; top: number } {
  const off = 18
  const sides = [
    { left: at.x + off, top: at.y - note.height / 2 },
    { left: at.x - off - note.width, top: at.y - note.height / 2 },
    { left: at.x - note.width / 2, top: at.y - off - note.height },
    { left: at.x - note.width / 2, top: at.y + off },
    { left: at.x + off, top: at.y - off - note.height },
    { left: at.x - off - note.width, top: at.y - off - note.height },
    { left: at.x - note.width / 2, top: at.y - 3 * off - note.height },
    { left: at.x - note.width / 2, top: at.y + 3 * off },
    { left: at.x - note.width / 2, top: at.y - 6 * off - note.height },
    { left: at.x - note.width / 2, top: at.y + 6 * off },
  ].map(({ left, top }) => ({
    left: Math.min(Math.max(8, left), Math.max(8, window.width - note.width - 8)),
    top: Math.min(Math.max(8, top), Math.max(8, window.height - note.height - 8)),
  }))
  const hidden = ({ left, top }: { left: number; top: number }): number =>
    [...others, at].filter(({ x, y }) => x > left - 12 && x < left + note.width + 12 && y > top - 12 && y < top + note.height + 12).length
  return sides.reduce((best, side) => (hidden(side) < hidden(best) ? side : best))
}
