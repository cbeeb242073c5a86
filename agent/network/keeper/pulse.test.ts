import { describe, expect, test } from 'vitest'
import { hangs } from './pulse.ts'

describe('a process that does not answer', () => {
  test('hangs when it is stopped, unless it is let go on at once', () => {
    expect(hangs({ state: 'T', silentMs: 5, ranMs: 0 })).toBe(false)
    expect(hangs({ state: 'T', silentMs: 25, ranMs: 0 })).toBe(true)
    expect(hangs({ state: 't', silentMs: 25, ranMs: 0 })).toBe(true)
  })

  test('hangs when it does nothing for a while', () => {
    expect(hangs({ state: 'S', silentMs: 250, ranMs: 0 })).toBe(false)
    expect(hangs({ state: 'S', silentMs: 350, ranMs: 10 })).toBe(true)
    expect(hangs({ state: 'D', silentMs: 350, ranMs: 0 })).toBe(true)
  })

  test('may work for long, but not for ever', () => {
    expect(hangs({ state: 'R', silentMs: 1500, ranMs: 1400 })).toBe(false)
    expect(hangs({ state: 'R', silentMs: 2100, ranMs: 2000 })).toBe(true)
  })
})
