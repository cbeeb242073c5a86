import { describe, expect, it } from 'vitest'
import { buildFrame } from '../packet/build.ts'
import { icmpEcho, tcpSegment, udpDatagram, type End } from '../packet/compose.ts'
import { buildIcmpError } from '../packet/icmp-error.ts'
import { tcpFlags, type Packet } from '../packet/packet.ts'
import { parseFrame } from '../packet/parse.ts'
import { StatefulConntrack, untracked, type CtMetadata, type CtRequest } from './conntrack.ts'
import { ctStateText } from './describe.ts'
import { extract } from './extract.ts'
import { at, keyWords } from './fields.ts'

const { syn, ack, fin, rst, psh } = tcpFlags
const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }
const a6 = { mac: a.mac, ip: 'fd00::1' }
const b6 = { mac: b.mac, ip: 'fd00::2' }

/** One conntrack, as an observer tells of it. */
function tracker(conntrack = new StatefulConntrack()) {
  const ask = (frame: Uint8Array, request: Partial<CtRequest> = {}, before: CtMetadata = untracked) => {
    const key = new Uint32Array(keyWords)
    const offsets = extract(frame, key)
    return conntrack.track({ bytes: frame, ...offsets }, key[at.etherType]!, before, { zone: 5, commit: false, nowMs: 0, ...request })
  }
  const state = (frame: Uint8Array, request: Partial<CtRequest> = {}): string => {
    const found = ask(frame, request)
    return found === 'held' ? 'held' : ctStateText(found.state)
  }
  return { conntrack, ask, state, commit: (frame: Uint8Array, nowMs = 0) => state(frame, { commit: true, nowMs }) }
}

const tcp = (from: End, to: End, flags: number, fields: { seq?: number; ack?: number; payload?: Uint8Array; window?: number } = {}) =>
  tcpSegment(
    from,
    to,
    { sport: from === a ? 1000 : 22, dport: from === a ? 22 : 1000, flags, ...fields },
    fields.payload ? { payload: fields.payload } : {},
  )
const udp = (from: End, to: End) => udpDatagram(from, to, { sport: from === a ? 1000 : 53, dport: from === a ? 53 : 1000 })

function changed(frame: Uint8Array, change: (packet: Packet) => void): Uint8Array {
  const packet = structuredClone(parseFrame(frame)!)
  change(packet)
  return buildFrame(packet)
}

describe('TCP', () => {
  it('is new until it goes on after its SYN, and a reply from the other side', () => {
    const { state, commit } = tracker()
    expect(state(tcp(a, b, syn, { seq: 100 }))).toBe('new|trk')
    expect(commit(tcp(a, b, syn, { seq: 100 }))).toBe('new|trk')
    expect(state(tcp(a, b, syn, { seq: 100 }))).toBe('new|trk')
    expect(state(tcp(b, a, syn | ack, { seq: 500, ack: 101 }))).toBe('est|rpl|trk')
    expect(state(tcp(a, b, ack, { seq: 101, ack: 501 }))).toBe('est|trk')
    expect(state(tcp(a, b, psh | ack, { seq: 101, ack: 501, payload: new Uint8Array(10) }))).toBe('est|trk')
    expect(state(tcp(b, a, ack, { seq: 501, ack: 111 }))).toBe('est|rpl|trk')
  })

  it('ends and may be opened again', () => {
    const { state, commit } = tracker()
    commit(tcp(a, b, syn, { seq: 100 }))
    state(tcp(b, a, syn | ack, { seq: 500, ack: 101 }))
    state(tcp(a, b, ack, { seq: 101, ack: 501 }))
    expect(state(tcp(a, b, fin | ack, { seq: 101, ack: 501 }))).toBe('est|trk')
    expect(state(tcp(b, a, fin | ack, { seq: 501, ack: 102 }))).toBe('est|rpl|trk')
    expect(state(tcp(a, b, ack, { seq: 102, ack: 502 }))).toBe('est|trk')
    expect(commit(tcp(a, b, syn, { seq: 9000 }))).toBe('new|trk')
    expect(state(tcp(b, a, syn | ack, { seq: 70_000, ack: 9001 }))).toBe('est|rpl|trk')
  })

  it('may be picked up in the middle, but not at a SYN with ACK', () => {
    expect(tracker().commit(tcp(a, b, ack, { seq: 7, ack: 9 }))).toBe('new|trk')
    expect(tracker().commit(tcp(b, a, syn | ack))).toBe('inv|trk')
  })

  it.each([
    ['SYN with FIN', syn | fin],
    ['SYN with RST', syn | rst],
    ['no flag', 0],
    ['FIN alone', fin],
    ['PSH with RST alone', psh | rst],
  ])('with flags that make no sense is invalid: %s', (_, flags) => {
    const { state, commit } = tracker()
    expect(state(tcp(a, b, flags))).toBe('inv|trk')
    commit(tcp(a, b, syn))
    expect(state(tcp(a, b, flags))).toBe('inv|trk')
  })

  it('outside of the window is invalid', () => {
    const { state, commit } = tracker()
    commit(tcp(a, b, syn, { seq: 100, window: 1000 }))
    state(tcp(b, a, syn | ack, { seq: 500, ack: 101, window: 1000 }))
    state(tcp(a, b, ack, { seq: 101, ack: 501, window: 1000 }))
    const payload = new Uint8Array(10)
    expect(state(tcp(a, b, psh | ack, { seq: 5000, ack: 501, payload }))).toBe('inv|trk')
    expect(state(tcp(a, b, rst, { seq: 5000 }))).toBe('inv|trk')
    expect(state(tcp(a, b, psh | ack, { seq: 101, ack: 501, payload }))).toBe('est|trk')
  })

  it('is told apart by zone', () => {
    const { state, commit } = tracker()
    commit(tcp(a, b, syn))
    expect(state(tcp(b, a, syn | ack, { ack: 1 }), { zone: 6 })).toBe('inv|trk')
    expect(state(tcp(b, a, syn | ack, { ack: 1 }))).toBe('est|rpl|trk')
  })
})

