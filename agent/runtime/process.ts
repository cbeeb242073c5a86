import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

/** One life of a process. The start time tells it from a later process with the same id. */
export const processIdSchema = z.object({
  pid: z.number().int().positive(),
  /** Field 22 of `/proc/PID/stat` (proc(5)): clock ticks after boot. */
  startTicks: z.string(),
})
export type ProcessId = z.infer<typeof processIdSchema>

/** Start time and state of a process as `/proc/PID/stat` has it; null when there is none. */
function readStat(pid: number): { startTicks: string; state: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name is in parentheses and may hold anything; what we want comes after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, startTicks: fields[19]! }
  } catch {
    return null
  }
}

/** Names the life of a process that runs now; null when it has ended. */
export function identifyProcess(pid: number): ProcessId | null {
  const stat = readStat(pid)
  return stat && stat.state !== 'Z' ? { pid, startTicks: stat.startTicks } : null
}

/** Whether this very process still runs (a zombie does not). */
export function isAlive(id: ProcessId): boolean {
  return identifyProcess(id.pid)?.startTicks === id.startTicks
}

/** Sends a signal if this very process still runs. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return
  try {
    process.kill(id.pid, signal)
  } catch {
    // It ended in between.
  }
}

/** Ends a process: SIGTERM, and SIGKILL when it is still there after `graceMs`. Resolves when it is gone. */
export async function endProcess(id: ProcessId, graceMs: number): Promise<void> {
  signalProcess(id, 'SIGTERM')
  const killAtMs = performance.now() + graceMs
  while (isAlive(id)) {
    if (performance.now() >= killAtMs) signalProcess(id, 'SIGKILL')
    await sleep(20)
  }
}

/** Writes `{pid, startTicks}` of a running process. Every long-lived process of the agent has such a file in `/run/holdfast`, named `NAME.pid`, by which it is adopted and, when the host leaves, ended. */
export function writePidFile(path: string, id: ProcessId): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, JSON.stringify(id), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** The process that a pid file names if it still runs, else null. */
export function readPidFile(path: string): ProcessId | null {
  try {
    const id = processIdSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
    return isAlive(id) ? id : null
  } catch {
    return null
  }
}

export function removePidFile(path: string): void {
  rmSync(path, { force: true })
}
