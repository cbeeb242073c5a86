import type { ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { bundlePrograms, programsDirectory, putPrograms, spawnInHost, type HostProgram } from '../../lab/host-programs.ts'
import type { HostCommand } from './host-commands.ts'

/** The bundle of fixtures/host.ts. */
export function bundleHostProgram(): Promise<HostProgram[]> {
  return bundlePrograms({ host: 'proofs/trace-agreement/fixtures/host.ts' })
}

/** A lab host that runs fixtures/host.ts. */
export class LabHost implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers: AsyncIterator<string>

  /** `pid`: process 1 of the host. */
  constructor(pid: number, programs: readonly HostProgram[]) {
    putPrograms(pid, programs)
    this.#child = spawnInHost(pid, [`${programsDirectory}/node`, `${programsDirectory}/host.mjs`])
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Throws what the host's program throws. Calls must not overlap. */
  async do<T = null>(command: HostCommand): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error('The program on the host has ended')
    const { result, error } = JSON.parse(value) as { result: T; error?: string }
    if (error !== undefined) throw new Error(`${command.do}: ${error}`)
    return result
  }

  [Symbol.dispose](): void {
    this.#child.stdin.end()
  }
}
