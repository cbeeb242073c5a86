import { expect, test } from 'vitest'
import { parsePacketSockets } from './stale-packets.ts'

test('what waits in packet sockets is read by inode', () => {
  const text = `sk               RefCnt Type Proto  Iface R Rmem   User   Inode
00000000df865805 3      3    0003   2     1 0      952    3503239
00000000a98cfb3d 3      3    0003   4     1 2304   0      3538104
`
  expect([...parsePacketSockets(text)]).toEqual([
    ['3503239', 0],
    ['3538104', 2304],
  ])
})
