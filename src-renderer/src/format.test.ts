import { expect, test } from 'vitest'
import { byName, capacity, duration, linkSpeed, memory, moment, percent, rate } from './format.ts'
import { en } from './i18n/en.ts'

const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

test.each([
  [memory(0), '0 B'],
  [memory(1536), '1.5 KiB'],
  [memory(64 * 2 ** 30), '64 GiB'],
  [memory(23.46 * 2 ** 30), '23.5 GiB'],
  [capacity(3.84e12), '3.84 TB'],
  [capacity(480e9), '480 GB'],
  [rate(999), '999 B/s'],
  [rate(12_400_000), '12.4 MB/s'],
  [linkSpeed(25_000), '25 Gb/s'],
  [linkSpeed(2500), '2.5 Gb/s'],
  [linkSpeed(100), '100 Mb/s'],
  [percent(0.236), '24 %'],
])('%s', (formatted, expected) => {
  expect(plain(formatted)).toBe(expected)
})

test.each([
  [-50, '0 s'],
  [1_900, '2 s'],
  [99_000, '99 s'],
  [126_000, '2 min'],
  [26 * 3_600_000, '26 h'],
  [4 * 86_400_000, '4 d'],
])('%i ms is %s', (ms, expected) => {
  expect(plain(duration(ms, en.units))).toBe(expected)
})

test('a moment of another day says which', () => {
  const at = new Date(2026, 10, 21, 9, 5, 7).getTime()
  expect(moment(at, at + 1000, 'en-GB')).toBe('09:05:07')
  expect(moment(at, at + 86_400_000, 'en-GB')).toBe('21 Nov 09:05:07')
})

test('names sort as people count', () => {
  expect(['h10', 'h2', 'h1'].sort(byName)).toEqual(['h1', 'h2', 'h10'])
})
