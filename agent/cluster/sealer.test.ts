import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeartbeatReceiver, HeartbeatSender } from '../../core/cluster/heartbeat.ts'
import { createSealerFor } from './sealer.ts'

const secret = randomBytes(32)
const state = (boot: number) => ({ boot, sequences: { mgmt: 0, storage: 0, tenant: 0 } })
const heartbeat = (key: Buffer, boot = 1) =>
  new HeartbeatSender({ host: 'h1', incarnation: 'a', sealerFor: createSealerFor(key), state: state(boot) }).next('mgmt', 42, 1)
function receiver(): HeartbeatReceiver {
  const made = new HeartbeatReceiver(createSealerFor(secret))
  made.setPeers(new Map([['h1', 'a']]))
  return made
}

describe('heartbeats under AES-256-GCM', () => {
  test('are heard under the cluster’s secret, and forged under any other', () => {
    expect(receiver().receive(heartbeat(secret), 'mgmt')).toMatchObject({ type: 'heard', wallMs: 42, flags: 1 })
    expect(receiver().receive(heartbeat(randomBytes(32)), 'mgmt').type).toBe('forged')
  })

  test('one flipped bit anywhere is not heard', () => {
    const genuine = heartbeat(secret)
    for (let bit = 0; bit < genuine.length * 8; bit++) {
      const bytes = genuine.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(receiver().receive(bytes, 'mgmt').type).not.toBe('heard')
    }
  })

  test('the same sequence in another boot is sealed with another key', () => {
    expect(heartbeat(secret, 1).slice(22)).not.toEqual(heartbeat(secret, 2).slice(22))
  })

  test('raw bytes never throw', () => {
    const peer = receiver()
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => peer.receive(bytes, 'mgmt').type !== 'heard'))
    // With a proper header, so that the tag is looked at.
    const header = heartbeat(secret).slice(0, 24)
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 25, maxLength: 25 }),
        (rest) => peer.receive(new Uint8Array([...header, ...rest]), 'mgmt').type === 'forged',
      ),
    )
  })
})
