import { expect, it } from 'vitest'
import { newSshKey } from './ssh-key.ts'

it('makes keys whose public part has all its bytes, leading zeros included', () => {
  // One of 256 begins with a zero.
  const lengths = new Set(Array.from({ length: 1500 }, () => Buffer.from(newSshKey('root@h1').public.split(' ')[1]!, 'base64').length))
  // "ssh-ed25519" and 32 bytes, each with its length: RFC 8709 §4.
  expect([...lengths]).toEqual([4 + 11 + 4 + 32])
})
