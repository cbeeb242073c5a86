import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { macOf, nextNumbers } from './numbers.ts'

describe('numbers', () => {
  const range = { min: 10, max: 14 }

  test.each([
    { last: 0, used: [], given: [10, 11, 12] },
    { last: 11, used: [], given: [12, 13, 14] },
    { last: 13, used: [14, 11], given: [10, 12, 13] },
    { last: 14, used: [10], given: [11, 12, 13] },
    { last: 99, used: [], given: [10, 11, 12] },
  ])('after $last without $used come $given', ({ last, used, given }) => {
    expect(nextNumbers(3, range, last, new Set(used))).toEqual(given)
  })

  test('are given as long as there are any', () => {
    expect(nextNumbers(4, range, 12, new Set([11]))).toEqual([13, 14, 10, 12])
    expect(nextNumbers(0, range, 12, new Set([10, 11, 12, 13, 14]))).toEqual([])
  })
})

describe('MACs', () => {
  test('are unicast, locally administered, of their kind, and only a matter of the name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const [port, router] = [macOf('port', name, new Set()), macOf('router', name, new Set())]
        for (const mac of [port, router]) {
          expect(mac).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)
          expect(parseInt(mac.slice(0, 2), 16) & 3).toBe(2)
        }
        expect(port.slice(0, 5)).not.toBe(router.slice(0, 5))
        expect(macOf('port', name, new Set([router]))).toBe(port)
      }),
    )
  })

  test('that are used are not given', () => {
    const used = new Set<string>()
    for (let count = 1; count <= 20; count++) {
      used.add(macOf('port', 'web-1', used))
      expect(used.size).toBe(count)
    }
  })

  test('of 2,000 ports differ by themselves', () => {
    const names = Array.from({ length: 2000 }, (_, index) => `port-${index}`)
    expect(new Set(names.map((name) => macOf('port', name, new Set()))).size).toBe(2000)
  })
})
