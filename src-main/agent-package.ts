import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { HoldfastError } from '../core/errors.ts'
import type { AgentPackage } from './deploy/files.ts'

const packTimeoutMs = 300_000

/** Packs the agent that belongs to this version of the app, in a process of its own; found made already, it is answered at once. */
export async function packOwnAgent(): Promise<AgentPackage> {
  const script = join(import.meta.dirname, '..', 'scripts', 'pack-agent.ts')
  try {
    // In Electron this is Electron's own program, which is a Node when told so.
    const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' }
    const { stdout } = await promisify(execFile)(process.execPath, [script], { env, timeout: packTimeoutMs })
    return JSON.parse(stdout) as AgentPackage
  } catch (cause) {
    const stderr = (cause as { stderr?: unknown }).stderr
    const reason = typeof stderr === 'string' && stderr.trim() !== '' ? stderr.trim().slice(-2000) : (cause as Error).message
    throw new HoldfastError('step-failed', `The agent cannot be packed: ${reason}`, 'Pack it by hand to see more: holdfast agent pack', {}, { cause })
  }
}
