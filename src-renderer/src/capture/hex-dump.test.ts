import { expect, test } from 'vitest'
import { hexDump } from './hex-dump.ts'

test('bytes are dumped 16 a line, with what is printable of them', () => {
  expect(hexDump(new TextEncoder().encode('Holdfast carries\n\u0000on'))).toEqual([
    '0000  48 6f 6c 64 66 61 73 74  20 63 61 72 72 69 65 73  Holdfast carries',
    '0010  0a 00 6f 6e                                       ..on',
  ])
  expect(hexDump(new Uint8Array())).toEqual([])
})
