import type { TraceCopy, TraceHop } from '../../model/trace.ts'
import { withEvidence, type Observation } from './judge.ts'

/** What became of each copy of a packet to many, by the taps at the ports that they are for; hops with what is known of each. */
export function judgeCopies(observation: Observation, followed: readonly TraceHop[]): TraceCopy[] {
  const { path, armed, blind, sightings } = observation
  return (path.copies ?? []).map((copy): TraceCopy => {
    const whole = withEvidence(observation, [...path.hops.slice(0, copy.after), ...copy.hops])
    const hops = whole.slice(copy.after)
    const place = `${copy.host}/${copy.port ?? ''}`
    const seen = sightings.some(({ leg, host, device }) => leg === 'forward' && `${host}/${device}` === place)
    if (seen) return { ...copy, hops, verdict: 'delivered', drop: null, limit: null }
    if (copy.verdict !== 'delivered') return { ...copy, hops }
    const last = [...followed.slice(0, copy.after), ...hops].findLast(({ evidence }) => evidence === 'seen')
    const where = last ? `It was last seen at ${last.device} of ${last.host}` : 'It was seen nowhere'
    const why = armed.has(place)
      ? `and did not come to ${copy.port} of ${copy.host}, though the flows in place send it there`
      : `and ${copy.port} of ${copy.host} could not be watched: ${blind.get(place) ?? 'no tap stood there'}`
    return { ...copy, hops, verdict: 'unknown', drop: null, limit: `${where} ${why}.` }
  })
}
