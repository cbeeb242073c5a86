import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSealerFor } from '../sim/check-sum.ts'
import { planes, type Plane } from '../model/common.ts'
import { HeartbeatReceiver, HeartbeatSender, maxHeartbeatBytes, parseHeartbeat, type SenderState } from './heartbeat.ts'

const sealerFor = createSealerFor()
const from = (boot: number, sequence = 0): SenderState => ({ boot, sequences: { mgmt: sequence, storage: sequence, tenant: sequence } })
const sender = (state = from(1), host = 'h1', incarnation = 'a') => new HeartbeatSender({ host, incarnation, sealerFor, state })
function receiver(boots: Record<string, number> = {}): HeartbeatReceiver {
  const made = new HeartbeatReceiver(sealerFor)
  made.setPeers(new Map([['h1', 'a']]), boots)
  return made
}
const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)

describe('the wire', () => {
  test('what is sent is heard, whoever sends it and whatever its clock says', () => {
    fc.assert(
      fc.property(
        name,
        fc.constantFrom(...planes),
        fc.nat(),
        fc.nat(255),
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.nat(2 ** 40),
        (host, plane, wallMs, flags, boot, sequence) => {
          const bytes = sender(from(boot, sequence), host).next(plane, wallMs, flags)
          expect(bytes.length).toBeLessThanOrEqual(maxHeartbeatBytes)
          expect(parseHeartbeat(bytes)).toEqual({ sender: host, boot, sequence: sequence + 1, plane })
          const peer = new HeartbeatReceiver(sealerFor)
          peer.setPeers(new Map([[host, 'a']]))
          expect(peer.receive(bytes, plane)).toEqual({ type: 'heard', from: host, plane, wallMs, flags, newBoot: true })
        },
      ),
    )
  })

  test('no bytes throw, and none but genuine ones are heard', () => {
    const genuine = [...sender().next('mgmt', 1, 0)]
    const mangled = fc
      .tuple(fc.array(fc.tuple(fc.nat(genuine.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), fc.nat(genuine.length))
      .map(([edits, length]) => {
        const bytes = [...genuine]
        for (const [at, value] of edits) bytes[at] = value
        return Uint8Array.from(bytes.slice(0, length || genuine.length))
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), mangled), fc.constantFrom(...planes), (bytes, plane) => {
        const peer = receiver()
        const heard = peer.receive(bytes, plane).type === 'heard'
        expect(heard).toBe(plane === 'mgmt' && bytes.length === genuine.length && bytes.every((byte, index) => byte === genuine[index]))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('refused', () => {
  test('every datagram that was heard is refused when it comes again, in whatever order and however often', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(39), { minLength: 1, maxLength: 200 }), (order) => {
        const source = sender()
        const sent = Array.from({ length: 40 }, () => source.next('mgmt', 0, 0))
        const peer = receiver()
        const heard = new Set<number>()
        for (const index of order) {
          const { type } = peer.receive(sent[index]!, 'mgmt')
          expect(['heard', 'replayed']).toContain(type)
          if (type === 'heard') expect(heard.has(index)).toBe(false)
          if (type === 'heard') heard.add(index)
        }
        expect(peer.counters('h1', 'mgmt')).toMatchObject({ replayed: order.length - heard.size, forged: 0 })
        // Between the first heard and the highest, what was not heard is lost; late ones that still came are not.
        const first = order[0]!
        const highest = Math.max(...heard)
        const inside = [...heard].filter((index) => index >= first).length
        expect(peer.counters('h1', 'mgmt').lost).toBe(highest - first + 1 - inside)
      }),
    )
  })

  test('an earlier boot, also one that is only known from disk', () => {
    const old = sender(from(4)).next('mgmt', 0, 0)
    const peer = receiver()
    expect(peer.receive(sender(from(5)).next('storage', 0, 0), 'storage')).toMatchObject({ type: 'heard', newBoot: true })
    expect(peer.receive(old, 'mgmt').type).toBe('replayed')
    expect(peer.boots).toEqual({ h1: 5 })
    expect(receiver({ h1: 5 }).receive(old, 'mgmt').type).toBe('replayed')
    expect(receiver({ h1: 4 }).receive(old, 'mgmt').type).toBe('heard')
  })

  test.each<[string, () => Uint8Array, Plane, string]>([
    ['of a host that is not in the cluster', () => sender(from(1), 'h9').next('mgmt', 0, 0), 'mgmt', 'stranger'],
    ['of an earlier host of the same name', () => sender(from(9), 'h1', 'b').next('mgmt', 0, 0), 'mgmt', 'forged'],
    ['that came on another plane', () => sender().next('mgmt', 0, 0), 'storage', 'wrong-plane'],
    ['with another plane written into it', () => sender().next('mgmt', 0, 0).with(20, 1), 'storage', 'forged'],
    ['with a higher boot written into it', () => sender().next('mgmt', 0, 0).with(11, 200), 'mgmt', 'forged'],
  ])('one %s', (_, make, plane, type) => {
    const peer = receiver()
    expect(peer.receive(make(), plane).type).toBe(type)
    // It has left no trace: the genuine one is heard.
    expect(peer.receive(sender().next('mgmt', 0, 0), 'mgmt').type).toBe('heard')
  })
})

test('a sender goes on where the one before it stopped', () => {
  const first = sender()
  const peer = receiver()
  for (let count = 0; count < 3; count++) peer.receive(first.next('mgmt', 0, 0), 'mgmt')
  const second = sender(first.state)
  expect(peer.receive(second.next('mgmt', 0, 0), 'mgmt')).toMatchObject({ type: 'heard', newBoot: false })
  expect(peer.counters('h1', 'mgmt')).toEqual({ lost: 0, replayed: 0, forged: 0 })
})

test('peers that stay keep their counters, those that go are forgotten', () => {
  const peer = receiver()
  const bytes = sender().next('mgmt', 0, 0)
  peer.receive(bytes, 'mgmt')
  peer.receive(bytes, 'mgmt')
  peer.setPeers(
    new Map([
      ['h1', 'a'],
      ['h2', 'b'],
    ]),
  )
  expect(peer.counters('h1', 'mgmt').replayed).toBe(1)
  peer.setPeers(new Map())
  expect(peer.receive(sender().next('mgmt', 0, 0), 'mgmt').type).toBe('stranger')
})
