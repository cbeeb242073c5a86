import { expect, it } from 'vitest'
import { toHex } from './bytes.ts'
import {
  arpReply,
  arpRequest,
  icmpEcho,
  neighbourAdvertisement,
  neighbourSolicitation,
  tcpSegment,
  udpDatagram,
  unsolicitedAdvertisement,
} from './compose.ts'
import { tcpFlags } from './packet.ts'
import { parseFrame } from './parse.ts'

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }
const a6 = { mac: a.mac, ip: 'fd00::1' }
const b6 = { mac: b.mac, ip: 'fd00::12:3456' }

it('asks by ARP and answers', () => {
  expect(toHex(arpRequest(a, b.ip))).toBe('ffffffffffff02000000000108060001080006040001' + '0200000000010a000001' + '0000000000000a000002')
  expect(toHex(arpReply(b, a))).toBe('02000000000102000000000208060001080006040002' + '0200000000020a000002' + '0200000000010a000001')
})

it('asks for an echo in either family', () => {
  expect(toHex(icmpEcho(a, b, { id: 1, seq: 1 }))).toBe(
    '0200000000020200000000010800' + '4500001c00004000400126df0a0000010a000002' + '0800f7fd00010001',
  )
  expect(parseFrame(icmpEcho(a, b, { id: 1, seq: 2, reply: true }))).toMatchObject({ transport: { kind: 'icmp', type: 0, rest: 0x10002 } })
  expect(parseFrame(icmpEcho(a6, b6, { id: 0xffff, seq: 2 }, { ttl: 3 }))).toMatchObject({
    ip: { version: 6, protocol: 58, ttl: 3 },
    transport: { kind: 'icmp6', type: 128, rest: 0xffff_0002 },
  })
  expect(parseFrame(icmpEcho(a6, b6, { id: 1, seq: 2, reply: true }))).toMatchObject({ transport: { type: 129 } })
})

it('opens a TCP connection and sends a datagram', () => {
  expect(parseFrame(tcpSegment(a, b, { sport: 1000, dport: 22, flags: tcpFlags.syn, seq: 7 }))).toMatchObject({
    dst: b.mac,
    src: a.mac,
    ip: { version: 4, src: a.ip, dst: b.ip, ttl: 64, dontFragment: true },
    transport: { kind: 'tcp', sport: 1000, dport: 22, flags: 2, seq: 7, ack: 0 },
  })
  const payload = Uint8Array.of(1, 2, 3)
  expect(parseFrame(udpDatagram(a6, b6, { sport: 1, dport: 2 }, { payload }))).toMatchObject({
    transport: { kind: 'udp', sport: 1, dport: 2 },
    payload,
  })
})

it('looks for a neighbour in its solicited-node group, and is answered', () => {
  const asked = neighbourSolicitation(a6, b6.ip)
  expect(parseFrame(asked)).toMatchObject({
    dst: '33:33:ff:12:34:56',
    ip: { src: a6.ip, dst: 'ff02::1:ff12:3456', ttl: 255 },
    transport: { type: 135, code: 0, rest: 0 },
  })
  expect(toHex(parseFrame(asked)!.payload)).toBe('fd000000000000000000000000123456' + '0101020000000001')
  const answered = parseFrame(neighbourAdvertisement(b6, a6))
  expect(answered).toMatchObject({ dst: a6.mac, ip: { src: b6.ip, dst: a6.ip, ttl: 255 }, transport: { type: 136, rest: 0x6000_0000 } })
  expect(toHex(answered!.payload)).toBe('fd000000000000000000000000123456' + '0201020000000002')
})

it('announces an address to all nodes, unsolicited: RFC 4861 forbids the other flag in what is multicast', () => {
  const announced = parseFrame(unsolicitedAdvertisement(b6))
  expect(announced).toMatchObject({
    ...{ dst: '33:33:00:00:00:01', src: b6.mac, ip: { src: b6.ip, dst: 'ff02::1', ttl: 255 } },
    transport: { type: 136, code: 0, rest: 0x2000_0000 },
  })
  expect(toHex(announced!.payload)).toBe('fd000000000000000000000000123456' + '0201020000000002')
})

it('says what is no address', () => {
  expect(() => neighbourSolicitation(a6, 'nobody')).toThrow(expect.objectContaining({ code: 'bad-input' }))
})
