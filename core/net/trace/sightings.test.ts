import { describe, expect, it } from 'vitest'
import { buildFrame } from '../packet/build.ts'
import { concatBytes, fromHex, toHex } from '../packet/bytes.ts'
import { arpReply, arpRequest, icmpEcho, neighbourAdvertisement, neighbourSolicitation, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { buildIcmpError } from '../packet/icmp-error.ts'
import { etherTypes } from '../packet/packet.ts'
import { markOf, sight, type Mark } from './sightings.ts'

const a = { mac: '0e:00:00:00:00:01', ip: '10.20.1.11' }
const b = { mac: '0e:00:00:00:00:02', ip: '10.20.2.11' }
const mark = (proto: Mark['proto'], more: Partial<Mark> = {}): Mark => ({ proto, src: a.ip, dst: b.ip, number: (7 << 16) | 9, payload: '', ...more })

const outer = { dst: '0a:58:00:00:00:02', src: '0a:58:00:00:00:01', vlans: [], etherType: etherTypes.ip4 }
const underlay = {
  version: 4 as const,
  src: '10.83.5.11',
  dst: '10.83.5.12',
  ttl: 64,
  tos: 0,
  id: 0,
  dontFragment: true,
  moreFragments: false,
  fragmentOffsetBytes: 0,
  options: new Uint8Array(),
}
const inVxlan = (frame: Uint8Array) =>
  buildFrame({
    ...outer,
    ip: { ...underlay, protocol: 17 },
    transport: { kind: 'udp', sport: 5555, dport: 4789 },
    payload: concatBytes(fromHex('0800000000100000'), frame),
  })
const inGre = (frame: Uint8Array) =>
  buildFrame({ ...outer, ip: { ...underlay, protocol: 47 }, payload: concatBytes(fromHex('2000655800001000'), frame) })

const six = { mac: a.mac, ip: 'fd00:1::11' }
const there = { mac: b.mac, ip: 'fd00:1::12' }
const ipFrame = (protocol: number, payload: Uint8Array) => buildFrame({ ...outer, ip: { ...underlay, src: a.ip, dst: b.ip, protocol }, payload })
const icmpOf = (type: number) => ipFrame(1, Uint8Array.of(type, 0, 0, 0, 1, 2, 3, 4, ...new Uint8Array(16).fill(type)))
const rawOf = (byte: string) => ipFrame(132, fromHex(byte.repeat(20)))

describe('a traced packet is known again', () => {
  const payload = fromHex('0011223344556677')
  const longPayload = new Uint8Array(1200).fill(7)
  const syn = { sport: 40_000, dport: 22, flags: 2, seq: (7 << 16) | 9 }
  it.each<[string, Uint8Array, Mark, string | null]>([
    ['an echo request', icmpEcho(a, b, { id: 7, seq: 9 }), mark('icmp'), 'forward'],
    ['its answer', icmpEcho(b, a, { id: 7, seq: 9, reply: true }), mark('icmp'), 'return'],
    ['not another echo', icmpEcho(a, b, { id: 7, seq: 10 }), mark('icmp'), null],
    ['a SYN', tcpSegment(a, b, syn), mark('tcp'), 'forward'],
    ['a SYN-ACK', tcpSegment(b, a, { sport: 22, dport: 40_000, flags: 18, ack: syn.seq + 1 }), mark('tcp'), 'return'],
    ['a reset', tcpSegment(b, a, { sport: 22, dport: 40_000, flags: 20, ack: syn.seq + 1 }), mark('tcp'), 'return'],
    [
      'an answer to a SYN that carried data',
      tcpSegment(b, a, { sport: 22, dport: 40_000, flags: 20, ack: syn.seq + 1 + 1400 }),
      mark('tcp'),
      'return',
    ],
    ['not another connection', tcpSegment(a, b, { ...syn, seq: 5 }), mark('tcp'), null],
    ['a datagram by its payload', udpDatagram(a, b, { sport: 1, dport: 2 }, { payload }), mark('udp', { payload: toHex(payload) }), 'forward'],
    ['not another datagram', udpDatagram(a, b, { sport: 1, dport: 2 }), mark('udp', { payload: toHex(payload) }), null],
    ['an ARP request', arpRequest(a, b.ip), mark('arp'), 'forward'],
    ['an ARP reply', arpReply(b, a), mark('arp'), 'return'],
    [
      'the ICMP error about it',
      buildIcmpError(icmpEcho(a, b, { id: 7, seq: 9 }), { kind: 'ttl' }, { mac: b.mac, ip4: '10.20.1.1' })!,
      mark('icmp'),
      'error',
    ],
    [
      'the ICMP error that quotes only the beginning of it',
      buildIcmpError(udpDatagram(a, b, { sport: 1, dport: 2 }, { payload: longPayload }), { kind: 'ttl' }, { mac: b.mac, ip4: '10.20.1.1' })!,
      mark('udp', { payload: toHex(longPayload.subarray(0, 16)) }),
      'error',
    ],
    [
      'not the ICMP error about a packet of another protocol between the same two',
      buildIcmpError(tcpSegment(a, b, syn), { kind: 'port' }, { mac: b.mac, ip4: b.ip })!,
      mark('raw', { payload: toHex(payload) }),
      null,
    ],
    [
      'not the ICMP error about another',
      buildIcmpError(icmpEcho(a, b, { id: 7, seq: 8 }), { kind: 'ttl' }, { mac: b.mac, ip4: '10.20.1.1' })!,
      mark('icmp'),
      null,
    ],
  ])('%s, bare and in tunnels', (_, frame, known, leg) => {
    for (const wrap of [(bare: Uint8Array) => bare, inVxlan, inGre]) expect(sight(wrap(frame), known)?.leg ?? null).toBe(leg)
  })

  it.each<[string, Uint8Array, Uint8Array | null, Uint8Array]>([
    ['a question for a MAC by IPv6', neighbourSolicitation(six, there.ip), neighbourAdvertisement(there, six), neighbourSolicitation(six, six.ip)],
    [
      'what is no IP at all',
      fromHex(`${'0e00000000020e0000000001'}88b5${'07'.repeat(20)}`),
      null,
      fromHex(`${'0e00000000020e0000000001'}88b5${'08'.repeat(20)}`),
    ],
    ['an ICMP packet that is no echo', icmpOf(13), null, icmpOf(15)],
    ['another protocol', rawOf('aa'), null, rawOf('bb')],
  ])('%s, by the mark that is read off it', (_, frame, answer, other) => {
    const known = markOf(frame)
    for (const wrap of [(bare: Uint8Array) => bare, inVxlan, inGre]) {
      expect(sight(wrap(frame), known)?.leg).toBe('forward')
      if (answer) expect(sight(wrap(answer), known)?.leg).toBe('return')
      expect(sight(wrap(other), known)).toBeNull()
    }
  })

  it('and what is no packet at all is none', () => expect(sight(new Uint8Array(5), mark('icmp'))).toBeNull())
})
