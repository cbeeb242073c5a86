import { expect, it } from 'vitest'
import { parseMeterStats } from './drops.ts'

it('reads what a meter has counted', () => {
  const text = `OFPST_METER reply (OF1.5) (xid=0x2):
meter:1 flow_count:30 packet_in_count:6 byte_in_count:9296 duration:19.761s bands:
0: packet_count:4 byte_count:0
`
  expect(parseMeterStats(text)).toEqual({ earned: 6, suppressed: 4 })
  expect(parseMeterStats('OFPST_METER reply (OF1.5) (xid=0x2):\n')).toEqual({ earned: 0, suppressed: 0 })
})
