import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync, truncateSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, type ErrorDoc } from '../../../core/errors.ts'
import { identifyProcess, isAlive, readPidFile, removePidFile, signalProcess, writePidFile, type ProcessId } from '../../runtime/process.ts'
import { readStatus } from './keeper-status.ts'
import type { SwitchPaths } from './switch-paths.ts'

/** It is idle nearly always, and holds the flows of one virtual switch. */
const nodeFlags = ['--max-old-space-size=128', '--initial-old-space-size=16', '--max-semi-space-size=1', '--optimize-for-size', '--v8-pool-size=1']
const maxLogBytes = 8 * 1024 * 1024
const answerLimitMs = 15_000

/** The keeper of this host: a process of its own session that outlives the module and is adopted by the next one. */
export class KeeperProcess {
  readonly #paths: SwitchPaths
  readonly #program: string

  /** `program`: the file that it runs, agent/network/keeper/main.ts or its bundle. */
  constructor(paths: SwitchPaths, program: string) {
    this.#paths = paths
    this.#program = program
  }

  get id(): ProcessId | null {
    return readPidFile(this.#paths.keeperPidFile)
  }

  /** Has one run, of this version. One of another version is asked to leave; what it keeps goes on meanwhile. */
  async ensure(): Promise<void> {
    const running = this.id
    if (running) {
      const status = readStatus(this.#paths.status)
      if (status?.keeper.pid !== running.pid || status.program === this.#program) return
      await this.#retire(running)
    }
    this.#start()
  }

  /** Asks it for something and answers the result. Throws what it throws, `module-unhealthy` where it does not run, `timeout`. */
  request(name: 'failover' | 'leave' | 'end'): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#paths.keeperSocket)
      let text = ''
      socket.setEncoding('utf8')
      socket.setTimeout(answerLimitMs, () =>
        socket.destroy(new HoldfastError('timeout', `The keeper has not answered ${name} for ${answerLimitMs / 1000} s`, 'Try again.')),
      )
      socket.on('data', (chunk) => (text += chunk as unknown as string))
      socket.once('error', (cause) => reject(cause instanceof HoldfastError ? cause : notRunning(cause)))
      socket.once('close', () => {
        if (!text.endsWith('\n')) return reject(notRunning())
        const { result, error } = JSON.parse(text) as { result?: unknown; error?: ErrorDoc }
        if (error) reject(new HoldfastError(error.code, error.message, error.hint, error.data))
        else resolve(result)
      })
      socket.write(`${name}\n`)
    })
  }

  /** Ends it and all that it keeps, also what an earlier one has left. */
  async end(): Promise<void> {
    await this.ensure()
    const running = this.id
    const deadlineMs = performance.now() + answerLimitMs
    while (running && isAlive(running)) {
      if (performance.now() > deadlineMs) throw new HoldfastError('timeout', 'The virtual switch does not end', `See ${this.#logFile} on that host.`)
      // One that was just started does not listen at once; one that has done it may end before it answers.
      await this.request('end').catch(() => undefined)
      await sleep(20)
    }
    removePidFile(this.#paths.keeperPidFile)
  }

  async #retire(running: ProcessId): Promise<void> {
    await Promise.race([this.request('leave').catch(() => undefined), sleep(2000)])
    const deadlineMs = performance.now() + 5000
    while (isAlive(running) && performance.now() < deadlineMs) await sleep(10)
    signalProcess(running, 'SIGKILL')
    while (isAlive(running)) await sleep(10)
  }

  get #logFile(): string {
    return join(this.#paths.log, 'keeper.log')
  }

  #start(): void {
    mkdirSync(this.#paths.log, { recursive: true, mode: 0o750 })
    const file = this.#logFile
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes) truncateSync(file, 0)
    const log = openSync(file, 'a', 0o640)
    try {
      const child = spawn(process.execPath, [...nodeFlags, this.#program], { detached: true, stdio: ['ignore', log, log], cwd: '/' })
      child.once('error', () => undefined)
      child.unref()
      const id = child.pid === undefined ? null : identifyProcess(child.pid)
      if (!id) throw new HoldfastError('step-failed', 'The keeper of the virtual switch could not be started', `See ${file} on that host.`)
      writePidFile(this.#paths.keeperPidFile, id)
    } finally {
      closeSync(log)
    }
  }
}

function notRunning(cause?: unknown): HoldfastError {
  return new HoldfastError(
    'module-unhealthy',
    'The keeper of the virtual switch does not answer',
    'The network module starts it again; try again.',
    {},
    { cause },
  )
}