describe('UDP and other protocols', () => {
  it('are new until answered', () => {
    const { state, commit } = tracker()
    expect(state(udp(a, b))).toBe('new|trk')
    expect(commit(udp(a, b))).toBe('new|trk')
    expect(state(udp(a, b))).toBe('new|trk')
    expect(state(udp(b, a))).toBe('est|rpl|trk')
    expect(state(udp(a, b))).toBe('est|trk')
  })

  it('without ports are known by their addresses', () => {
    const gre = (from: End, to: End) => changed(udp(from, to), (packet) => (Object.assign(packet.ip!, { protocol: 47 }), delete packet.transport))
    const { state, commit } = tracker()
    commit(gre(a, b))
    expect(state(gre(b, a))).toBe('est|rpl|trk')
  })
})

describe('ICMP', () => {
  it.each([
    [a, b],
    [a6, b6],
  ])('echo is known by its identifier', (from, to) => {
    const { state, commit } = tracker()
    const asked = icmpEcho(from, to, { id: 1, seq: 1 })
    expect(commit(asked)).toBe('new|trk')
    expect(state(icmpEcho(from, to, { id: 1, seq: 2 }))).toBe('new|trk')
    expect(state(icmpEcho(to, from, { id: 2, seq: 1, reply: true }))).toBe('inv|trk')
    expect(state(icmpEcho(to, from, { id: 1, seq: 1, reply: true }))).toBe('est|rpl|trk')
    expect(state(asked)).toBe('est|trk')
  })

  it.each([
    [a, b, { ip4: '10.9.9.9' }],
    [a6, b6, { ip6: 'fd00::99' }],
  ])('errors about a known connection are related', (from, to, router) => {
    const { state, commit } = tracker()
    const datagram = udp(from === a ? a : from, to)
    const error = buildIcmpError(datagram, { kind: 'unreachable' }, { mac: b.mac, ...router })!
    expect(state(error)).toBe('inv|trk')
    commit(datagram)
    expect(state(error)).toBe('rel|rpl|trk')
    expect(state(error, { zone: 6 })).toBe('inv|trk')
  })

  it('errors to somebody else than who sent the packet are invalid', () => {
    const { state, commit } = tracker()
    commit(udp(a, b))
    const error = buildIcmpError(udp(a, b), { kind: 'port' }, { mac: b.mac, ip4: b.ip })!
    expect(state(changed(error, (packet) => (packet.ip!.dst = '10.0.0.3')))).toBe('inv|trk')
  })

  it.each([5, 9, 17, 40])('of type %i is invalid, known to no connection', (type) => {
    expect(tracker().commit(changed(icmpEcho(a, b, { id: 1, seq: 1 }), (packet) => Object.assign(packet.transport!, { type })))).toBe('inv|trk')
  })
})

