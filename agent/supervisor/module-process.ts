import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { HoldfastError, type ErrorCode } from '../../core/errors.ts'
import { errorDocSchema } from '../../core/model/task.ts'
import type { AgentPaths } from '../runtime/config.ts'
import { headersFromContext, type CallerContext } from '../runtime/context.ts'
import { identifyProcess, type ProcessId } from '../runtime/process.ts'
import type { Instance } from './swap.ts'

/**
 * How Node runs the agent (the launcher starts the supervisor the same way, and sets how few arenas malloc may have): small rather than
 * fast. V8 would let garbage grow to half of the largest heap before it first looks at the old space. A module that outgrows the heap is
 * ended by Node and started again, before it takes memory from the host's guests.
 */
const nodeFlags = ['--max-old-space-size=256', '--initial-old-space-size=16', '--max-semi-space-size=1', '--optimize-for-size', '--v8-pool-size=1']

/** The socket on which one start of a module serves. */
export function socketPath(paths: AgentPaths, name: string, instance: Instance): string {
  return join(paths.run, `${name}.${instance.generation}.sock`)
}

/** The program of a module in a version. */
export function programPath(paths: AgentPaths, name: string, version: string): string {
  return join(paths.opt, 'versions', version, `${name}.mjs`)
}

/** Every module process of this agent that runs, by socket path, as `/proc` has it. Processes of another PID namespace (a lab's hosts) are not ours. */
export function findModules(paths: AgentPaths): Map<string, ProcessId> {
  const found = new Map<string, ProcessId>()
  const namespace = readlinkSync('/proc/self/ns/pid')
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    try {
      const args = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0')
      const socket = args[args.indexOf('--socket') + 1]
      if (!args.includes('--socket') || !socket?.startsWith(`${paths.run}/`) || readlinkSync(`/proc/${entry}/ns/pid`) !== namespace) continue
      const id = identifyProcess(Number(entry))
      if (id) found.set(socket, id)
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

/** Starts a module as a process of its own session; its log goes to a file, so that it needs nothing of the supervisor to live on. `onExit` is told its end while this supervisor lives. */
export function startModule(
  paths: AgentPaths,
  name: string,
  instance: Instance,
  options: { standby: boolean; onExit: (how: string) => void },
): ProcessId | null {
  const directory = join(paths.opt, 'versions', instance.version)
  const socket = socketPath(paths, name, instance)
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  mkdirSync(paths.log, { recursive: true, mode: 0o750 })
  rmSync(socket, { force: true })
  const log = openSync(join(paths.log, `${name}.log`), 'a', 0o640)
  try {
    const args = [...nodeFlags, programPath(paths, name, instance.version), '--socket', socket]
    const child = spawn(join(directory, 'bin/node'), options.standby ? [...args, '--standby'] : args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    })
    child.once('error', (cause) => options.onExit(cause.message))
    child.once('exit', (code, signal) => options.onExit(signal ? `ended by ${signal}` : `ended with status ${code}`))
    child.unref()
    return child.pid === undefined ? null : identifyProcess(child.pid)
  } finally {
    closeSync(log)
  }
}

/** Whether a version of a module is installed. */
export function isInstalled(paths: AgentPaths, name: string, version: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/.test(version) && existsSync(programPath(paths, name, version))
}

/**
 * Asks a module for one of its `/internal/…` routes, or with a `caller` for one of its contract. Throws `module-unhealthy` when it does
 * not answer in time or answers with an error; a caller gets the module's own error.
 */
export function askModule(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  options: { body?: unknown; timeoutMs: number; caller?: CallerContext },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) =>
      reject(
        new HoldfastError('module-unhealthy', `${method} ${path} on ${socket}: ${reason}`, 'See the log of the module in /var/log/holdfast.', {
          reason,
        }),
      )
    const text = options.body === undefined ? undefined : JSON.stringify(options.body)
    const request = http.request(
      {
        socketPath: socket,
        method,
        path,
        agent: false,
        signal: AbortSignal.timeout(options.timeoutMs),
        headers: {
          ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...(options.caller && headersFromContext(options.caller)),
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (error) => fail(error.message))
        response.on('end', () => {
          try {
            const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { message?: string }
            const refusal = options.caller && errorDocSchema.safeParse(body).data
            if (response.statusCode === 200) resolve(body)
            else if (refusal) reject(new HoldfastError(refusal.code as ErrorCode, refusal.message, refusal.hint, refusal.data))
            else fail(String(body.message))
          } catch {
            fail('its answer is not JSON')
          }
        })
      },
    )
    request.on('error', (error) =>
      fail(error.name === 'AbortError' || error.name === 'TimeoutError' ? `no answer within ${options.timeoutMs} ms` : error.message),
    )
    request.end(text)
  })
}
