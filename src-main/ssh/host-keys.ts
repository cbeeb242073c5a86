import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../contexts/atomic-file.ts'

/** The host key a server showed: its algorithm as SSH names it, and the fingerprint as `ssh-keygen -l` prints it (`SHA256:…`). */
export interface HostKey {
  algorithm: string
  fingerprint: string
}

/** Reads algorithm and fingerprint out of a public host key in SSH's wire form (RFC 4253, 6.6). */
export function describeHostKey(blob: Buffer): HostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0
  const algorithm = length > 0 && length <= 64 && blob.length >= 4 + length ? blob.toString('latin1', 4, 4 + length) : 'unknown'
  return { algorithm, fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}` }
}

const pinSchema = z.object({ algorithm: z.string(), fingerprint: z.string(), pinnedAtMs: z.number() })

/**
 * Host keys that a person accepted, one small file each in `DATA/known-hosts/`, so that several programs may pin at once.
 * A pinned key is only ever replaced by `pin`, which is what a person's explicit acceptance calls.
 */
export class HostKeys {
  readonly #dir: string

  constructor(dataDir: string) {
    this.#dir = join(dataDir, 'known-hosts')
  }

  /** The key pinned for an address, or null. A file that cannot be read counts as none: the person is asked again. */
  pinned(address: string, port: number): HostKey | null {
    try {
      return pinSchema.parse(JSON.parse(readFileSync(this.#path(address, port), 'utf8')))
    } catch {
      return null
    }
  }

  /** Pins a key that a person, or the program that made the host, vouches for. */
  pin(address: string, port: number, key: HostKey): void {
    const pin = { algorithm: key.algorithm, fingerprint: key.fingerprint, pinnedAtMs: Date.now() }
    writeAtomically(this.#path(address, port), JSON.stringify(pin))
  }

  #path(address: string, port: number): string {
    return join(this.#dir, `${encodeURIComponent(address.toLowerCase())}_${port}.json`)
  }
}
