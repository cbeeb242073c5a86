import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { labDown } from '../lab/lab.ts'
import { labsDir } from '../lab/state.ts'

/**
 * The labs of tests are named after the process that made them (`deploy-4711`, `t4711b`). Takes down those that were made since a moment
 * and whose process is gone or is this one: tests that were interrupted, or are over. Any other lab is left alone.
 */
export async function removeLeftoverLabs(sinceMs: number): Promise<string[]> {
  if (!existsSync(labsDir)) return []
  const left = readdirSync(labsDir).filter((name) => {
    const pid = /^[a-z]+-?(\d{2,})[a-z]*$/.exec(name)?.[1]
    return (
      pid !== undefined && statSync(path.join(labsDir, name)).birthtimeMs >= sinceMs && (Number(pid) === process.pid || !existsSync(`/proc/${pid}`))
    )
  })
  for (const name of left) await labDown({ name })
  return left
}

/** When this process is interrupted, takes the labs down that it has made by then, and ends it with status 130 (as a shell would say it). */
export function removeLabsWhenInterrupted(): void {
  const startedAtMs = Date.now()
  const end = async (): Promise<never> => {
    for (const name of await removeLeftoverLabs(startedAtMs)) console.log(`Taken down: lab ${name}`)
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void end())
}
