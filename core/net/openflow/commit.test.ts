import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../packet/bytes.ts'
import { checksum, upperChecksum } from '../packet/checksum.ts'
import { arpRequest, icmpEcho, neighbourAdvertisement, neighbourSolicitation, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { parseFrame } from '../packet/parse.ts'
import { commit } from './commit.ts'
import { extract } from './extract.ts'
import { at, keyWords, vlanPresent, type Key } from './fields.ts'

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }
const [a6, b6] = [
  { ...a, ip: 'fd00::1' },
  { ...b, ip: 'fd00::2' },
]
const payload = Uint8Array.of(1, 2, 3)

const ethernet = [at.ethDst + 1, at.ethSrc + 1]
const ip4 = [...ethernet, at.ip4Src, at.ip4Dst, at.tos, at.ttl]
const ip6 = [...ethernet, at.ip6Src, at.ip6Src + 3, at.ip6Dst + 1, at.ip6Dst + 2, at.tos, at.ttl, at.ip6Label]
const ports = [at.l4Src, at.l4Dst]
/** Frames, and the words of their keys that can be written. */
const frames: [string, Uint8Array, number[]][] = [
  ['ARP', arpRequest(a, b.ip), [...ethernet, at.protocol, at.ip4Src, at.ip4Dst, at.arpSha, at.arpSha + 1, at.arpTha + 1]],
  ['TCP', tcpSegment(a, b, { sport: 1, dport: 2, flags: 2 }, { payload }), [...ip4, ...ports]],
  ['UDP', udpDatagram(a, b, { sport: 1, dport: 2 }, { payload }), [...ip4, ...ports]],
  ['ICMP', icmpEcho(a, b, { id: 1, seq: 1 }, { payload }), [...ip4, ...ports]],
  ['TCP in IPv6', tcpSegment(a6, b6, { sport: 1, dport: 2, flags: 2 }, { payload }), [...ip6, ...ports]],
  ['UDP in IPv6', udpDatagram(a6, b6, { sport: 1, dport: 2 }, { payload }), [...ip6, ...ports]],
  ['ICMPv6', icmpEcho(a6, b6, { id: 1, seq: 1 }, { payload }), ip6],
  ['neighbour solicitation', neighbourSolicitation(a6, b6.ip), [...ip6, at.ndTarget, at.ndTarget + 3, at.arpSha + 1, at.ndReserved]],
  ['neighbour advertisement', neighbourAdvertisement(a6, b6), [...ip6, at.ndTarget, at.arpTha + 1, at.ndReserved]],
]
/** Bits of narrow words; others have 32. */
const widths = new Map<number, number>([
  [at.tos, 8],
  [at.ttl, 8],
  [at.ip6Label, 20],
  [at.arpSha, 16],
])
const widthOf = (name: string, word: number): number => {
  if (word === at.protocol) return 8
  if (word === at.l4Src || word === at.l4Dst) return name.startsWith('ICMP') ? 8 : 16
  return widths.get(word) ?? 32
}

function keyOf(bytes: Uint8Array): { key: Key; frame: Parameters<typeof commit>[0] } {
  const key = new Uint32Array(keyWords)
  return { key, frame: { bytes, ...extract(bytes, key) } }
}

describe('what is written into a frame', () => {
  it.each(frames)('is read from it again, with right checksums: %s', (name, bytes, writable) => {
    const changes = fc.dictionary(fc.constantFrom(...writable.map(String)), fc.integer({ min: 1, max: 0xffff_ffff }))
    const tags = fc.array(fc.tuple(fc.constantFrom(0x8100, 0x88a8), fc.nat(0xefff)), { maxLength: 2 })
    fc.assert(
      fc.property(changes, tags, (words, pushed) => {
        const { key, frame } = keyOf(bytes)
        const after = key.slice()
        for (const [word, value] of Object.entries(words)) after[Number(word)] = value % 2 ** widthOf(name, Number(word)) || 1
        pushed.forEach(([tpid, tci], index) => (after[at.vlan + index] = ((tpid << 16) | tci | vlanPresent) >>> 0))
        const written = commit(frame, key, after)
        expect(toHex(bytes)).toBe(toHex(frame.bytes))
        // Only the outer tag is looked into.
        const back = commit(written, after, after.with(at.vlan, 0).with(at.vlanInner, 0))
        const { key: read } = keyOf(back.bytes)
        expect(read).toEqual(after.with(at.vlan, 0).with(at.vlanInner, 0))
        expect(parseFrame(written.bytes)!.vlans.map(({ tpid, vid, pcp }) => [tpid, vid, pcp])).toEqual(
          pushed.map(([tpid, tci]) => [tpid, tci & 0xfff, tci >> 13]),
        )
        const { l3, l4 } = back
        const packet = parseFrame(back.bytes)!
        if (packet.ip?.version === 4) expect(checksum(back.bytes, l3, l4)).toBe(0)
        if (packet.transport?.kind === 'icmp') expect(checksum(back.bytes, l4)).toBe(0)
        else if (packet.ip) expect(upperChecksum(back.bytes, packet.ip.version, l3, packet.ip.protocol, l4, back.bytes.length)).toBe(0)
      }),
    )
  })

  it('does not make a wrong checksum right', () => {
    const { frame, key } = keyOf(udpDatagram(a, b, { sport: 1, dport: 2 }).with(40, 0x55).with(41, 0xaa))
    const written = commit(frame, key, key.with(at.l4Src, 3))
    expect(upperChecksum(written.bytes, 4, 14, 17, 34, 42)).not.toBe(0)
  })

  it('leaves UDP without a checksum without one', () => {
    const { frame, key } = keyOf(udpDatagram(a, b, { sport: 1, dport: 2 }).with(40, 0).with(41, 0))
    expect(toHex(commit(frame, key, key.with(at.l4Src, 3).with(at.ip4Src, 7)).bytes.subarray(34))).toBe('0003' + '0002' + '0008' + '0000')
  })

  it('touches no checksum behind a routing header with segments left', () => {
    const bytes = fromHex(
      '020000000002020000000001' +
        '86dd' +
        '6000000000102b40' +
        'fd000000000000000000000000000001' +
        'fd000000000000000000000000000002' +
        '1100000100000000' +
        '0001000200080abc',
    )
    const { frame, key } = keyOf(bytes)
    expect(key[at.l4Dst]).toBe(2)
    const sumOf = (after: Key) => toHex(commit(frame, key, after).bytes.subarray(-2))
    expect(sumOf(key.with(at.ip6Dst, 1))).toBe('0abc')
    expect(sumOf(key.with(at.ip6Src, 1))).toBe('0abc')
    expect(sumOf(key.with(at.l4Src, 9))).not.toBe('0abc')
  })
})
