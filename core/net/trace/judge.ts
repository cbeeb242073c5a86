import type { TraceDrop, TraceHop, TraceResult } from '../../model/trace.ts'
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
}

const placeOf = ({ host, device }: { host: string; device: string }): string => `${host}/${device}`

/**
 * The verdict of a live trace. What taps saw is the truth; what flows say fills in what no tap can see, and says why. Where neither knows,
 * the verdict is unknown, with the last place seen: a time that ran out is no verdict.
 */
export function judge(observation: Observation): TraceResult {
  const { path, sightings } = observation
  const hops = withEvidence(observation)
  const result = (rest: Pick<TraceResult, 'verdict' | 'drop' | 'limit'>): TraceResult => ({
    mode: 'live',
    hops,
    rttMs: rttOf(observation, hops),
    ...rest,
  })
  const arrived = arrival(observation, hops)
  if (arrived) return result({ verdict: 'delivered', drop: null, limit: null })
  const last = hops.findLast((hop) => hop.evidence === 'seen') ?? hops[0]!
  const missing = hops.find((hop) => hop.n > last.n && observation.armed.has(placeOf(hop)))
  // The flows in place drop it beyond the last place seen, and nothing that was watched after it saw anything: they are believed.
  if (path.verdict === 'dropped' && path.drop && !missing) return result({ verdict: 'dropped', drop: path.drop, limit: null })
  if (path.verdict === 'unknown') return result({ verdict: 'unknown', drop: null, limit: path.limit })
  return result({ verdict: 'unknown', drop: null, limit: limitOf(observation, hops, last, missing, sightings) })
}

/** Hops up to the last one seen, each with what is known of it: seen by a tap, lying between two that were, or computed. */
function withEvidence({ path, sightings, armed }: Observation): TraceHop[] {
  const seen = new Set(sightings.map(({ leg, ...place }) => `${leg === 'error' ? 'return' : leg} ${placeOf(place)}`))
  const hops = path.hops.map((hop): TraceHop => {
    // The packet was put in at the first hop.
    const sighted = hop.n === 1 || (armed.has(placeOf(hop)) && seen.has(`${hop.leg} ${placeOf(hop)}`))
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
  const hidden = hops.filter((hop) => hop.n > last.n && blind.has(placeOf(hop)))
  if (hidden.length > 0)
    return `${where}. ${hidden.map((hop) => `${hop.device} of ${hop.host} could not be watched: ${blind.get(placeOf(hop))}`).join('. ')}.`
  if (!next) return `${where}, which did not answer.`
  if (last.kind === 'physical' && next.kind === 'physical' && next.host !== last.host) {
    return `${where} and did not arrive at ${next.device} of ${next.host}: it was lost in between, where no agent can look.`
  }
  if (next.leg === 'return' && last.leg === 'forward') return `It reached ${last.device} of ${last.host}, which did not answer.`
  return `${where} and did not come to ${next.device} of ${next.host}, though the flows in place send it there (${path.verdict}).`
}

/** Where two traces of the same packet part. */
export interface Parting {
  n: number
  leg: TraceHop['leg']
  host: string
  device: string
  /** `kind/name` of the object whose flows are missing or altered, as far as it can be told. */
  object: string | null
  message: string
}

/**
 * The first hop at which what is to be and what is part; null where they agree. The object is the first one whose flows the packet meets
 * in one and not in the other.
 */
export function partingOf(simulated: TraceResult, live: TraceResult, ownerOf: (cookie: string) => string | null): Parting | null {
  const same = simulated.verdict === live.verdict && simulated.drop?.reason === live.drop?.reason && simulated.drop?.object === live.drop?.object
  if (same) return null
  const length = Math.max(simulated.hops.length, live.hops.length)
  for (let index = 0; index < length; index++) {
    const [to, is] = [simulated.hops[index], live.hops[index]]
    const [toMeet, met] = [to?.cookies ?? [], is?.cookies ?? []]
    const at = [...toMeet, ...met].findIndex((_, flow) => toMeet[flow] !== met[flow])
    const [expected, found] = [toMeet[at], met[at]]
    const alike =
      to && is && to.host === is.host && to.device === is.device && to.action === is.action && expected === undefined && found === undefined
    if (alike) continue
    const hop = is ?? to!
    const object = (expected !== undefined ? ownerOf(expected) : null) ?? (found !== undefined ? ownerOf(found) : null)
    return { n: hop.n, leg: hop.leg, host: hop.host, device: hop.device, object, message: partingWords(to, is, object) }
  }
  const { n, leg, host, device } = live.hops.at(-1) ?? simulated.hops.at(-1)!
  return { n, leg, host, device, object: null, message: `It is to be ${words(simulated)} and is ${words(live)}.` }
}

/**
 * A live trace that is dropped where it should not be is dropped for what is missing or altered there, whatever the flow says that it came
 * to instead.
 */
export function blameParting(live: TraceResult, parting: Parting | null): TraceResult {
  if (!parting || !live.drop || live.drop.host !== parting.host || parting.device !== 'br-int') return live
  const { host, device, object, message } = parting
  const hint = `${message} The agent of ${host} puts that right by itself within seconds; see its events for what it found.`
  return { ...live, drop: { host, device, reason: 'flow-missing', object: object ?? live.drop.object, hint } }
}

function partingWords(to: TraceHop | undefined, is: TraceHop | undefined, object: string | null): string {
  const at = is ?? to!
  const of = object ? ` Flows of ${object.replace('/', ' ')} are missing or altered there.` : ''
  if (!to) return `It goes further than it should, to ${at.device} of ${at.host}.${of}`
  if (!is) return `It does not get to ${at.device} of ${at.host}, where it should.${of}`
  return `At ${at.device} of ${at.host} it is to be ${to.action} and is ${is.action}.${of}`
}

function words({ verdict, drop }: { verdict: string; drop: TraceDrop | null }): string {
  return drop ? `${verdict} (${drop.reason})` : verdict
}
