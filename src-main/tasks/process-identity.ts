import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process that cannot be taken for a later one with the same id. */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the words of the system; empty where that cannot be told. */
  started: string
}

/** Identity of a running process; null when there is none with that id. */
export function identityOf(pid: number): ProcessIdentity | null {
  const started = startOf(pid)
  return started === null ? null : { pid, started }
}

/** Whether that very process still runs. */
export function isAlive({ pid, started }: ProcessIdentity): boolean {
  return startOf(pid) === started
}

/** Start time of a running process; null when there is none. */
function startOf(pid: number): string | null {
  try {
    // The command in field 2 may hold spaces and brackets; field 22 is the start in clock ticks since boot (proc_pid_stat(5)).
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19]!
    if (process.platform === 'darwin') return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    process.kill(pid, 0)
    return ''
  } catch {
    return null
  }
}
