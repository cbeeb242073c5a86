import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { estimateClock, toOwnClock, type RoundTrip } from './clock.ts'

/** Round trips to a clock that is `offsetUs` ahead, with the time that each way and the other side took. */
function simulate(offsetUs: number, ways: readonly { thereUs: number; backUs: number; heldUs: number }[]): [RoundTrip, ...RoundTrip[]] {
  let nowUs = 1_800_000_000_000_000
  const trips = ways.map(({ thereUs, backUs, heldUs }): RoundTrip => {
    const sentUs = nowUs
    const heardUs = sentUs + thereUs + offsetUs
    const answeredUs = heardUs + heldUs
    nowUs = answeredUs - offsetUs + backUs
    return { sentUs, heardUs, answeredUs, receivedUs: nowUs }
  })
  return trips as [RoundTrip, ...RoundTrip[]]
}

const way = fc.record({
  thereUs: fc.integer({ min: 10, max: 50_000 }),
  backUs: fc.integer({ min: 10, max: 50_000 }),
  heldUs: fc.integer({ min: 0, max: 2000 }),
})

describe('the offset of a clock', () => {
  it('is never off by more than is said, whatever the ways take', () => {
    const offsets = fc.integer({ min: -1e12, max: 1e12 })
    fc.assert(
      fc.property(offsets, fc.array(way, { minLength: 1, maxLength: 12 }), (offsetUs, ways) => {
        const { offsetUs: estimated, uncertaintyUs } = estimateClock(simulate(offsetUs, ways))
        expect(Math.abs(estimated - offsetUs)).toBeLessThanOrEqual(uncertaintyUs + 1)
      }),
    )
  })

  it('is that of the quickest round trip', () => {
    const slow = { thereUs: 40_000, backUs: 400, heldUs: 900 }
    expect(estimateClock(simulate(-5_000_000, [slow, { thereUs: 210, backUs: 190, heldUs: 500 }, slow]))).toMatchObject({
      offsetUs: -4_999_990,
      uncertaintyUs: 200,
    })
  })
})

describe('a moment by the own clock', () => {
  const estimate = (atUs: number, offsetUs: number) => ({ atUs, offsetUs, uncertaintyUs: 100 })

  it('follows a clock that drifts between two estimates', () => {
    const estimates = [estimate(1_000_000, 500), estimate(11_000_000, 1500), estimate(21_000_000, 1500)]
    expect([0, 1_000_000, 6_000_000, 11_000_000, 16_000_000, 30_000_000].map((at) => toOwnClock(at, estimates) - at)).toEqual([
      -500, -500, -1000, -1500, -1500, -1500,
    ])
    expect(toOwnClock(7, [])).toBe(7)
  })

  it('keeps the order in which one host saw packets', () => {
    const estimates = fc.array(fc.tuple(fc.integer({ min: 1, max: 1e7 }), fc.integer({ min: -5000, max: 5000 })), { maxLength: 5 }).map((steps) => {
      let atUs = 1e9
      return steps.map(([stepUs, offsetUs]) => estimate((atUs += stepUs + 20_000), offsetUs))
    })
    fc.assert(
      fc.property(estimates, fc.array(fc.integer({ min: 0, max: 6e7 }), { minLength: 2, maxLength: 20 }), (known, moments) => {
        const seen = moments.sort((a, b) => a - b).map((at) => toOwnClock(1e9 + at, known))
        expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      }),
    )
  })
})
