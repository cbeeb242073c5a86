import { describe, expect, it } from 'vitest'
import type { CapturePoint } from '../../model/capture.ts'
import { Capture } from './capture.ts'

const point = (place: CapturePoint['place'], host: string, device: string): CapturePoint => ({ place, host, device, what: 'a place', failure: null })
const points = [point({ kind: 'port', port: 'web-1' }, 'h1', 'hf257'), point({ kind: 'nic', host: 'h2', nic: 'tenant' }, 'h2', 'tenant')]

/** A packet seen by h1 and 300 µs later by h2, whose clock is 2 s ahead; told in the wrong order. */
function captured(): Capture {
  const capture = new Capture('icmp')
  capture.take({ type: 'clock', host: 'h1', estimate: { atUs: 1e15, offsetUs: -40, uncertaintyUs: 90 } })
  capture.take({ type: 'clock', host: 'h2', estimate: { atUs: 1e15, offsetUs: 2_000_000, uncertaintyUs: 110 } })
  capture.take({ type: 'started', points })
  const packets = [
    { point: 1, atUs: 1e15 + 2_000_300, bytes: 98, frame: 'beef' },
    { point: 0, atUs: 1e15 - 40, bytes: 98, frame: 'cafe' },
  ]
  capture.take({ type: 'packets', packets, lost: [0, 2] })
  return capture
}

describe('a capture', () => {
  it('brings the packets of all hosts to one clock, and into the order of it', () => {
    expect(captured().file().packets).toEqual([
      { point: 0, atUs: 1e15, bytes: 98, frame: Uint8Array.of(0xca, 0xfe) },
      { point: 1, atUs: 1e15 + 300, bytes: 98, frame: Uint8Array.of(0xbe, 0xef) },
    ])
  })

  it('says of each place what it is, how sure its clock is, and what it lost', () => {
    const capture = captured()
    capture.take({
      type: 'ended',
      reason: 'time',
      points: [points[0]!, { ...points[1]!, failure: 'Its tap ended before its time' }],
      lost: [0, null],
    })
    expect(capture).toMatchObject({ ended: 'time', captured: [1, 1], bytes: 4 })
    expect(capture.file().interfaces).toMatchObject([
      {
        name: 'port:web-1',
        description: 'h1/hf257',
        filter: 'icmp',
        lost: 0,
        comment: "Host h1, device hf257: a place. Its clock was 40 µs behind the laptop's, known to ± 90 µs; times are corrected by it.",
      },
      {
        name: 'nic:h2/tenant',
        lost: null,
        comment:
          "Host h2, device tenant: a place. Its clock was 2000000 µs ahead of the laptop's, known to ± 110 µs; times are corrected by it. " +
          'Its tap ended before its time.',
      },
    ])
  })

  it('says that nothing is known of a clock that was never read', () => {
    const capture = new Capture('')
    capture.take({ type: 'started', points })
    expect(capture.file().interfaces[0]?.comment).toContain('How far its clock is off is not known.')
  })
})