describe('invalid is', () => {
  const flipped = (frame: Uint8Array, index: number) => frame.with(index, frame[index]! ^ 1)
  it.each<[string, Uint8Array]>([
    ['a wrong checksum of the IPv4 header', flipped(udp(a, b), 24)],
    ['a wrong checksum of TCP', flipped(tcp(a, b, syn), 50)],
    ['a wrong checksum of UDP', flipped(udp(a, b), 40)],
    ['a wrong checksum of ICMP', flipped(icmpEcho(a, b, { id: 1, seq: 1 }), 36)],
    ['a wrong checksum of ICMPv6', flipped(icmpEcho(a6, b6, { id: 1, seq: 1 }), 56)],
    ['port 0', udpDatagram(a, b, { sport: 0, dport: 53 })],
    ['an echo with a code', changed(icmpEcho(a, b, { id: 1, seq: 1 }), (packet) => Object.assign(packet.transport!, { code: 1 }))],
    ['a short fragment', changed(udp(a, b), (packet) => Object.assign(packet.ip!, { moreFragments: true, dontFragment: false }))],
    ['what is cut off', udp(a, b).slice(0, 40)],
  ])('%s', (_, frame) => {
    expect(tracker().commit(frame)).toBe('inv|trk')
  })

  it('not UDP without a checksum in IPv4', () => {
    const frame = udp(a, b)
    frame.set([0, 0], 40)
    expect(tracker().commit(frame)).toBe('new|trk')
  })
})

describe('fragments', () => {
  const long = udpDatagram(a, b, { sport: 1000, dport: 53 }, { payload: new Uint8Array(1400) })
  const fragment = (frame: Uint8Array, fields: object) => changed(frame, (packet) => Object.assign(packet.ip!, { dontFragment: false, ...fields }))

  it('are held until the others come', () => {
    expect(tracker().state(fragment(long, { moreFragments: true }))).toBe('held')
    expect(tracker().state(fragment(udp(a, b), { fragmentOffsetBytes: 1480 }))).toBe('held')
    const six = (body: number[]) =>
      changed(udpDatagram(a6, b6, { sport: 1, dport: 2 }, { payload: new Uint8Array(1400) }), (packet) =>
        Object.assign(packet.ip!, { extensions: [{ type: 44, body: Uint8Array.from(body) }] }),
      )
    expect(tracker().state(six([0, 0, 1, 0, 0, 0, 1]))).toBe('held')
    // Offset 0 and no more: RFC 6946 calls it atomic.
    expect(tracker().state(six([0, 0, 0, 0, 0, 0, 1]))).toBe('new|trk')
  })
})

describe('what is remembered', () => {
  it('is forgotten after its time', () => {
    const { state, commit } = tracker()
    commit(udp(a, b))
    expect(state(udp(b, a), { nowMs: 59_999 })).toBe('est|rpl|trk')
    expect(state(udp(b, a), { nowMs: 59_999 + 30_000 })).toBe('new|trk')
  })

  it('is copied: the copy and the original go on apart', () => {
    const { conntrack, commit, state } = tracker()
    commit(tcp(a, b, syn, { seq: 1 }))
    const copy = tracker(conntrack.clone())
    expect(copy.state(tcp(b, a, syn | ack, { seq: 1, ack: 2 }))).toBe('est|rpl|trk')
    commit(udp(a, b))
    expect(copy.state(udp(b, a))).toBe('new|trk')
    expect(state(udp(b, a))).toBe('est|rpl|trk')
    // Both directions of the copy are one connection.
    expect(copy.state(tcp(a, b, ack, { seq: 2, ack: 2 }))).toBe('est|trk')
  })

  it('of a packet is not asked for again in the same zone, but in another', () => {
    const { ask, commit } = tracker()
    commit(udp(a, b))
    const first = ask(udp(b, a)) as CtMetadata
    const again = ask(udp(b, a), { mark: [7, 7] }, first) as CtMetadata
    expect([again.state, again.mark]).toEqual([first.state, 7])
    expect(ctStateText((ask(udp(b, a), { zone: 6 }, first) as CtMetadata).state)).toBe('new|trk')
  })

  it('of marks and labels is written where the mask has ones', () => {
    const { ask } = tracker()
    ask(udp(a, b), {
      commit: true,
      mark: [0xf0, 0xff],
      label: [
        [0, 0],
        [0, 0],
        [1, 1],
        [0xab, 0xff],
      ],
    })
    expect(ask(udp(b, a), { mark: [0x05, 0x0f] })).toMatchObject({ mark: 0xf5, label: [0, 0, 1, 0xab] })
    expect(ask(udp(b, a), { zone: 6, mark: [1, 1] })).toMatchObject({ mark: 0, label: [0, 0, 0, 0] })
  })
})
