import type { SealerFor } from '../cluster/heartbeat.ts'

/**
 * Seals without a secret: a check sum over everything that the real tag covers, and the payload left readable. For simulations, which
 * forge nothing that they would have to compute.
 */
export function createSealerFor(): SealerFor {
  return (sender, incarnation, boot) => {
    const seed = new TextEncoder().encode(`${sender}\n${incarnation}\n${boot}`)
    const tag = (...parts: Uint8Array[]) => {
      let h = 0x811c9dc5
      for (const part of [seed, ...parts]) for (const byte of part) h = Math.imul(h ^ byte, 0x01000193)
      const bytes = new Uint8Array(16)
      new DataView(bytes.buffer).setUint32(0, h >>> 0)
      return bytes
    }
    return {
      seal: (nonce, associated, plain) => new Uint8Array([...plain, ...tag(nonce, associated, plain)]),
      open: (nonce, associated, sealed) => {
        const plain = sealed.slice(0, sealed.length - 16)
        const expected = tag(nonce, associated, plain)
        return sealed.subarray(sealed.length - 16).every((byte, index) => byte === expected[index]) ? plain : null
      },
    }
  }
}
