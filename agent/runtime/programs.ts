import { spawn } from 'node:child_process'
import { HoldfastError } from '../../core/errors.ts'

/** Daemons are often started without the directories of root's programs on their PATH. */
const path = [...new Set([...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'])].filter(Boolean)
/** What programs of the system are started with: one language, so that their words can be read. */
export const programEnv = { PATH: path.join(':'), LC_ALL: 'C' }

/** Output beyond this is a defect. */
const maxOutputBytes = 64 * 1024 * 1024

/**
 * Runs a program of the system to its end and answers its stdout. Throws `step-failed` with its last words when it cannot be started, ends
 * with another status than 0, or takes longer than `timeoutMs` (then it is killed).
 */
export function runProgram(argv: readonly [string, ...string[]], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
  const { input, timeoutMs = 10_000 } = options
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { env: programEnv, stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' })
    const out: Buffer[] = []
    let outBytes = 0
    let words = ''
    const fail = (what: string, cause?: unknown): void =>
      reject(new HoldfastError('step-failed', `${argv.join(' ').slice(0, 300)}: ${what}`, 'See the log of the module.', {}, { cause }))
    child.stdout.on('data', (chunk: Buffer) => {
      outBytes += chunk.length
      if (outBytes > maxOutputBytes) child.kill('SIGKILL')
      else out.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-2000)))
    child.once('error', (cause) => fail(`could not be started: ${cause.message}`, cause))
    child.once('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(out).toString())
      else fail(signal === 'SIGKILL' ? `was killed after ${timeoutMs} ms` : `ended with ${code ?? signal}: ${words.trim()}`)
    })
    // A program that does not read its input ends the pipe; its status says the rest.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
