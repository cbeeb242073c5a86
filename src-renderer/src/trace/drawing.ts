import type { TraceHop, TraceResult } from '../../../core/model/trace.ts'
import type { Lanes } from '../topology/lanes.ts'
import { sizes, type Box, type Layout, type Point } from '../topology/layout.ts'
import { hopId, isParting, type Parting, type Side } from './result.ts'

/*
 * A trace as it is drawn over the topology: a line from start to end with a badge for each hop, in places of the picture at zoom 1. On the
 * physical picture the line follows the cables; on the virtual one it goes from port to band to router, and what happens in between has no
 * place of its own: its hops share a badge.
 */

export interface Piece {
  points: Point[]
  evidence: TraceHop['evidence']
  leg: TraceHop['leg']
}

export interface Badge {
  at: Point
  /** Hops that it stands for, in order. */
  ids: string[]
  /** `4`, or `4–9`. */
  text: string
  leg: TraceHop['leg']
  parting: boolean
}

export interface Drawing {
  pieces: Piece[]
  badges: Badge[]
  /** Where it ended short of its target: dropped, or not seen any more. */
  end: { at: Point; verdict: 'dropped' | 'unknown' } | null
  /** Ids of what it passes on the picture. */
  passed: Set<string>
}

export interface DrawingInput {
  result: Pick<TraceResult, 'verdict' | 'hops'>
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
}

const at = (point: Point): Stop => ({ enter: point, leave: point, through: [], badge: point })

export function drawingOf(input: DrawingInput): Drawing {
  const { result, side, parted } = input
  const stopOf = input.layout ? physicalStops(input.layout) : input.lanes ? virtualStops(input.lanes) : () => null
  const pieces: Piece[] = []
  const badges: Badge[] = []
  let last: { stop: Stop; leg: TraceHop['leg'] } | undefined
  for (let i = 0; i < result.hops.length; i++) {
    const hop = result.hops[i]!
    const stop = stopOf(hop, result.hops[i - 1], result.hops[i + 1])
    const id = hopId(side, hop.n)
    const badge = badges.at(-1)
    if (!stop) {
      // Nowhere on this picture: it happens between the places that are.
      if (badge?.leg === hop.leg) badge.ids.push(id)
      continue
    }
    if (last?.leg === hop.leg) pieces.push({ points: [last.stop.leave, stop.enter], evidence: hop.evidence, leg: hop.leg })
    if (stop.through.length > 0) pieces.push({ points: [stop.enter, ...stop.through, stop.leave], evidence: hop.evidence, leg: hop.leg })
    badges.push({ at: stop.badge, ids: [id], text: '', leg: hop.leg, parting: false })
    last = { stop, leg: hop.leg }
  }
  const numbers = new Map(result.hops.map((hop) => [hopId(side, hop.n), hop]))
  for (const badge of badges) {
    const [first, end] = [numbers.get(badge.ids[0]!)!.n, numbers.get(badge.ids.at(-1)!)!.n]
    badge.text = first === end ? String(first) : `${first}–${end}`
    badge.parting = badge.ids.some((id) => isParting(numbers.get(id)!, parted))
  }
  const end = result.verdict === 'delivered' || !last ? null : { at: last.stop.badge, verdict: result.verdict }
  return { pieces, badges, end, passed: passedOf(result.hops) }
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
  return passed
}

type StopOf = (hop: TraceHop, before: TraceHop | undefined, after: TraceHop | undefined) => Stop | null

