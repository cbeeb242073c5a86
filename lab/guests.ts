import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nameSchema } from '../core/model/common.ts'
import { powerOf, type LabState } from './state.ts'

/** Where the agent leaves the process id of a light guest's process 1, as the host counts. */
const pidFileOf = (port: string): string => `run/holdfast/guest-${port}.pid`

/** The running host that has a light guest on a port of this name, and the guest's process 1; null when none has. */
export function findGuest(state: LabState, port: string): { host: string; pid: number } | null {
  if (!nameSchema.safeParse(port).success) return null
  for (const [host, { init }] of Object.entries(state.hosts)) {
    if (!init || powerOf(state, host) !== 'on') continue
    try {
      const { pid } = JSON.parse(readFileSync(join('/proc', String(init.pid), 'root', pidFileOf(port)), 'utf8')) as { pid: number }
      return { host, pid }
    } catch {
      // Not on this one.
    }
  }
  return null
}
