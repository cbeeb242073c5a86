/** A question for the time and its answer, in microseconds: sent and received by the asker's clock, heard and answered by the other's. */
export interface RoundTrip {
  sentUs: number
  heardUs: number
  answeredUs: number
  receivedUs: number
}

/** How far another clock is ahead of one's own (behind when negative), at a moment of the other's. */
export interface ClockEstimate {
  atUs: number
  offsetUs: number
  /** The true offset is at most so far from `offsetUs`. */
  uncertaintyUs: number
}

/**
 * Offset and delay of the round trip that took least, as NTP has it (RFC 5905, sections 8 and 10): the less time is spent on the way, the
 * less of it can be spent on one way alone, by which the offset would be wrong. At most half the delay is.
 */
export function estimateClock(trips: readonly [RoundTrip, ...RoundTrip[]]): ClockEstimate {
  const delayOf = ({ sentUs, heardUs, answeredUs, receivedUs }: RoundTrip): number => Math.max(0, receivedUs - sentUs - (answeredUs - heardUs))
  const best = trips.reduce((least, trip) => (delayOf(trip) < delayOf(least) ? trip : least))
  const { sentUs, heardUs, answeredUs, receivedUs } = best
  return {
    atUs: answeredUs,
    offsetUs: Math.round((heardUs - sentUs + (answeredUs - receivedUs)) / 2),
    uncertaintyUs: Math.ceil(delayOf(best) / 2),
  }
}

/**
 * A moment of another clock by one's own. Between two estimates the offset goes from one to the other in a straight line, so that clocks may
 * drift and the order of what one host saw stays; outside them it is the nearest one's. `estimates` are in the order of their moments.
 */
export function toOwnClock(atUs: number, estimates: readonly ClockEstimate[]): number {
  const after = estimates.findIndex((one) => one.atUs >= atUs)
  const [earlier, later] = [estimates.at(after < 0 ? -1 : after - 1), estimates[after]]
  if (after < 0) return atUs - (earlier?.offsetUs ?? 0)
  if (after === 0 || !earlier || later!.atUs === earlier.atUs) return atUs - later!.offsetUs
  const share = (atUs - earlier.atUs) / (later!.atUs - earlier.atUs)
  return atUs - Math.round(earlier.offsetUs + share * (later!.offsetUs - earlier.offsetUs))
}
