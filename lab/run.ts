import { spawn } from 'node:child_process'
import { HoldfastError } from '../core/errors.ts'

const outputLimitBytes = 8 * 1024 * 1024

export interface RunResult {
  /** Exit status; 128 + n if ended by signal n, as a shell says it. */
  code: number
  stdout: string
  stderr: string
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
}

/** The exit status of a process as a shell tells it. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : (signalNumbers[signal] ?? 0))
}

/** Runs a program to its end with `input` on stdin and answers what it said. Output beyond 8 MiB is cut. Rejects only if it cannot be started. */
export function capture(argv: readonly string[], options: { input?: string | Uint8Array; cwd?: string } = {}): Promise<RunResult> {
  const [program = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: options.cwd })
    const collect = (stream: NodeJS.ReadableStream): (() => string) => {
      const chunks: Buffer[] = []
      let size = 0
      stream.on('data', (chunk: Buffer) => {
        if (size < outputLimitBytes) chunks.push(chunk)
        size += chunk.length
      })
      return () => Buffer.concat(chunks).subarray(0, outputLimitBytes).toString()
    }
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    child.on('error', (cause) =>
      reject(new HoldfastError('internal', `${program} could not be started`, `Install the package that brings ${program}.`, {}, { cause })),
    )
    child.on('close', (code, signal) => resolve({ code: exitStatus(code, signal), stdout: stdout(), stderr: stderr() }))
    // A program that ends without reading its input is no failure of ours; its exit status tells.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}

/** Like `capture`, but answers stdout alone and throws `step-failed` with the program's last words unless it exits 0. */
export async function run(argv: readonly string[], options: { input?: string | Uint8Array; cwd?: string } = {}): Promise<string> {
  const result = await capture(argv, options)
  if (result.code === 0) return result.stdout
  const words = (result.stderr.trim() || result.stdout.trim()).slice(-2000)
  throw new HoldfastError(
    'step-failed',
    `${argv.slice(0, 6).join(' ')} exited ${result.code}: ${words}`,
    'Run `lab down` and `lab up`; if it stays, report it with this message.',
    {
      argv,
      code: result.code,
    },
  )
}
