import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { build } from 'esbuild'

/* Programs of this repository that tests and proofs run inside lab hosts. */

const repository = join(import.meta.dirname, '..')
/** Where they lie on a host, as NAME.mjs beside `node`. */
export const programsDirectory = '/opt/holdfast-programs'
const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup']

export interface HostProgram {
  name: string
  contents: Uint8Array
}

/** Bundles programs: path of each one's entry in this repository, by name. */
export async function bundlePrograms(entries: Readonly<Record<string, string>>): Promise<HostProgram[]> {
  const { outputFiles } = await build({
    absWorkingDir: repository,
    entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out })),
    outdir: programsDirectory,
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    supported: { using: true },
    external: ['koffi'],
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
  })
  return outputFiles.map(({ path, contents }) => ({ name: path.slice(programsDirectory.length + 1, -'.mjs'.length), contents }))
}

/** Puts programs on a host, with the Node of this process and what of them cannot be bundled. `pid`: process 1 of the host. */
export function putPrograms(pid: number, programs: readonly HostProgram[]): void {
  const directory = `/proc/${pid}/root${programsDirectory}`
  mkdirSync(directory, { recursive: true })
  copyFileSync(process.execPath, join(directory, 'node'))
  for (const part of ['koffi', `@koromix/koffi-linux-${process.arch}`]) {
    cpSync(join(repository, 'node_modules', part), join(directory, 'node_modules', part), { recursive: true })
  }
  for (const { name, contents } of programs) writeFileSync(join(directory, `${name}.mjs`), contents)
}

/** Runs a command inside a host, with pipes for stdin and stdout. */
export function spawnInHost(pid: number, argv: readonly string[]): ChildProcessByStdio<Writable, Readable, null> {
  return spawn('nsenter', [`--target=${pid}`, ...namespaces, '--', ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
}