function physicalStops({ hosts, switches, nics, ports, chips, counts }: Layout): StopOf {
  const nicAt = new Map(nics.map((nic) => [nic.id, nic]))
  const chipAt = new Map(chips.map((chip) => [`${chip.host}/${chip.name}`, chip]))
  const countAt = new Map(counts.map((count) => [count.host, count]))
  const socketAt = new Map(ports.map((port) => [port.id, port]))
  const rightEnd = (box: Box): Point => ({ x: box.x + box.width / 2, y: box.y })

  /** Along a switch's edge that faces its hosts, so that the line hides no port's number. */
  function throughSwitch(name: string, hop: TraceHop): Stop | null {
    const bar = switches.get(name)
    if (!bar) return null
    const [enter, leave] = [hop.in, hop.out].map((port) => socketAt.get(`${name}/${port ?? ''}`))
    const below = [...hosts.values()].some((host) => host.y > bar.y) ? 1 : -1
    const edge = bar.y + below * (sizes.portHeight / 2 + 6)
    const ends = [enter ?? leave, leave ?? enter].map((socket) => ({ x: socket?.x ?? bar.x, y: edge })) as [Point, Point]
    const middle = { x: (ends[0].x + ends[1].x) / 2, y: edge }
    return { enter: ends[0], leave: ends[1], through: ends[0].x === ends[1].x ? [] : [middle], badge: middle }
  }

  return (hop, before) => {
    const host = hosts.get(hop.host)
    if (!host) return throughSwitch(hop.host, hop)
    const top = host.y - host.height / 2
    const nic = nicAt.get(`${hop.host}/${hop.device}`)
    if (nic) {
      const outwards = nic.y < host.y ? -1 : 1
      const [inner, outer] = [-1, 1].map((side) => ({ x: nic.x, y: nic.y + side * outwards * (nic.height / 2) })) as [Point, Point]
      const arrives = before !== undefined && before.host !== hop.host
      return { enter: arrives ? outer : inner, leave: arrives ? inner : outer, through: [], badge: rightEnd(nic) }
    }
    const chip = chipAt.get(`${hop.host}/${hop.device}`)
    if (chip) return at(rightEnd(chip))
    if (hop.device === 'vxlan' || hop.device === 'gre') return at({ x: host.x + host.width / 2 - 18, y: top + 46 })
    if (hop.device === 'br-int') return at({ x: host.x + host.width / 2 - 54, y: top + 26 })
    const count = countAt.get(hop.host)
    return at(count ? rightEnd(count) : { x: host.x, y: host.y })
  }
}

function virtualStops({ lanes, routers, ports, taps }: Lanes): StopOf {
  const laneAt = new Map(lanes.map((lane) => [lane.name, lane]))
  const routerAt = new Map(routers.map((router) => [router.name, router]))
  const portAt = new Map<string, Box & { network: string }>([
    ...taps.flatMap((tap) => tap.ports.map((name) => [name, tap] as const)),
    ...ports.map((port) => [port.name, port] as const),
  ])
  const left = (lane: Box): number => lane.x - lane.width / 2
  const named = (hop: TraceHop | undefined, kind: string): string[] =>
    (hop?.objects ?? []).flatMap((object) => (object.startsWith(`${kind}/`) ? [object.slice(kind.length + 1)] : []))
  /** The band that the packet is on after the last place that has one. */
  let lane: Box | undefined
  let x = 0

  return (hop, _before, after) => {
    const box = portAt.get(hop.device)
    if (box) {
      const place = { x: box.x, y: box.y - box.height / 2 }
      const [sends] = [hop.in === null]
      const own = laneAt.get(box.network)
      const onLane = own && { x: box.x, y: own.y }
      lane = own
      x = box.x
      return onLane ? { enter: sends ? place : onLane, leave: sends ? onLane : place, through: [{ x: box.x, y: (place.y + onLane.y) / 2 }], badge: { x: box.x + box.width / 2, y: box.y } } : at(place)
    }
    const router = routerAt.get(named(hop, 'router')[0] ?? '')
    if (router && lane) {
      const into = named(hop, 'network').map((name) => laneAt.get(name)).find((other) => other !== undefined && other !== lane) ?? lane
      const from = { x: left(lane), y: lane.y }
      const to = { x: left(into), y: into.y }
      lane = into
      x = left(into)
      return { enter: from, leave: to, through: [{ x: router.x, y: from.y }, { x: router.x, y: to.y }], badge: { x: router.x + router.width / 2 - 4, y: router.y } }
    }
    // The last hop of a packet that got no further stands on its band.
    if (!after && lane) return at({ x: x <= left(lane) + 1 ? left(lane) + 228 : x, y: lane.y })
    return null
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
