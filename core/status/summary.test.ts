import fc from 'fast-check'
import { expect, it } from 'vitest'
import { summarise, worst, type SummaryState } from './summary.ts'

it.each([
  ['', 'unknown'],
  ['unknown', 'unknown'],
  ['up', 'up'],
  ['up unknown', 'up'],
  ['down', 'down'],
  ['down unknown', 'down'],
  ['up down', 'degraded'],
  ['unknown up down', 'degraded'],
] as const)('summarise(%s) is %s', (states, expected) => {
  expect(summarise(states.split(' ').filter(Boolean) as ('up' | 'down' | 'unknown')[])).toBe(expected)
})

it('worst is the one that needs attention most, whatever the order', () => {
  const state = fc.constantFrom<SummaryState>('up', 'unknown', 'degraded', 'down')
  fc.assert(
    fc.property(fc.array(state, { minLength: 1 }), (states) => {
      const found = worst(states)
      expect(states).toContain(found)
      expect(worst([...states].reverse())).toBe(found)
      for (const rank of ['down', 'degraded', 'unknown'] as const) {
        if (!states.includes(rank)) continue
        expect(found).toBe(rank)
        break
      }
    }),
  )
  expect(worst([])).toBe('up')
})
