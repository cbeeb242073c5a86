import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { labDown } from '../lab/lab.ts'
import { labsDir } from '../lab/state.ts'

/**
 * The labs of tests are named after the process that made them (`deploy-4711`, `t4711b`). Takes down those that were made since a moment
 * and whose process is gone: tests that were interrupted. Any other lab is left alone.
 */
export async function removeLeftoverLabs(sinceMs: number): Promise<string[]> {
  if (!existsSync(labsDir)) return []
  const left = readdirSync(labsDir).filter((name) => {
    const pid = /^[a-z]+-?(\d{2,})[a-z]*$/.exec(name)?.[1]
    return pid !== undefined && statSync(path.join(labsDir, name)).birthtimeMs >= sinceMs && !existsSync(`/proc/${pid}`)
  })
  for (const name of left) await labDown({ name })
  return left
}
