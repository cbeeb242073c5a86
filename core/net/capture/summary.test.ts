import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildFrame } from '../packet/build.ts'
import { concatBytes, fromHex } from '../packet/bytes.ts'
import { etherTypes, protocols, tcpFlags, type Icmp, type Packet, type Tcp, type Udp } from '../packet/packet.ts'
import { summariseFrame } from './summary.ts'
import { tunnelFilter, unwrapTunnel } from './tunnel.ts'

const ethernet = { dst: '0e:00:00:00:00:02', src: '0e:00:00:00:00:01', vlans: [] }
const none = new Uint8Array()

function packet(transport: Tcp | Udp | Icmp | undefined, payload: Uint8Array, protocol: number, ends = ['10.20.1.11', '10.20.1.12']): Packet {
  const ip = { version: 4 as const, src: ends[0]!, dst: ends[1]!, protocol, ttl: 64, tos: 0, id: 0, dontFragment: true, moreFragments: false }
  return { ...ethernet, etherType: etherTypes.ip4, ip: { ...ip, fragmentOffsetBytes: 0, options: none }, ...(transport && { transport }), payload }
}

const echo = buildFrame(packet({ kind: 'icmp', type: 8, code: 0, rest: 0x0007_0002 }, new Uint8Array(56), protocols.icmp))
const underlay = ['10.83.11.11', '10.83.11.12']
const vxlan = (vni: number): Uint8Array =>
  buildFrame(
    packet(
      { kind: 'udp', sport: 50_000, dport: 4789 },
      concatBytes(fromHex('08000000'), fromHex(`${vni.toString(16).padStart(6, '0')}00`), echo),
      protocols.udp,
      underlay,
    ),
  )
const gre = (header: string): Uint8Array => buildFrame(packet(undefined, concatBytes(fromHex(header), echo), 47, underlay))
const read = (frame: Uint8Array, bytes = frame.length) => Object.values(summariseFrame(frame, bytes) as unknown as Record<string, string>).join(' | ')

describe('a packet in a line', () => {
  const arp = (op: number, spa: string, tpa: string): Uint8Array =>
    buildFrame({ ...ethernet, etherType: etherTypes.arp, arp: { op, sha: ethernet.src, spa, tha: ethernet.dst, tpa }, payload: none })
  const tcp: Tcp = {
    kind: 'tcp',
    sport: 49_152,
    dport: 443,
    seq: 7,
    ack: 9,
    flags: tcpFlags.syn | tcpFlags.ack,
    window: 512,
    urgent: 0,
    options: none,
  }

  it.each([
    ['an echo', echo, '10.20.1.11 | 10.20.1.12 | ICMP | echo request id 7 seq 2, 56 bytes, ttl 64'],
    ['TCP', buildFrame(packet(tcp, none, protocols.tcp)), '10.20.1.11 | 10.20.1.12 | TCP | 49152 → 443 [SYN ACK] seq 7 ack 9 win 512, 0 bytes'],
    [
      'UDP',
      buildFrame(packet({ kind: 'udp', sport: 53, dport: 5353 }, new Uint8Array(9), protocols.udp)),
      '10.20.1.11 | 10.20.1.12 | UDP | 53 → 5353, 9 bytes',
    ],
    ['a question of ARP', arp(1, '10.20.1.11', '10.20.1.12'), '10.20.1.11 | 10.20.1.12 | ARP | who has 10.20.1.12? tell 10.20.1.11'],
    ['an announcement', arp(1, '10.20.1.11', '10.20.1.11'), '10.20.1.11 | 10.20.1.11 | ARP | 10.20.1.11 is at 0e:00:00:00:00:01 (announced)'],
    [
      'too big',
      buildFrame(packet({ kind: 'icmp', type: 3, code: 4, rest: 1400 }, none, protocols.icmp)),
      '10.20.1.11 | 10.20.1.12 | ICMP | destination unreachable: fragmentation needed, MTU 1400, ttl 64',
    ],
    ['VXLAN', vxlan(4097), '10.20.1.11 | 10.20.1.12 | ICMP | echo request id 7 seq 2, 56 bytes, ttl 64 [VXLAN 4097, 10.83.11.11 → 10.83.11.12]'],
    [
      'GRE',
      gre('2000655800001002'),
      '10.20.1.11 | 10.20.1.12 | ICMP | echo request id 7 seq 2, 56 bytes, ttl 64 [GRE 4098, 10.83.11.11 → 10.83.11.12]',
    ],
    ['LLDP', fromHex(`0180c200000e0e000000000188cc${'00'.repeat(46)}`), '0e:00:00:00:00:01 | 01:80:c2:00:00:0e | Ethernet | type 0x88cc, 46 bytes'],
    ['a few bytes', Uint8Array.of(1, 2, 3), ' |  | ? | 3 bytes'],
  ])('says %s', (_, frame, line) => {
    expect(read(frame)).toBe(line)
  })

  it('says the same of one that was cut behind its headers', () => {
    for (const frame of [echo, vxlan(5)]) expect(read(frame.subarray(0, frame.length - 40), frame.length)).toBe(read(frame))
  })

  it('never throws, whatever the bytes are', () => {
    const lengths = fc.nat(0xffff_ffff)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), lengths, (frame, bytes) => void summariseFrame(frame, bytes)))
    fc.assert(
      fc.property(fc.constantFrom(vxlan(1), gre('2000655800000001')), fc.nat(200), fc.nat(255), lengths, (frame, at, value, bytes) => {
        const broken = Uint8Array.from(frame)
        broken[at % broken.length] = value
        summariseFrame(broken.subarray(0, (at * 7) % broken.length), bytes)
      }),
    )
  })
})

describe('a tunnel', () => {
  it('gives back what is in it, of VXLAN and of GRE with or without checksum and sequence', () => {
    expect(unwrapTunnel(vxlan(0xff_ffff))).toEqual({ type: 'vxlan', vni: 0xff_ffff, frame: echo })
    expect(unwrapTunnel(gre('200065580000000a'))).toEqual({ type: 'gre', vni: 10, frame: echo })
    expect(unwrapTunnel(gre('b0006558aaaabbbb0000000a00000001'))).toEqual({ type: 'gre', vni: 10, frame: echo })
    expect(unwrapTunnel(vxlan(7).subarray(0, 90))?.frame).toEqual(echo.subarray(0, 40))
  })

  it('is no other packet', () => {
    for (const frame of [echo, gre('200008000000000a'), gre('0000655800000000'), vxlan(7).subarray(0, 45), none])
      expect(unwrapTunnel(frame)).toBeNull()
  })

  it('is filtered by its network', () => {
    expect(tunnelFilter({ type: 'vxlan', vni: 0xff_ffff })).toContain('= 4294967040')
    expect(tunnelFilter({ type: 'gre', vni: 10 })).toContain('ip[24:4] = 10')
  })
})
