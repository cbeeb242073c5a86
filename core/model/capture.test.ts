import { expect, it } from 'vitest'
import { parsePlace, placeText } from './capture.ts'

it.each(['port:web-1', 'nic:h1/tenant', 'nic:h1/eth0.100', 'bridge:h1', 'tunnel:h2/web'])('%s is a place of a capture', (text) => {
  const place = parsePlace(text)
  expect(place).not.toBeNull()
  expect(placeText(place!)).toBe(text)
})

it.each(['', 'web-1', 'port:', 'port:a/b', 'nic:h1', 'nic:h1/', 'nic:h1/a b', 'bridge:h1/x', 'tunnel:h1', 'switch:h1', 'port:WEB'])(
  '%j is none',
  (text) => {
    expect(parsePlace(text)).toBeNull()
  },
)
