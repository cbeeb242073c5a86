import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, fromHex } from '../packet/bytes.ts'
import { arpRequest, neighbourSolicitation, udpDatagram } from '../packet/compose.ts'
import { extract } from './extract.ts'
import { at, keyWords } from './fields.ts'

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }
const [a6, b6] = [
  { ...a, ip: 'fd00::1' },
  { ...b, ip: 'fd00::2' },
]
const macs = fromHex('020000000002020000000001')
const udp = udpDatagram(a, b, { sport: 1000, dport: 53 })
const udp6 = udpDatagram(a6, b6, { sport: 1000, dport: 53 })

function read(frame: Uint8Array) {
  const key = new Uint32Array(keyWords)
  const offsets = extract(frame, key)
  const field = (word: number) => key[word]!
  return {
    key,
    offsets,
    type: field(at.etherType),
    vlan: field(at.vlan),
    protocol: field(at.protocol),
    l4: [field(at.l4Src), field(at.l4Dst)],
    fragment: field(at.fragment),
    field,
  }
}

/** The frame with `inserted` behind its IPv6 header, which says that it is of type `next`. */
function extended(next: number, inserted: string): Uint8Array {
  const extension = fromHex(inserted)
  const frame = concatBytes(udp6.subarray(0, 54), extension, udp6.subarray(54))
  frame[20] = next
  frame[19] = frame[19]! + extension.length
  return frame
}

describe('fields of a frame', () => {
  it('are read from any bytes without an error, and nothing is left of another frame', () => {
    const cut = fc.tuple(fc.constantFrom(udp, udp6, arpRequest(a, b.ip), neighbourSolicitation(a6, b6.ip)), fc.nat(100), fc.nat(100), fc.nat(255))
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      cut.map(([frame, length, index, byte]) => (index < frame.length ? frame.with(index, byte) : frame).slice(0, length)),
    )
    fc.assert(
      fc.property(frames, (frame) => {
        const dirty = new Uint32Array(keyWords).fill(7)
        const offsets = extract(frame, dirty)
        expect(dirty.subarray(at.etherType, at.tunId)).toEqual(read(frame).key.subarray(at.etherType, at.tunId))
        expect(dirty[at.registers]).toBe(7)
        expect(offsets.l4).toBeLessThanOrEqual(frame.length)
      }),
    )
  })

  it('know one VLAN tag, with a bit that it is there', () => {
    expect(read(concatBytes(macs, fromHex('8100600a'), udp.subarray(12)))).toMatchObject({ type: 0x0800, vlan: 0x8100_700a, l4: [1000, 53] })
    expect(read(concatBytes(macs, fromHex('88a8000b8100000a'), udp.subarray(12)))).toMatchObject({ type: 0x8100, vlan: 0x88a8_100b, protocol: 0 })
    expect(read(concatBytes(macs, fromHex('8100000a')))).toMatchObject({ type: 0x8100, vlan: 0 })
  })

  it('know Ethernet types inside of IEEE 802.3 with SNAP', () => {
    const snap = (org: string) => concatBytes(macs, fromHex(`0040aaaa03${org}0800`), udp.subarray(14))
    expect(read(snap('000000'))).toMatchObject({ type: 0x0800, l4: [1000, 53] })
    expect(read(snap('00000c'))).toMatchObject({ type: 0x05ff, protocol: 0 })
  })

  it('of ARP need it to be about Ethernet and IPv4, and know operations of 8 bits', () => {
    const request = arpRequest(a, b.ip)
    expect(read(request)).toMatchObject({ protocol: 1 })
    expect(read(request.with(20, 1)).field(at.protocol)).toBe(0)
    expect(read(request.with(20, 1)).field(at.ip4Src)).toBe(0x0a00_0001)
    expect(read(request.with(15, 6)).field(at.ip4Src)).toBe(0)
  })

  it('of IP need lengths that fit, and padding is none of it', () => {
    expect(read(udp).offsets).toEqual({ l3: 14, l4: 34, paddingBytes: 0 })
    expect(read(concatBytes(udp, new Uint8Array(5))).offsets.paddingBytes).toBe(5)
    for (const wrong of [udp.with(14, 0x44), udp.with(17, 29), udp.with(17, 19), udp.slice(0, 41), udp6.with(19, 9)]) {
      expect(read(wrong)).toMatchObject({ protocol: 0, offsets: { l4: -1 } })
    }
  })

  it('of fragments: the first has ports, later ones have not', () => {
    expect(read(udp.with(20, 0x20))).toMatchObject({ fragment: 1, l4: [1000, 53] })
    expect(read(udp.with(21, 1))).toMatchObject({ fragment: 3, l4: [0, 0], protocol: 17 })
    expect(read(extended(44, '1100000100000001'))).toMatchObject({ fragment: 1, protocol: 17, l4: [1000, 53] })
    expect(read(extended(44, '1100000900000001'))).toMatchObject({ fragment: 3, protocol: 44, l4: [0, 0] })
    expect(read(extended(44, '1100000000000001'))).toMatchObject({ fragment: 0, protocol: 17, l4: [1000, 53] })
  })

  it('are found behind IPv6 extension headers', () => {
    expect(read(extended(0, '3c00010400000000' + '1100010400000000'))).toMatchObject({ protocol: 17, l4: [1000, 53], offsets: { l4: 70 } })
    expect(read(extended(51, '1101000000000000' + '00000000'))).toMatchObject({ protocol: 17, l4: [1000, 53] })
    expect(read(extended(0, '11ff010400000000'))).toMatchObject({ protocol: 0, offsets: { l4: -1 } })
  })

  it('of neighbour discovery: the target and link-layer addresses, unless one is said twice', () => {
    const asked = neighbourSolicitation(a6, b6.ip)
    expect(read(asked).field(at.ndTarget)).toBe(0xfd00_0000)
    expect(read(asked).field(at.arpSha + 1)).toBe(1)
    expect(read(asked).field(at.flags)).toBe(1)
    const twice = concatBytes(asked, asked.subarray(-8)).with(19, 40)
    expect([at.ndTarget, at.arpSha + 1, at.flags].map(read(twice).field)).toEqual([0, 0, 1])
  })
})
