import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, isDamped, noRecord, type Claim, type VipRecord } from './claims.ts'

const claim = (port: string, atMs: number, outageMs: number | null = null): Claim => ({
  port,
  host: `host-of-${port}`,
  mac: '02:00:00:00:00:01',
  atMs,
  outageMs,
})
/** What a record becomes by claims that are decided as they come; held ones are lost. */
const after = (...claims: Claim[]): VipRecord =>
  claims.reduce((record, one) => {
    const decision = decide(record, one, one.atMs)
    return decision.kind === 'moves' ? decision.record : record
  }, noRecord)

describe('a claim to a floating address', () => {
  it('moves it, and says from where, when and after what outage', () => {
    expect(after(claim('a', 1000), claim('b', 9000, 700))).toEqual({
      owner: { port: 'b', host: 'host-of-b', mac: '02:00:00:00:00:01', sinceMs: 9000 },
      claimants: [],
      history: [
        { from: null, to: 'a', atMs: 1000, outageMs: null },
        { from: 'a', to: 'b', atMs: 9000, outageMs: 700 },
      ],
    })
  })

  it('by the owner says nothing new', () => {
    const record = after(claim('a', 1000))
    expect(decide(record, claim('a', 5000), 5000)).toEqual({ kind: 'known' })
  })

  it('by the owner from another host is no drift', () => {
    const record = after(claim('a', 1000), { ...claim('a', 2000), host: 'elsewhere' })
    expect(record.owner).toMatchObject({ host: 'elsewhere', sinceMs: 2000 })
    expect(record.history).toHaveLength(1)
  })

  it('that nobody announced is one until the address moves on', () => {
    const record = after(claim('a', 1000), { ...claim('b', 2000), unannounced: true })
    expect(record.owner).toMatchObject({ port: 'b', unannounced: true })
    expect(decide(record, claim('b', 3000), 3000)).toEqual({ kind: 'known' })
    expect(after(claim('a', 1000), { ...claim('b', 2000), unannounced: true }, claim('a', 3000)).owner).not.toHaveProperty('unannounced')
  })

  it('that comes late does not undo what was claimed since', () => {
    const record = after(claim('a', 1000), claim('b', 50_000))
    expect(decide(record, claim('a', 20_000), 60_000)).toEqual({ kind: 'known' })
    // Just now, by a clock that is behind.
    expect(decide(record, claim('a', 49_500), 50_000)).toMatchObject({ kind: 'moves' })
  })

  it('is held where the address flaps, and decided when it has rested', () => {
    const flapping = after(...Array.from({ length: 9 }, (_, index) => claim(index % 2 ? 'b' : 'a', 100 * index)))
    expect(flapping.history).toHaveLength(6)
    expect(isDamped(flapping, 900)).toBe(true)
    const late = claim('a', 900)
    expect(decide(flapping, late, 900)).toEqual({ kind: 'held', forMs: 2600 })
    expect(decide(flapping, late, 3500)).toMatchObject({ kind: 'moves', record: { owner: { port: 'a' } } })
    expect(isDamped(flapping, 20_000)).toBe(false)
  })

  it('by whoever came last is the one that holds, and history stays bounded', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 3000, max: 60_000 })), { minLength: 1, maxLength: 120 }),
        (steps) => {
          let atMs = 0
          const claims = steps.map(([port, gapMs]) => claim(port, (atMs += gapMs)))
          const record = after(...claims)
          expect(record.owner?.port).toBe(claims.at(-1)!.port)
          expect(record.history.length).toBeLessThanOrEqual(50)
          for (const [index, drift] of record.history.entries()) if (index > 0) expect(drift.from).toBe(record.history[index - 1]!.to)
        },
      ),
    )
  })
})
