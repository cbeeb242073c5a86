import { expect, test } from 'vitest'
import { goalMet, table } from './run.ts'

test('a goal is met up to and with its bound', () => {
  const figure = { figure: 'fail-over p99', unit: 's' }
  expect(goalMet({ ...figure, value: 3, goal: { max: 3 } })).toBe(true)
  expect(goalMet({ ...figure, value: 3.01, goal: { max: 3 } })).toBe(false)
  expect(goalMet({ ...figure, value: 999, goal: { min: 1000 } })).toBe(false)
  expect(goalMet({ ...figure, value: NaN, goal: { max: 3 } })).toBe(false)
  expect(goalMet({ ...figure, value: 1 })).toBeNull()
})

test('the table names what was missed', () => {
  const lines = table([
    { figure: 'fail-over p50', value: 2.412, unit: 's' },
    { figure: 'fail-over p99', value: 3.5, unit: 's', goal: { max: 3 }, note: '20 rounds' },
    { figure: 'deltas', value: 123456, unit: '1/s', goal: { min: 1000 } },
  ]).split('\n')
  expect(lines[1]).toMatch(/^fail-over p50 +2\.41 +s$/)
  expect(lines[2]).toMatch(/^fail-over p99 +3\.5 +s +≤ 3 +MISSED +20 rounds$/)
  expect(lines[3]).toMatch(/^deltas +123456 +1\/s +≥ 1000 +met$/)
})
