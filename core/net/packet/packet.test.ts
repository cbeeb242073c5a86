import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp, formatIpv4 } from '../address.ts'
import { buildFrame } from './build.ts'
import { fromHex, macAt, read16, toHex } from './bytes.ts'
import { checksum, updateChecksum, upperChecksum } from './checksum.ts'
import { etherTypes, protocols, type Packet } from './packet.ts'
import { parseFrame } from './parse.ts'

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macAt(bytes, 0))
const ip4 = fc.integer({ min: 0, max: 0xffff_ffff }).map((value) => formatIpv4(value))
const ip6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => formatIp({ family: 6, value }))
const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const bytes = fc.uint8Array({ maxLength: 60 })
const words = fc.array(u32, { maxLength: 4 }).map((list) => Uint8Array.from(list.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word])))
const ethernet = fc.record({
  dst: mac,
  src: mac,
  vlans: fc.array(
    fc.record({
      tpid: fc.constantFrom(0x8100, 0x88a8),
      vid: fc.integer({ min: 0, max: 4095 }),
      pcp: fc.integer({ min: 0, max: 7 }),
      dei: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
})
const transport = (family: 4 | 6) =>
  fc.oneof(
    fc.record({
      kind: fc.constant('tcp' as const),
      sport: u16,
      dport: u16,
      seq: u32,
      ack: u32,
      flags: fc.integer({ min: 0, max: 0xfff }),
      window: u16,
      urgent: u16,
      options: words,
    }),
    fc.record({ kind: fc.constant('udp' as const), sport: u16, dport: u16 }),
    fc.record({ kind: fc.constant(family === 4 ? ('icmp' as const) : ('icmp6' as const)), type: u8, code: u8, rest: u32 }),
  )
const extension = fc.record({ type: fc.constantFrom(0, 43, 60), body: fc.uint8Array({ minLength: 7, maxLength: 7 }).map((body) => body.with(0, 0)) })

const packet4: fc.Arbitrary<Packet> = fc
  .tuple(ethernet, ip4, ip4, u8, u8, u16, fc.boolean(), words, transport(4), bytes)
  .map(([ether, src, dst, ttl, tos, id, dontFragment, options, upper, payload]) => ({
    ...ether,
    etherType: etherTypes.ip4,
    ip: { version: 4, src, dst, protocol: protocols[upper.kind], ttl, tos, id, dontFragment, moreFragments: false, fragmentOffsetBytes: 0, options },
    transport: upper,
    payload,
  }))
const packet6: fc.Arbitrary<Packet> = fc
  .tuple(ethernet, ip6, ip6, u8, u8, fc.integer({ min: 0, max: 0xf_ffff }), fc.array(extension, { maxLength: 2 }), transport(6), bytes)
  .map(([ether, src, dst, ttl, tos, label, extensions, upper, payload]) => ({
    ...ether,
    etherType: etherTypes.ip6,
    ip: { version: 6, src, dst, protocol: protocols[upper.kind], ttl, tos, label, extensions },
    transport: upper,
    payload,
  }))
const arpPacket: fc.Arbitrary<Packet> = fc
  .tuple(ethernet, u16, mac, ip4, mac, ip4)
  .map(([ether, op, sha, spa, tha, tpa]) => ({ ...ether, etherType: etherTypes.arp, arp: { op, sha, spa, tha, tpa }, payload: new Uint8Array() }))
const otherPacket: fc.Arbitrary<Packet> = fc.tuple(ethernet, bytes).map(([ether, payload]) => ({ ...ether, etherType: 0x88b5, payload }))
const anyPacket = fc.oneof(packet4, packet6, arpPacket, otherPacket)

describe('frames', () => {
  it('are read as they were built', () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        expect(parseFrame(buildFrame(packet))).toEqual(packet)
      }),
    )
  })

  it('are read the same behind padding', () => {
    fc.assert(
      fc.property(fc.oneof(packet4, packet6, arpPacket), bytes, (packet, padding) => {
        expect(parseFrame(Uint8Array.from([...buildFrame(packet), ...padding]))).toEqual(packet)
      }),
    )
  })

  it('of any bytes are read without an error, and what was read can be built', () => {
    const cut = fc.tuple(anyPacket, fc.nat(200), fc.nat(200), u8).map(([packet, length, at, byte]) => {
      const frame = buildFrame(packet)
      if (at < frame.length) frame[at] = byte
      return frame.slice(0, Math.max(length, 14))
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), cut), (frame) => {
        const packet = parseFrame(frame)
        expect(packet === null).toBe(frame.length < 14)
        if (packet) expect(parseFrame(buildFrame(packet))).toEqual(packet)
      }),
    )
  })

  it('carry checksums that a receiver finds right', () => {
    fc.assert(
      fc.property(fc.oneof(packet4, packet6), (packet) => {
        const frame = buildFrame(packet)
        const l3 = 14 + packet.vlans.length * 4
        const l4 = packet.ip!.version === 4 ? l3 + (frame[l3]! & 15) * 4 : l3 + 40 + packet.ip!.extensions.length * 8
        if (packet.ip!.version === 4) expect(checksum(frame, l3, l4)).toBe(0)
        const sum =
          packet.transport!.kind === 'icmp'
            ? checksum(frame, l4)
            : upperChecksum(frame, packet.ip!.version, l3, packet.ip!.protocol, l4, frame.length)
        expect(sum).toBe(0)
      }),
    )
  })

  it('tell fragments', () => {
    const [first, later] = [0, 8].map((fragmentOffsetBytes) =>
      parseFrame(
        buildFrame({
          dst: '02:00:00:00:00:01',
          src: '02:00:00:00:00:02',
          vlans: [],
          etherType: etherTypes.ip4,
          ip: {
            version: 4,
            src: '10.0.0.1',
            dst: '10.0.0.2',
            protocol: protocols.udp,
            ttl: 1,
            tos: 0,
            id: 7,
            dontFragment: false,
            moreFragments: true,
            fragmentOffsetBytes,
            options: new Uint8Array(),
          },
          payload: fromHex('0001000200080000'),
        }),
      ),
    )
    expect(first).toMatchObject({ ip: { moreFragments: true, fragmentOffsetBytes: 0 }, transport: { kind: 'udp', sport: 1, dport: 2 } })
    expect(later).toMatchObject({ ip: { moreFragments: true, fragmentOffsetBytes: 8 } })
    expect(later).not.toHaveProperty('transport')
  })

  it('with a text that is no address are not built', () => {
    const packet = parseFrame(new Uint8Array(14))!
    expect(() => buildFrame({ ...packet, src: 'me' })).toThrow(expect.objectContaining({ code: 'bad-input' }))
  })
})

describe('checksums', () => {
  it('are those of RFC 1071 §3', () => {
    // The sum is 0xddf2 there; the checksum is its complement.
    expect(checksum(fromHex('0001f203f4f5f6f7'))).toBe(0x220d)
    expect(checksum(fromHex('0001f203f4f5f6f700'))).toBe(0x220d)
  })

  it('updated for a changed word are those of the changed bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 40 }), u16, (data, word) => {
        const sum = checksum(data)
        const changed = data.slice()
        changed[2] = word >> 8
        changed[3] = word
        const updated = updateChecksum(sum, read16(data, 2), word)
        // 0 and 0xffff are the same number in ones' complement.
        expect(updated % 0xffff).toBe(checksum(changed) % 0xffff)
      }),
    )
  })
})

it('bytes and their hexadecimal text are the same', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      expect(fromHex(toHex(data))).toEqual(data)
    }),
  )
  expect(() => fromHex('0x12')).toThrow(expect.objectContaining({ code: 'bad-input' }))
})
