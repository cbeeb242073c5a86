import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDir } from '../lab/base.ts'
import { run } from '../lab/run.ts'

/**
 * Unpacks Debian packages beside the system and answers the directory that holds their `usr`: nothing is installed. Fetched once. Throws
 * `step-failed` when one cannot be had.
 */
export async function debianPrograms(packages: readonly string[]): Promise<string> {
  const directory = join(cacheDir(), 'bench-packages', packages.join('+'))
  if (existsSync(join(directory, 'usr'))) return directory
  mkdirSync(directory, { recursive: true })
  await run(['apt-get', 'download', '-q', ...packages], { cwd: directory })
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.deb'))) await run(['dpkg', '-x', join(directory, file), directory])
  return directory
}

/** Copies such a directory to the same place on a host, by process 1 of it, and answers how to run a program of it there. */
export async function bring(directory: string, initPid: number): Promise<(program: string, ...argv: string[]) => string[]> {
  const there = '/opt/holdfast-bench'
  await run(['cp', '-aT', join(directory, 'usr'), join(`/proc/${initPid}/root`, there)])
  return (program, ...argv) => ['env', `LD_LIBRARY_PATH=${there}/lib/x86_64-linux-gnu`, join(there, 'bin', program), ...argv]
}
