import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { build } from 'esbuild'
import type { HostCommand } from './host-commands.ts'

const repository = join(import.meta.dirname, '../..')
const directory = '/opt/holdfast-proof'

/** The bundle of fixtures/host.ts. */
export async function bundleHostProgram(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    absWorkingDir: repository,
    entryPoints: ['proofs/trace-agreement/fixtures/host.ts'],
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    supported: { using: true },
    external: ['koffi'],
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
  })
  return outputFiles[0]!.contents
}

/** A lab host that runs fixtures/host.ts. */
export class LabHost implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers: AsyncIterator<string>

  /** `pid`: process 1 of the host. */
  constructor(pid: number, program: Uint8Array) {
    const root = `/proc/${pid}/root${directory}`
    mkdirSync(root, { recursive: true })
    copyFileSync(process.execPath, join(root, 'node'))
    for (const part of ['koffi', `@koromix/koffi-linux-${process.arch}`])
      cpSync(join(repository, 'node_modules', part), join(root, 'node_modules', part), { recursive: true })
    writeFileSync(join(root, 'host.mjs'), program)
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup']
    this.#child = spawn('nsenter', [`--target=${pid}`, ...namespaces, '--', `${directory}/node`, `${directory}/host.mjs`], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    })
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
