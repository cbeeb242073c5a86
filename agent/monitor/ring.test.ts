import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Sample } from '../../core/model/index.ts'
import { SampleRing, type Batch } from './ring.ts'

const sample = (atMs: number): Sample => ({ atMs, cpu: 0.5, memoryUsedBytes: 1, load1: 0, nics: {}, disks: {} })
const times = (batch: Batch): number[] => batch.samples.map((s) => s.atMs)

async function next(reader: AsyncGenerator<Batch, void>): Promise<Batch> {
  const result = await reader.next()
  if (result.done) throw new Error('the reader ended')
  return result.value
}

describe('a reader', () => {
  const ring = (from: number, to: number, capacity = 100): SampleRing => {
    const made = new SampleRing(capacity)
    for (let second = from; second <= to; second++) made.push(sample(second * 1000))
    return made
  }

  it('gets what is later than it knows, then what comes', async () => {
    const held = ring(1, 5)
    const reader = held.read(3000)
    expect(await next(reader)).toMatchObject({ gap: false, samples: [{ atMs: 4000 }, { atMs: 5000 }] })
    const waiting = next(reader)
    held.push(sample(6000))
    expect(times(await waiting)).toEqual([6000])
  })

  it.each([
    [undefined, false],
    [0, true],
    [99_000, true],
    [199_000, false],
    [200_500, false],
  ])('that knows all up to %s is told of a gap: %s', async (sinceMs, gap) => {
    // Held: second 201 to 300.
    expect((await next(ring(1, 300).read(sinceMs))).gap).toBe(gap)
  })

  it('that was slow is told so, once, and goes on with the oldest held', async () => {
    const held = ring(1, 10, 8)
    const reader = held.read()
    await next(reader)
    for (let second = 11; second <= 100; second++) held.push(sample(second * 1000))
    const late = await next(reader)
    expect(late.gap).toBe(true)
    expect(times(late).at(-1)).toBe(100_000)
    const waiting = next(reader)
    held.push(sample(101_000))
    expect(await waiting).toMatchObject({ gap: false, samples: [{ atMs: 101_000 }] })
  })

  it('gets an hour in several messages', async () => {
    const reader = ring(1, 3600, 3600).read(0)
    const sizes: number[] = []
    for (let got = 0; got < 3600; got += sizes.at(-1)!) sizes.push((await next(reader)).samples.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(300)
  })

  it('that goes away leaves nothing behind', async () => {
    const abort = new AbortController()
    const reader = ring(1, 1).read(1000, abort.signal)
    const waiting = reader.next()
    abort.abort()
    expect((await waiting).done).toBe(true)
  })
})

it('holds at most an eighth more than its capacity, and the newest', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat({ max: 200 }), (capacity, pushes) => {
      const ring = new SampleRing(capacity)
      for (let i = 1; i <= pushes; i++) ring.push(sample(i))
      expect(ring.length).toBeLessThanOrEqual(capacity * 1.125)
      expect(ring.length).toBeGreaterThanOrEqual(Math.min(pushes, capacity))
      const held = ring
        .toLines()
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as Sample).atMs)
      expect(held).toEqual(Array.from({ length: held.length }, (_, i) => pushes - held.length + 1 + i))
    }),
  )
})

it('takes over what an earlier version held without one twice, and readers in it keep their place', async () => {
  const ring = new SampleRing(6)
  ring.push(sample(5000))
  const reader = ring.read()
  await next(reader)
  ring.prepend([1, 2, 3, 4, 5, 6].map((second) => sample(second * 1000)))
  ring.push(sample(6000))
  expect(times(await next(reader))).toEqual([6000])
  expect(times(await next(ring.read()))).toEqual([1000, 2000, 3000, 4000, 5000, 6000])
  const full = new SampleRing(2)
  for (const at of [8, 9]) full.push(sample(at))
  full.prepend([sample(1)])
  expect(times(await next(full.read()))).toEqual([8, 9])
})
