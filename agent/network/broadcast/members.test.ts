import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { possibleCpus } from './bpf/collection.ts'
import { bpfError, errnos } from './bpf/syscall.ts'
import { decodeMembers, encodeMembers, fastCopies, listKey, maxMembers, setListKey, type Member } from './members.ts'
import { checkRate } from './path.ts'
import { decodeSighting, sightingEventBytes } from './sightings.ts'

const memberArbitrary: fc.Arbitrary<Member> = fc.record({
  ip: fc.ipV4(),
  mac: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')),
  tunnel: fc.constantFrom('vxlan', 'gre'),
})

describe('lists of members', () => {
  test('hold each host once, those that take VXLAN first', () => {
    fc.assert(
      fc.property(fc.uniqueArray(memberArbitrary, { selector: ({ ip }) => ip, maxLength: 50 }), (members) => {
        const elements = encodeMembers(7, members, null)
        expect(elements).toHaveLength(members.length + 1)
        expect(new Set(elements.map(({ length }) => length))).toEqual(new Set([12]))
        const tunnels = decodeMembers(elements).map(({ tunnel }) => tunnel)
        expect(tunnels).toEqual(tunnels.toSorted().reverse())
        const byIp = (one: Member, other: Member): number => (one.ip < other.ip ? -1 : 1)
        expect(decodeMembers(elements).sort(byIp)).toEqual([...members].sort(byIp))
      }),
    )
  })

  test('name the host itself', () => {
    const members: Member[] = ['10.9.0.1', '10.9.0.2'].map((ip) => ({ ip, mac: '02:00:00:00:00:01', tunnel: 'vxlan' }))
    expect(encodeMembers(7, members, '10.9.0.2').map((element) => element.readUInt16LE(10))).toEqual([0, 0, 1])
  })

  test('are for the fast path only where all take one kind of tunnel, and none is the host itself', () => {
    fc.assert(
      fc.property(fc.uniqueArray(memberArbitrary, { selector: ({ ip }) => ip, maxLength: 50 }), fc.boolean(), (members, withSelf) => {
        const elements = encodeMembers(7, members, withSelf ? (members[0]?.ip ?? null) : null)
        const oneKind = new Set(members.map(({ tunnel }) => tunnel)).size < 2
        expect(fastCopies(elements)).toBe(oneKind && !withSelf ? members.length : 0)
        expect(listKey(elements[0]!)).toBe(0)
        setListKey(elements[0]!, 0x0200_0000)
        expect(listKey(elements[0]!)).toBe(0x0200_0000)
        expect(decodeMembers(elements)).toHaveLength(members.length)
      }),
    )
  })

  test('are refused where a host is named twice, is at no IPv4 address, or where there are too many', () => {
    const member: Member = { ip: '10.9.0.1', mac: '02:00:00:00:00:01', tunnel: 'vxlan' }
    const many = Array.from({ length: maxMembers + 1 }, (_, index) => ({ ...member, ip: `10.9.${index >> 8}.${index & 255}` }))
    expect(encodeMembers(7, many.slice(1), null)).toHaveLength(maxMembers + 1)
    for (const members of [[member, { ...member, tunnel: 'gre' as const }], [{ ...member, ip: 'fd00::1' }], many]) {
      expect(() => encodeMembers(7, members, null)).toThrow(expect.objectContaining({ code: 'bad-input' }) as Error)
    }
  })
})

test('a VNI has 24 bits, and a rate is more than nothing', () => {
  for (const vni of [-1, 0x100_0000, 1.5, NaN]) {
    expect(() => encodeMembers(vni, [], null)).toThrow(expect.objectContaining({ code: 'bad-input' }) as Error)
  }
  expect(encodeMembers(0xff_ffff, [], null)).toHaveLength(1)
  for (const rate of [
    { framesPerSecond: 0, burstFrames: 1 },
    { framesPerSecond: Infinity, burstFrames: 1 },
    { framesPerSecond: 1, burstFrames: 0 },
  ]) {
    expect(() => checkRate(rate)).toThrow(expect.objectContaining({ code: 'bad-input' }) as Error)
  }
  expect(() => checkRate({ framesPerSecond: 0.5, burstFrames: 1 })).not.toThrow()
})

test('a sighting is told by the clock of the day', () => {
  const event = Buffer.alloc(sightingEventBytes)
  event.writeUInt32LE(100, 0)
  event.writeUInt32LE(4, 4)
  event.set([10, 20, 1, 100], 8)
  event.set([0, 0, 0x5e, 0, 1, 0x33, 0, 0, 10, 9, 0, 1], 24)
  event.writeBigUInt64LE(5_000_000_000n, 40)
  event.writeBigUInt64LE(9n, 48)
  expect(decodeSighting(event, 1_700_000_000_000, 5_250_000_000n)).toEqual({
    vni: 100,
    ip: '10.20.1.100',
    mac: '00:00:5e:00:01:33',
    host: '10.9.0.1',
    atMs: 1_700_000_000_000 - 250,
    sequence: 9,
  })
})

test('what the kernel refuses is told apart', () => {
  const reason = (errno: number): unknown => bpfError(errno, 'do it').toDoc()
  expect(reason(errnos.EPERM)).toMatchObject({ code: 'not-supported', data: { reason: 'no-rights', errno: 1 } })
  expect(reason(errnos.ENOSYS)).toMatchObject({ code: 'not-supported', data: { reason: 'no-bpf' } })
  expect(reason(5)).toMatchObject({ code: 'internal', data: { errno: 5 } })
  expect(bpfError(errnos.EINVAL, 'run it', { reason: 'no-tcx' }).toDoc()).toMatchObject({ code: 'not-supported', data: { reason: 'no-tcx' } })
})

test('CPUs are counted as the kernel numbers them', () => {
  expect(['0\n', '0-7\n', '0,2-5\n', '0-3,8\n'].map((text) => possibleCpus(text))).toEqual([1, 8, 6, 9])
})
