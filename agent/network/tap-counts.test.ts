import { describe, expect, it } from 'vitest'
import { statisticsOf, waitingOf } from './tap-counts.ts'

const asked = 'tcpdump: 5 packets captured, 9 packets received by filter, 1 packet dropped by kernel\n'
const ended = '12 packets captured\n14 packets received by filter\n2 packets dropped by kernel\n'

describe('what tcpdump says of itself', () => {
  it('is read when it was asked, and when it ends', () => {
    const words = `tcpdump: listening on eth0, link-type EN10MB (Ethernet), snapshot length 9216 bytes\n${asked.replace('5', '4')}${asked}${ended}`
    expect(statisticsOf(words, 'asked')).toEqual({ captured: 5, received: 9, dropped: 1 })
    expect(statisticsOf(words, 'ended')).toEqual({ captured: 12, received: 14, dropped: 2 })
  })

  it('is not there before it was said', () => {
    expect(statisticsOf(ended, 'asked')).toBeNull()
    expect(statisticsOf(asked, 'ended')).toBeNull()
    expect(statisticsOf('tcpdump: eth9: No such device exists', 'ended')).toBeNull()
  })

  it('tells what it has left in the kernel', () => {
    expect(waitingOf({ captured: 5, received: 9, dropped: 1 })).toBe(3)
    expect(waitingOf({ captured: 9, received: 8, dropped: 1 })).toBe(0)
  })
})
