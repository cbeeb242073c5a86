import { expect, test } from 'vitest'
import { outageOf } from './vip-guest.ts'

const sent = Array.from({ length: 200 }, (_, number) => number)
const answeredBut = (...missing: [from: number, to: number][]): Set<number> => {
  return new Set(sent.filter((number) => !missing.some(([from, to]) => number >= from && number < to)))
}

test('an outage is from the first probe without an answer to the next with one; the longest counts', () => {
  const answered = answeredBut([10, 15], [40, 70])
  expect(outageOf(sent, answered, 0, 'a', 300)).toEqual({ longestMs: 30, openMs: 0, from: 'a', answers: 165 })
  expect(outageOf(sent, answered, 70, 'a', 300)).toMatchObject({ longestMs: 0, openMs: 0 })
})

test('what nobody answers any more is open, but for probes that may still be answered', () => {
  expect(outageOf(sent, answeredBut([100, 200]), 0, 'a', 300)).toMatchObject({ longestMs: 0, openMs: 200 })
  expect(outageOf(sent, answeredBut([190, 200]), 0, 'a', 230)).toMatchObject({ longestMs: 0, openMs: 0 })
})

test('a client that did not send for a while has seen no outage', () => {
  const stalled = sent.map((number) => (number < 100 ? number : number + 5000))
  expect(outageOf(stalled, answeredBut(), 0, 'a', 5300)).toMatchObject({ longestMs: 0, openMs: 0 })
})
