import { expect, test } from 'vitest'
import fc from 'fast-check'
import { checksum } from '../../../core/net/packet/checksum.ts'
import { judge } from './packet/judge.ts'
import { ip4Bytes } from './members.ts'
import { probeFrame } from './probe-frame.ts'
import { macBytes } from '../../../core/net/packet/bytes.ts'

const own = { ip: '10.9.0.1', mac: '0a:58:0a:09:00:01' }
const other = { ip: '10.9.0.100', mac: '02:00:00:00:fe:64' }

test('a copy of the test, addressed to another replicator, is one that it answers, whatever its size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 102, max: 3000 }), fc.integer({ min: 1, max: 256 }), (outerBytes, copies) => {
      const { bytes, discriminator } = probeFrame(own, copies, outerBytes)
      expect(bytes).toHaveLength(14 + outerBytes)
      expect(bytes.readUInt32LE(30)).toBe(copies)
      // What program/fast.h does to each copy.
      macBytes(other.mac).forEach((byte, index) => (bytes[index] = byte))
      ip4Bytes(other.ip).copy(bytes, 30)
      bytes.writeUInt16BE(0, 24)
      bytes.writeUInt16BE(checksum(bytes, 14, 34), 24)
      const local = new Map([[ip4Bytes(other.ip).readUInt32BE(), macBytes(other.mac)]])
      const verdict = judge(bytes, { local, others: new Set() })
      expect(verdict).toMatchObject({ kind: 'answer', to: 'bfd' })
      expect(bytes.indexOf(discriminator)).toBeGreaterThan(0)
    }),
  )
})
