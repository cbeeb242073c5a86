import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Version of the agent that this program belongs to: the file VERSION beside a bundle, `0.0.0-source` when run from source. */
export function agentVersion(directory: string = import.meta.dirname): string {
  try {
    return readFileSync(join(directory, 'VERSION'), 'utf8').trim()
  } catch {
    return '0.0.0-source'
  }
}
