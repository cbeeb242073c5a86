import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRevocationList } from './revocation-list.ts'

test('a reader of certificates finds exactly the serial numbers that were given', () => {
  const serial = fc.stringMatching(/^[4-7][0-9a-f]{31}$/)
  fc.assert(
    fc.property(fc.uniqueArray(serial, { maxLength: 40 }), fc.integer({ min: 1_600_000_000_000, max: 2_600_000_000_000 }), (serials, nowMs) => {
      const list = new x509.X509Crl(createRevocationList(serials, nowMs))
      expect(list.entries.map((entry) => entry.serialNumber)).toEqual(serials)
      expect(list.thisUpdate.getTime()).toBe(Math.trunc(nowMs / 1000) * 1000)
    }),
    { numRuns: 60 },
  )
})
