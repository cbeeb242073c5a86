import { chip, chipWidth } from './inside.ts'
import { laneSizes, type LaneBox, type Lanes } from './lanes.ts'
import type { Box, Layout } from './layout.ts'

/*
 * Floating addresses as badges: each lies on the band of its network, beside what stands for its owner's port there, to which a line leads. Where
 * no bands are shown, its owner's host carries it, or a badge for the number of them. When the owner changes it slides there, and nobody else moves.
 */

/** A VIP and where it is. */
export interface VipPlace {
  name: string
  network: string
  owner: { port: string; host: string } | null
  /** Its last move, while that is news. */
  moved: { from: { port: string; host: string }; outageMs: number | null } | null
}

export interface VipBox extends Box {
  /** Blank where it stands for several. */
  name: string
  network: string
  /** Names of those that it stands for. */
  all: string[]
  /** Port that has it; blank: nobody. */
  owner: string
  /** Host that carries it; null: it lies on a band. */
  on: string | null
  /** Id of what stands for its owner's port on the picture; null where nothing does. */
  at: string | null
  /** What stood for its owner before, while the move is news and over hosts, where it goes far. */
  from: { at: string; outageMs: number | null } | null
}

const height = 18
const gap = 6
/** Room in a host's box right of its state, and where the middle of that row lies below its top. */
const besideState = 110
const stateRow = 47
/** Of a badge that stands for several. */
const countWidth = 92
/** Room at the right end of a band, for the count of its ports. */
const countRoom = 100
/** Room at its left end for its name and subnet, where it is alone. */
const nameRoom = 252

export function vipBoxes(vips: readonly VipPlace[], layout: Layout | null, lanes: Lanes | null): VipBox[] {
  if (!lanes) return layout ? onHosts(vips, layout) : []
  const placed: VipBox[] = []
  for (const vip of vips) {
    const lane = lanes.lanes.find(({ name }) => name === vip.network)
    if (!lane) continue
    const owner = vip.owner && placeOf(vip.owner, vip.network, lanes)
    const former = layout && vip.moved && placeOf(vip.moved.from, vip.network, lanes)
    const width = chipWidth(vip.name) + 12
    const taken = [...placed, ...(layout ? lanes.taps : [])].filter((box) => box.network === vip.network)
    placed.push({
      ...{ name: vip.name, network: vip.network, all: [vip.name], owner: vip.owner?.port ?? '', on: null, at: owner?.id ?? null },
      from: former && vip.moved && former.id !== owner?.id ? { at: former.id, outageMs: vip.moved.outageMs } : null,
      ...{ x: freeX(owner, width, lane, taken, layout !== null), y: lane.y, width, height },
    })
  }
  return placed
}

/** Beside the state of their owners' hosts; one for all of a host where there is no room for each. Who has no owner is nowhere. */
function onHosts(vips: readonly VipPlace[], { hosts }: Layout): VipBox[] {
  return [...hosts].flatMap(([host, box]) => {
    const own = vips.filter(({ owner }) => owner?.host === host)
    const widths = own.map(({ name }) => chipWidth(name) + 12)
    const right = box.x + box.width / 2 - chip.margin
    const place = { on: host, at: null, from: null, y: box.y - box.height / 2 + stateRow, height }
    if (own.length > 1 && widths.reduce((sum, width) => sum + gap + width, -gap) > besideState) {
      return [{ ...place, name: '', network: '', owner: '', all: own.map(({ name }) => name), x: right - countWidth / 2, width: countWidth }]
    }
    return own.map(({ name, network, owner }, i): VipBox => {
      const x = right - widths.slice(0, i).reduce((sum, width) => sum + gap + width, 0) - widths[i]! / 2
      return { ...place, name, network, owner: owner!.port, all: [name], x, width: widths[i]! }
    })
  })
}

/** What stands for a port at its band: itself where it hangs from it, else the count of its host's ports. */
function placeOf({ port, host }: { port: string; host: string }, network: string, lanes: Lanes): { id: string; x: number; width: number } | null {
  const hanging = lanes.ports.find(({ name }) => name === port)
  if (hanging) return { id: `port/${port}`, x: hanging.x, width: 0 }
  const tap = lanes.taps.find((known) => known.host === host && known.network === network)
  return tap ? { id: `tap/${tap.id}`, x: tap.x, width: tap.width } : null
}

/** The nearest place to the right of its owner's that is free; where there is none, to the left of it. Nobody's begins at the left end. */
function freeX(owner: { x: number; width: number } | null, width: number, lane: LaneBox, taken: readonly Box[], overHosts: boolean): number {
  const left = lane.x - lane.width / 2
  const first = left + (overHosts ? Math.min(laneSizes.labelWidth, lane.width / 3) : Math.min(nameRoom, lane.width / 3)) + width / 2
  const last = left + lane.width - countRoom - width / 2
  // Alone, it lies right above its owner's port.
  const aside = owner && overHosts ? owner.width / 2 + gap + width / 2 : 0
  const freeFrom = (from: number, step: 1 | -1): number => {
    let x = from
    const blocking = (): Box | undefined => taken.find((box) => Math.abs(box.x - x) < (box.width + width) / 2 + gap - 0.5)
    for (let box = blocking(); box; box = blocking()) x = box.x + step * ((box.width + width) / 2 + gap)
    return x
  }
  const right = freeFrom(Math.max(first, owner ? owner.x + aside : first), 1)
  return right <= last ? right : Math.max(first, freeFrom(Math.min(last, owner ? owner.x - aside : last), -1))
}
