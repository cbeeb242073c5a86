import { expect, test } from 'vitest'
import type { Path } from '../model/index.ts'
import { clockOffsets } from './clocks.ts'

const path = (from: string, to: string, clockOffsetMs: number | undefined, state: Path['state'] = 'up'): Path => ({
  ...{ from, to, plane: 'mgmt', state, sinceMs: 0, lost: 0, replayed: 0, forged: 0 },
  ...(clockOffsetMs !== undefined && { clockOffsetMs }),
})

test('one wrong clock among three is the one that nobody agrees with', () => {
  const paths = [path('h1', 'h2', 600_000), path('h3', 'h2', 600_100), path('h2', 'h1', -600_000), path('h3', 'h1', 100), path('h2', 'h3', -600_100)]
  expect(clockOffsets([...paths, path('h1', 'h3', 0)])).toEqual(new Map([['h2', 600_000], ['h1', 100], ['h3', 0]])) // prettier-ignore
})

test('of two that disagree both are told; what is not heard, or not known yet, tells nothing', () => {
  expect(clockOffsets([path('h1', 'h2', -2000), path('h2', 'h1', 2000)])).toEqual(new Map([['h2', -2000], ['h1', 2000]])) // prettier-ignore
  expect(clockOffsets([path('h1', 'h2', -2000, 'down'), path('h2', 'h1', undefined)])).toEqual(new Map())
})
