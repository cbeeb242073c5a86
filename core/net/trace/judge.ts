import type { TraceHop, TraceResult } from '../../model/trace.ts'
import { judgeCopies } from './judge-copies.ts'
import type { SightedLeg } from './sightings.ts'

/** One time that a tap saw the traced packet. */
export interface Sighting {
  host: string
  device: string
  leg: SightedLeg
  /** Microseconds, by the clock of the host that saw it. */
  atUs: number
}

/** What a live trace has gathered. */
export interface Observation {
  /** What the flows that are really in place would do: computed, to be held against what was seen. */
  path: TraceResult
  /** `host/device` of every tap that stood while the packet was on its way. */
  armed: ReadonlySet<string>
  /** Why a place could not be tapped, by `host/device`. */
  blind: ReadonlyMap<string, string>
  sightings: readonly Sighting[]
  /** When the packet was put in. */
  sentAtUs: number
  /** The packet asks for an answer: ICMP echo, TCP SYN, ARP. */
  answered: boolean
  /** Hosts that do not say what is in place on them, and had not put all in place when they last did: why, in a sentence, by name. */
  lagging: ReadonlyMap<string, string>
}

const placeOf = ({ host, device }: { host: string; device: string }): string => `${host}/${device}`

/**
 * The verdict of a live trace. What taps saw is the truth; what flows say fills in what no tap can see, and says why. Where neither knows,
 * the verdict is unknown, with the last place seen: a time that ran out is no verdict.
 */
export function judge(observation: Observation): TraceResult {
  const { path, sightings } = observation
  const hops = withEvidence(observation, path.hops)
  const copies = judgeCopies(observation, hops)
  const result = (rest: Pick<TraceResult, 'verdict' | 'drop' | 'limit'>): TraceResult => ({
    mode: 'live',
    hops,
    ...(path.copies && { copies }),
    rttMs: rttOf(observation, hops),
    ...rest,
  })
  const arrived = arrival(observation, hops)
  if (arrived) return result({ verdict: 'delivered', drop: null, limit: null })
  const last = hops.findLast((hop) => hop.evidence === 'seen') ?? hops[0]!
  // Not to be seen at the very device that drops it says nothing against that; what enters a tunnel is seen at the NIC that it leaves by.
  const { drop } = path
  const stops = (hop: TraceHop): boolean =>
    drop !== null && hop.host === drop.host && (hop.device === drop.device || (hop.action === 'encapsulated' && hop.out === drop.device))
  const missing = hops.find((hop) => hop.n > last.n && observation.armed.has(placeOf(hop)) && !stops(hop))
  // The flows in place drop it beyond the last place seen, and nothing that was watched after it saw anything: they are believed.
  if (path.verdict === 'dropped' && path.drop && !missing) return result({ verdict: 'dropped', drop: path.drop, limit: null })
  if (path.verdict === 'unknown') return result({ verdict: 'unknown', drop: null, limit: path.limit })
  const lags = observation.answered ? hops.find((hop) => hop.n > last.n && observation.lagging.has(hop.host)) : undefined
  if (lags && (!missing || missing.n > lags.n)) {
    const { host } = lags
    const hint = observation.lagging.get(host)!
    return result({ verdict: 'dropped', drop: { host, device: 'br-int', reason: 'flow-missing', object: `forwarding/${host}`, hint }, limit: null })
  }
  return result({ verdict: 'unknown', drop: null, limit: limitOf(observation, hops, last, missing, sightings) })
}

