import { describe, expect, it } from 'vitest'
import { buildFrame } from './build.ts'
import { concatBytes } from './bytes.ts'
import { icmpEcho, neighbourSolicitation, tcpSegment, udpDatagram } from './compose.ts'
import { buildIcmpError, type IcmpError } from './icmp-error.ts'
import type { Ipv4, Packet } from './packet.ts'
import { parseFrame } from './parse.ts'

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.1.2' }
const a6 = { mac: a.mac, ip: 'fd00::1' }
const b6 = { mac: b.mac, ip: 'fd01::2' }
const gateway = { mac: '02:00:00:00:00:fe', ip4: '10.0.0.254', ip6: 'fd00::fe' }
const syn = tcpSegment(a, b, { sport: 1, dport: 2, flags: 2 })
const syn6 = tcpSegment(a6, b6, { sport: 1, dport: 2, flags: 2 })

/** The frame with its packet changed. */
function changed(frame: Uint8Array, change: (packet: Packet) => void): Uint8Array {
  const packet = structuredClone(parseFrame(frame)!)
  change(packet)
  return buildFrame(packet)
}

const answer = (frame: Uint8Array, error: IcmpError = { kind: 'ttl' }) => {
  const built = buildIcmpError(frame, error, gateway)
  return built && parseFrame(built)
}

describe('errors', () => {
  it.each<[IcmpError, number[], number[]]>([
    [{ kind: 'ttl' }, [11, 0, 0], [3, 0, 0]],
    [{ kind: 'no-route' }, [3, 0, 0], [1, 0, 0]],
    [{ kind: 'unreachable' }, [3, 1, 0], [1, 3, 0]],
    [{ kind: 'port' }, [3, 3, 0], [1, 4, 0]],
    [{ kind: 'prohibited' }, [3, 13, 0], [1, 1, 0]],
    [{ kind: 'too-big', mtuBytes: 1450 }, [3, 4, 1450], [2, 0, 1450]],
  ])('%j has the type, code and second word of its RFC', (error, four, six) => {
    const read = (frame: Uint8Array) => {
      const { transport } = answer(frame, error)!
      return transport && 'type' in transport && [transport.type, transport.code, transport.rest]
    }
    expect(read(syn)).toEqual(four)
    expect(read(syn6)).toEqual(six)
  })

  it('go back to the sender, from the router, in the same VLAN, with the packet quoted', () => {
    const tagged = changed(syn, (packet) => packet.vlans.push({ tpid: 0x8100, vid: 5, pcp: 0, dei: false }))
    expect(answer(concatBytes(tagged, new Uint8Array(9)))).toMatchObject({
      dst: a.mac,
      src: gateway.mac,
      vlans: [{ vid: 5 }],
      ip: { version: 4, src: gateway.ip4, dst: a.ip, ttl: 64, tos: 0xc0 },
      payload: syn.subarray(14),
    })
    expect(answer(syn6)).toMatchObject({ dst: a.mac, ip: { version: 6, src: gateway.ip6, dst: a6.ip }, payload: syn6.subarray(14) })
  })

  it('quote as much as fits: 576 bytes of IPv4, 1,280 of IPv6', () => {
    const payload = new Uint8Array(1400).fill(7)
    expect(buildIcmpError(udpDatagram(a, b, { sport: 1, dport: 2 }, { payload }), { kind: 'ttl' }, gateway)).toHaveLength(14 + 576)
    expect(buildIcmpError(udpDatagram(a6, b6, { sport: 1, dport: 2 }, { payload }), { kind: 'ttl' }, gateway)).toHaveLength(14 + 1280)
  })
})

describe('no error answers', () => {
  it.each<[string, Uint8Array]>([
    ['an error', buildIcmpError(syn, { kind: 'port' }, { mac: a.mac, ip4: a.ip })!],
    ['an error of IPv6', buildIcmpError(syn6, { kind: 'port' }, { mac: a.mac, ip6: a6.ip })!],
    ['a redirect of IPv6', changed(icmpEcho(a6, b6, { id: 1, seq: 1 }), (packet) => Object.assign(packet.transport!, { type: 137 }))],
    ['ICMP of an unknown type', changed(icmpEcho(a, b, { id: 1, seq: 1 }), (packet) => Object.assign(packet.transport!, { type: 99 }))],
    ['a broadcast frame', changed(syn, (packet) => (packet.dst = 'ff:ff:ff:ff:ff:ff'))],
    ['a multicast packet', changed(syn, (packet) => (packet.ip!.dst = '224.0.0.5'))],
    ['a packet to everybody', changed(syn, (packet) => (packet.ip!.dst = '255.255.255.255'))],
    ['a multicast of IPv6', neighbourSolicitation(a6, b6.ip)],
    ['a later fragment', changed(syn, (packet) => Object.assign(packet.ip!, { fragmentOffsetBytes: 8 } satisfies Partial<Ipv4>))],
    [
      'a later fragment of IPv6',
      changed(syn6, (packet) => Object.assign(packet.ip!, { extensions: [{ type: 44, body: Uint8Array.of(0, 0, 9, 0, 0, 0, 1) }] })),
    ],
    ['nobody', changed(syn, (packet) => (packet.ip!.src = '0.0.0.0'))],
    ['a loopback address', changed(syn, (packet) => (packet.ip!.src = '127.0.0.1'))],
    ['a group as the source', changed(syn, (packet) => (packet.ip!.src = '224.0.0.1'))],
    ['nobody of IPv6', changed(syn6, (packet) => (packet.ip!.src = '::'))],
    ['a packet cut off', syn.slice(0, 40)],
    ['what is not IP', changed(syn, (packet) => (packet.etherType = 0x88b5))],
    ['nothing', new Uint8Array()],
  ])('%s', (_, frame) => {
    expect(answer(frame)).toBeNull()
  })

  it('too big where IPv4 may be fragmented', () => {
    const fragmentable = changed(syn, (packet) => Object.assign(packet.ip!, { dontFragment: false } satisfies Partial<Ipv4>))
    expect(answer(fragmentable, { kind: 'too-big', mtuBytes: 1400 })).toBeNull()
    expect(answer(fragmentable)).not.toBeNull()
  })

  it('from a router without an address of the family', () => {
    expect(buildIcmpError(syn6, { kind: 'ttl' }, { mac: gateway.mac, ip4: gateway.ip4 })).toBeNull()
  })
})

it('echo requests and first fragments are answered, and a multicast of IPv6 that is too big', () => {
  expect(answer(icmpEcho(a, b, { id: 1, seq: 1 }))).not.toBeNull()
  expect(answer(changed(syn, (packet) => Object.assign(packet.ip!, { moreFragments: true } satisfies Partial<Ipv4>)))).not.toBeNull()
  expect(answer(neighbourSolicitation(a6, b6.ip), { kind: 'too-big', mtuBytes: 1400 })).not.toBeNull()
})
