import { expect, test } from 'vitest'
import { judge } from './packet-stream.ts'

const passages = (numbers: readonly number[], delayUs: number): [number, number][] => numbers.map((number) => [number, number * 1000 + delayUs])
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)

test('an outage lasts from the first packet that was lost until anything arrives again', () => {
  const sent = passages(upTo(100), 0)
  const arrived = passages([...upTo(40), ...upTo(100).slice(70)], 200)
  expect(judge(sent, arrived, 100)).toEqual({ sent: 100, lost: 30, repeated: 0, outageMs: 30.2 })
})

test('what comes late counts as an outage, what comes twice is no loss, and a pause of the sender is neither', () => {
  const numbers = upTo(10)
  const late = numbers.map((number): [number, number] => [number, number < 5 ? number * 1000 + 100 : 60_000 + number])
  expect(judge(passages(numbers, 0), [...late, [9, 61_000]], 10)).toMatchObject({ lost: 0, repeated: 1, outageMs: 55.005 })
  const paused = (delayUs: number): [number, number][] => numbers.map((number) => [number, number * 1000 + (number < 5 ? 0 : 1_000_000) + delayUs])
  expect(judge(paused(0), paused(300), 10)).toEqual({ sent: 10, lost: 0, repeated: 0, outageMs: 0 })
})
