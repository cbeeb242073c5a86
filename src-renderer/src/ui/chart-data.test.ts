import fc from 'fast-check'
import { expect, test } from 'vitest'
import { append } from '../state/append.ts'
import { chartData } from './chart-data.ts'

test('no line is drawn across what was not measured', () => {
  const [times, cpu] = chartData(
    [
      { atMs: 1000, cpu: 0.1 },
      { atMs: 2000, cpu: 0.2 },
      { atMs: 9000, cpu: 0.3 },
    ],
    [({ cpu }) => cpu],
  )
  expect(times).toEqual([1, 2, 3, 9])
  expect(cpu).toEqual([0.1, 0.2, null, 0.3])
})

test('a thing that is missing in a sample is a gap in its line alone', () => {
  const data = chartData([{ atMs: 1000, a: 1 as number | undefined, b: 2 }], [({ a }) => (a === 1 ? null : 0), ({ b }) => b])
  expect(data).toEqual([[1], [null], [2]])
})

test('times rise, and each line has a value for each of them', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 100_000 })), (seconds) => {
      const samples = seconds.sort((a, b) => a - b).map((s) => ({ atMs: s * 1000 }))
      const [times, values] = chartData(samples, [() => 1])
      expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true)
      expect(values).toHaveLength(times.length)
      expect(values!.filter((value) => value !== null)).toHaveLength(samples.length)
    }),
  )
})

test('samples are kept in order, each second once, as far back as they are wanted', () => {
  const at = (atMs: number) => ({ atMs })
  expect(append([at(1000), at(2000)], [at(2000), at(4000), at(3000)], 60_000)).toEqual([at(1000), at(2000), at(3000), at(4000)])
  expect(append([at(1000), at(2000)], [at(62_000)], 60_000)).toEqual([at(2000), at(62_000)])
  const same = [at(1000)]
  expect(append(same, [], 60_000)).toBe(same)
})
