import { expect, test } from 'vitest'
import { parseWatches } from './watches.ts'

const status = (forwarding: boolean, flapCount: number) => [
  'map',
  [
    ['flap_count', String(flapCount)],
    ['forwarding', String(forwarding)],
    ['state', forwarding ? 'up' : 'down'],
  ],
]
const printed = (...data: unknown[][]): string => JSON.stringify({ data, headings: ['ofport_request', 'bfd_status'] })

test('who watches tells what it sees now, and how often it saw it fall silent', () => {
  const never = [16, status(false, 0)]
  const alwaysUp = [17, status(true, 1)]
  const gone = [128, status(false, 2)]
  const back = [129, status(true, 3)]
  expect(parseWatches(printed(never, alwaysUp, gone, back))).toEqual([
    { number: 16, up: false, flaps: 0 },
    { number: 17, up: true, flaps: 0 },
    { number: 128, up: false, flaps: 1 },
    { number: 129, up: true, flaps: 1 },
  ])
})

test('a port that ovs-vswitchd has not taken in yet has seen nothing', () => {
  expect(
    parseWatches(
      printed(
        [16, ['map', []]],
        [
          ['set', []],
          ['map', []],
        ],
      ),
    ),
  ).toEqual([{ number: 16, up: false, flaps: 0 }])
  expect(parseWatches(printed())).toEqual([])
})
