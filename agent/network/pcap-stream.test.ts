import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pcapHeader, pcapRecord, PcapStream } from './pcap-stream.ts'

const header = pcapHeader(65_535)
const record = (atUs: number, frame: Buffer, bytes = frame.length): Buffer => pcapRecord({ atUs, bytes, frame })

describe('the stream of tcpdump', () => {
  it('gives the same packets however it is cut', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 8 })
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }), (all, cuts) => {
        const stream = Buffer.concat([header, ...all.map((frame, index) => record(1_700_000_000_000_000 + index, Buffer.from(frame), 1500))])
        const reader = new PcapStream()
        const packets = []
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const next = Math.min(stream.length, at + cuts[turn % cuts.length]!)
          packets.push(...reader.push(stream.subarray(at, next)))
          at = next
        }
        expect(packets).toEqual(all.map((frame, index) => ({ atUs: 1_700_000_000_000_000 + index, bytes: 1500, frame: Buffer.from(frame) })))
      }),
    )
  })

  it('is refused when it is something else', () => {
    expect(() => new PcapStream().push(Buffer.alloc(24))).toThrow()
    const absurd = record(0, Buffer.alloc(0))
    absurd.writeUInt32LE(0x7fff_ffff, 8)
    expect(() => new PcapStream().push(Buffer.concat([header, absurd]))).toThrow()
  })
})
