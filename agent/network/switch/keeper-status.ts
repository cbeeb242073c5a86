import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ProcessId } from '../../runtime/process.ts'
import type { InstanceId } from './ovs-instance.ts'

/** Forwarding was taken from one ovs-vswitchd and given to another. */
export interface Takeover {
  /** Wall clock. */
  atMs: number
  /** The old one had ended, did not answer any more, or an administrator asked for it. */
  reason: 'killed' | 'hung' | 'asked'
  /** By a standby that stood ready, or by one that had to be started first. */
  way: 'standby' | 'restart'
  /** From the moment it was noticed until the new one forwarded. */
  tookMs: number
  /** At most: from the last sign of life of the old one until the new one forwarded. */
  outageMs: number
  /** Connections that conntrack knew of and knows no more; null: it could not be asked. */
  connectionsCut: number | null
}

/** What the keeper says of itself and of what it keeps. */
export interface KeeperStatus {
  keeper: ProcessId
  /** The file that it runs, by which a newer agent tells that it is another version's. */
  program: string
  /** The one that forwards; null while there is none. */
  active: InstanceId | null
  /** The one that would take over; null while there is none, and always where the kernel forwards. */
  standby: InstanceId | null
  /** Whether the standby could take over now. */
  ready: boolean
  /** Instances started since the keeper's first, to replace others. */
  restarts: number
  lastTakeover: Takeover | null
  /** Why an instance cannot be started; null when all is well. */
  problem: string | null
  /** `desiredVersion` of what it has read last. */
  desired: string
}

/** Writes it whole or not at all. */
export function writeStatus(path: string, status: KeeperStatus): void {
  writeFileSync(`${path}.new`, JSON.stringify(status), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** What `writeStatus` wrote; null where there is none. */
export function readStatus(path: string): KeeperStatus | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as KeeperStatus
  } catch {
    return null
  }
}
