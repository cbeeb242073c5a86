import { describe, expect, it } from 'vitest'
import { fromHex } from '../packet/bytes.ts'
import { arpRequest, icmpEcho, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { markOf } from './sightings.ts'
import { exactFilter, filterFor } from './tap-filter.ts'

const a = { mac: '0e:00:00:00:00:01', ip: '10.20.1.11' }
const b = { mac: '0e:00:00:00:00:02', ip: '10.20.2.11' }
const filter = (frame: Uint8Array, tunnelled = false) => filterFor(frame, markOf(frame), tunnelled)

describe('filters for taps', () => {
  it('ask for addresses before what lies behind them', () => {
    const text = exactFilter(udpDatagram(a, b, { sport: 1, dport: 2 }, { payload: fromHex('00112233') }))
    expect(text).toMatch(/^ether\[12:2\] = 0x0800 and ether\[26:4\] = 0x0a14010b and ether\[30:4\] = 0x0a14020b and ether\[34:4\] = 0x00010002 /)
    expect(text).toMatch(/ether\[42:4\] = 0x00112233$/)
  })

  it('let the answer and ICMP errors through', () => {
    expect(filter(icmpEcho(a, b, { id: 7, seq: 9 }))).toContain(`ether[34:1] = 0 and ether[38:4] = ${(7 << 16) | 9}`)
    expect(filter(tcpSegment(a, b, { sport: 1, dport: 2, flags: 2, seq: 0xffff_ffff }))).toContain('ether[42:4] = 0)')
    expect(filter(udpDatagram(a, b, { sport: 1, dport: 2 }))).toContain(`ether[30:4] = ${0x0a14010b} and ether[23:1] = 1`)
    expect(filter(arpRequest(a, b.ip))).toContain(`ether[28:4] = ${0x0a14020b} and ether[38:4] = ${0x0a14010b}`)
  })

  it('look inside tunnels of both kinds', () => {
    const text = filter(icmpEcho(a, b, { id: 7, seq: 9 }), true)
    expect(text).toContain('udp port 4789 and ((udp[28:2] = 0x0800 and udp[42:4] = 0x0a14010b')
    expect(text).toContain('proto gre and ((ip[40:2] = 0x0800 and ip[54:4] = 0x0a14010b')
  })

  it('know a frame of no IP by its first bytes', () => {
    expect(exactFilter(fromHex(`0e00000000020e000000000188b5${'07'.repeat(46)}`))).toMatch(/^ether\[0:4\] = 0x0e000000 .* = 0x07070707$/)
  })
})