/** Hops with what is known of each: seen by a tap, lying between two that were, or computed. */
export function withEvidence({ sightings, armed }: Pick<Observation, 'sightings' | 'armed'>, path: readonly TraceHop[]): TraceHop[] {
  const times = new Map<string, number>()
  for (const { leg, ...place } of sightings) {
    const key = `${leg === 'error' ? 'return' : leg} ${placeOf(place)}`
    times.set(key, (times.get(key) ?? 0) + 1)
  }
  const hops = path.map((hop): TraceHop => {
    const key = `${hop.leg} ${placeOf(hop)}`
    const left = times.get(key) ?? 0
    // What it passes twice, as the NIC of a broadcast node, has to have seen it twice.
    times.set(key, left - 1)
    // The packet was put in at the first hop.
    const sighted = hop.n === 1 || (armed.has(placeOf(hop)) && left > 0)
    return { ...hop, evidence: sighted ? 'seen' : hop.evidence === 'inferred' ? 'inferred' : 'computed' }
  })
  const lastSeen = hops.findLastIndex((hop) => hop.evidence === 'seen')
  return hops.map((hop, index) =>
    index < lastSeen && hop.evidence === 'computed' && hop.kind === 'physical' ? { ...hop, evidence: 'inferred' } : hop,
  )
}

/** Whether it got to where it was to get: an answer is seen again at the sender, what asks for none at its receiver. */
function arrival({ path, sightings, answered }: Observation, hops: readonly TraceHop[]): boolean {
  const sender = hops[0]!
  if (answered) return sightings.some((sighting) => sighting.leg === 'return' && placeOf(sighting) === placeOf(sender))
  const receiver = path.verdict === 'delivered' ? path.hops.findLast((hop) => hop.leg === 'forward') : undefined
  return receiver !== undefined && sightings.some((sighting) => sighting.leg === 'forward' && placeOf(sighting) === placeOf(receiver))
}

function rttOf({ sightings, sentAtUs, answered }: Observation, hops: readonly TraceHop[]): number | null {
  if (!answered) return null
  const sender = hops[0]!
  const back = sightings.find((sighting) => sighting.leg === 'return' && placeOf(sighting) === placeOf(sender))
  if (!back) return null
  // Putting it in takes a program's start; where a tap of the same host saw it leave, that is when it was sent.
  const left = sightings.filter(({ leg, host }) => leg === 'forward' && host === sender.host).map(({ atUs }) => atUs)
  return Math.max(0, back.atUs - Math.max(sentAtUs, Math.min(...left, back.atUs))) / 1000
}

function limitOf(
  { blind, path }: Observation,
  hops: readonly TraceHop[],
  last: TraceHop,
  missing: TraceHop | undefined,
  sightings: readonly Sighting[],
): string {
  const where = `It was last seen at ${last.device} of ${last.host}`
  if (sightings.length === 0 && hops.length > 1)
    return `It was put in at ${last.device} of ${last.host} and seen nowhere: its virtual switch may not have taken it.`
  const next = missing ?? hops.find((hop) => hop.n > last.n)
  const between = hops.filter((hop) => hop.n > last.n && (!missing || hop.n < missing.n))
  const hidden = new Map(between.flatMap((hop) => (blind.has(placeOf(hop)) ? [[placeOf(hop), hop] as const] : [])))
  if (hidden.size > 0) {
    const reasons = Map.groupBy(hidden, ([place, { host }]) => `${host} could not be watched: ${blind.get(place)}`)
    const named = [...reasons].map(([words, places]) => `${places.map(([, { device }]) => device).join(' and ')} of ${words}.`)
    return `${where}. ${named.join(' ')}`
  }
  if (!next) return `${where}, which did not answer.`
  const node = between.find(({ action }) => action === 'replicated')
  if (node && last.host === node.host) return `${where}, and the replicator there sent it on to nobody that was watched.`
  if (last.kind === 'physical' && next.kind === 'physical' && next.host !== last.host) {
    return `${where} and did not arrive at ${next.device} of ${next.host}: it was lost in between, where no agent can look.`
  }
  if (next.leg === 'return' && last.leg === 'forward') return `It reached ${last.device} of ${last.host}, which did not answer.`
  return `${where} and did not come to ${next.device} of ${next.host}, though the flows in place send it there (${path.verdict}).`
}
