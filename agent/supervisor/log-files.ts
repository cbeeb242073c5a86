import { copyFileSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentPaths } from '../runtime/config.ts'

/** A log larger than this is moved to `NAME.log.1`, over the one before it. */
const maxLogBytes = 4 * 1024 * 1024

/** Bounds the agent's logs, now and each minute. Copied and cut, since their writers keep the file open (for appending). */
export function boundLogs(paths: AgentPaths): void {
  const bound = () => {
    for (const name of readdirSync(paths.log)) {
      const path = join(paths.log, name)
      if (!name.endsWith('.log') || (statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= maxLogBytes) continue
      copyFileSync(path, `${path}.1`)
      truncateSync(path)
    }
  }
  bound()
  setInterval(bound, 60_000).unref()
}
