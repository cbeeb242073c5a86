import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto'
import type { SealerFor } from '../../core/cluster/heartbeat.ts'

const tagBytes = 16

/**
 * Heartbeats sealed with AES-256-GCM. Each boot of each sender has a key of its own, derived from the cluster's secret with
 * HKDF-SHA-256 (RFC 5869), so that a sequence which begins anew with a boot never repeats a nonce under one key.
 */
export function createSealerFor(secret: Buffer): SealerFor {
  return (sender, incarnation, boot) => {
    // As a KeyObject: raw bytes would be made one for every datagram, at four times the cost.
    const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `holdfast heartbeat 1\n${sender}\n${incarnation}\n${boot}`, 32)))
    return {
      seal(nonce, associated, plain) {
        const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated)
        const head = cipher.update(plain)
        cipher.final()
        return Buffer.concat([head, cipher.getAuthTag()])
      },
      open(nonce, associated, sealed) {
        try {
          const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(associated)
          decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
          const plain = decipher.update(sealed.subarray(0, sealed.length - tagBytes))
          decipher.final()
          return plain
        } catch {
          return null
        }
      },
    }
  }
}
