import { expect, test } from 'vitest'
import { keepOrder } from './order.ts'

test('names come in natural order, later ones behind', () => {
  const first = keepOrder([], ['web-10', 'web-2', 'db-1'])
  expect(first).toEqual(['db-1', 'web-2', 'web-10'])
  expect(keepOrder(first, ['cache-1', 'web-2', 'db-1', 'web-10'])).toEqual(['db-1', 'web-2', 'web-10', 'cache-1'])
  expect(keepOrder(first, ['web-10', 'db-1'])).toEqual(['db-1', 'web-10'])
})
