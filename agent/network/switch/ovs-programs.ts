import { execFile } from 'node:child_process'
import { HoldfastError } from '../../../core/errors.ts'
import { programEnv } from '../../runtime/programs.ts'

const maxOutputBytes = 256 * 1024 * 1024

/**
 * Runs a program of Open vSwitch and answers its stdout. `alsoOk`: a status other than 0 that is no failure. Throws `system-unsupported`
 * where it is missing, `step-failed` with its words, `timeout` after `timeoutMs`.
 */
export function runOvs(
  program: string,
  args: readonly string[],
  options: { input?: string; alsoOk?: number; timeoutMs?: number } = {},
): Promise<string> {
  const { input, alsoOk, timeoutMs = 10_000 } = options
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { env: programEnv, maxBuffer: maxOutputBytes, timeout: timeoutMs, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (!error || error.code === alsoOk) resolve(stdout)
        else if ((error as NodeJS.ErrnoException).code === 'ENOENT') reject(ovsMissing(program))
        else if (error.killed) reject(new HoldfastError('timeout', `${program} took longer than ${timeoutMs} ms`, 'Open vSwitch hangs or starves.'))
        else {
          const words = stderr.trim().slice(-2000)
          reject(new HoldfastError('step-failed', `${program} ${args.join(' ').slice(0, 200)}: ${words}`, 'See the log of Open vSwitch.'))
        }
      },
    )
    // A program that ends without reading its input closes the pipe; its status says the rest.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

/** What to say where a program of Open vSwitch is not installed. */
export function ovsMissing(program: string): HoldfastError {
  return new HoldfastError('system-unsupported', `${program} is missing on this host`, 'Install the package openvswitch-switch.')
}

/** `ovs-ofctl` with OpenFlow 1.5 and ports as numbers. */
export function ofctl(args: readonly string[], options: { input?: string; alsoOk?: number } = {}): Promise<string> {
  return runOvs('ovs-ofctl', ['-O', 'OpenFlow15', '--no-names', ...args], options)
}
