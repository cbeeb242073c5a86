import type { TraceHop, TraceResult } from '../../../core/model/trace.ts'

/** One of the two ways in which a trace is answered. */
export type Side = 'simulated' | 'live'

/** Where the two ways part first. */
export interface Parting {
  n: number
  leg: TraceHop['leg']
  host: string
  device: string
  /** `kind/name` of what lacks flows or has others; null where it is not known. */
  object: string | null
  message: string
}

/** An answer by its sides: one of them, or both beside each other. */
export interface TraceAnswer {
  sides: Partial<Record<Side, TraceResult>>
  parted: Parting | null
}

export function answerOf(result: TraceResult): TraceAnswer {
  if (result.mode !== 'both') return { sides: { [result.mode]: result }, parted: null }
  const { simulated, live, parted } = result as TraceResult & { simulated?: TraceResult; live?: TraceResult; parted?: Parting | null }
  return { sides: { ...(simulated && { simulated }), ...(live && { live }) }, parted: parted ?? null }
}

/** The declaration that would let a dropped packet pass, where the tracer proposes one. */
export const remedyOf = (result: Pick<TraceResult, 'drop'> | null | undefined): string | null =>
  typeof result?.drop?.remedy === 'string' ? result.drop.remedy : null

/** The hop at which a packet was dropped: the last at the place where it was, else the last of all, from where it got no further. */
export function dropHop({ hops, drop }: Pick<TraceResult, 'hops' | 'drop'>): TraceHop | undefined {
  return hops.findLast(({ host, device }) => drop?.host === host && drop.device === device) ?? hops.at(-1)
}

/** A hop by its side and number, as it is selected: `live-3`. */
export const hopId = (side: Side, n: number): string => `${side}-${n}`

export function parseHopId(id: string): { side: Side; n: number } | null {
  const match = /^(simulated|live)-(\d+)$/.exec(id)
  return match ? { side: match[1] as Side, n: Number(match[2]) } : null
}

export const hopOf = (answer: TraceAnswer | null, id: string): TraceHop | undefined => {
  const parsed = parseHopId(id)
  return parsed ? answer?.sides[parsed.side]?.hops.find(({ n }) => n === parsed.n) : undefined
}

/** A row of the two lists beside each other. `at`: the row from which on they differ begins here. */
export interface HopPair {
  simulated: TraceHop | undefined
  live: TraceHop | undefined
  parts: boolean
}

const sameDevice = (a: TraceHop, b: TraceHop): boolean => a.leg === b.leg && a.host === b.host && a.device === b.device

/**
 * The hops of both ways in rows. As long as they pass the same devices they stand beside each other; a device that only one names (what
 * lies between two that saw it) has its own row; from where they part each goes its own way.
 */
export function pairHops({ sides, parted }: TraceAnswer): HopPair[] {
  const [simulated, live] = [sides.simulated?.hops ?? [], sides.live?.hops ?? []]
  const pairs: HopPair[] = []
  let [i, j] = [0, 0]
  while (i < simulated.length || j < live.length) {
    const [a, b] = [simulated[i], live[j]]
    if (a && b && !sameDevice(a, b)) {
      const aheadLive = live.findIndex((hop, k) => k > j && sameDevice(hop, a))
      const aheadSimulated = simulated.findIndex((hop, k) => k > i && sameDevice(hop, b))
      if (aheadLive >= 0 && (aheadSimulated < 0 || aheadLive - j <= aheadSimulated - i)) {
        pairs.push({ simulated: undefined, live: live[j++], parts: false })
        continue
      }
      if (aheadSimulated >= 0) {
        pairs.push({ simulated: simulated[i++], live: undefined, parts: false })
        continue
      }
    }
    pairs.push({ simulated: simulated[i++], live: live[j++], parts: false })
  }
  const at = parted === null ? -1 : pairs.findIndex(({ simulated, live }) => [live, simulated].some((hop) => hop && isParting(hop, parted)))
  return pairs.map((pair, index) => ({ ...pair, parts: index === at }))
}

/** Whether two ways part at a hop. */
export const isParting = (hop: TraceHop, parted: Parting | null): boolean =>
  parted !== null && hop.leg === parted.leg && hop.host === parted.host && hop.device === parted.device && hop.n === parted.n
