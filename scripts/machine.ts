/** What the machine itself must have, and how it gets it: Debian packages whose programs are started by us alone, never by the system. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HoldfastError } from '../core/errors.ts'

export interface Program {
  program: string
  /** The Debian package that brings it. */
  package: string
  /** What it is for, to finish the sentence "… is needed to …". */
  why: string
}

/** What the lab calls on the machine itself; everything else lies in its own base layer. */
export const labPrograms: Program[] = [
  { program: 'ip', package: 'iproute2', why: 'make the network of the lab' },
  { program: 'unshare', package: 'util-linux', why: 'make the namespaces of the lab’s hosts' },
  { program: 'losetup', package: 'mount', why: 'give the lab’s hosts their disks' },
]

/** Compiles the agent's program for broadcast; hosts need none of it. */
export const clang: Program = { program: 'clang', package: 'clang', why: 'compile the program that replicates broadcast in the kernel' }

/** The browser that the journeys are driven in. */
export const chromium: Program = { program: 'chromium', package: 'chromium', why: 'test the screens in a real browser' }

/** Whether a program is somewhere on the PATH or where Debian keeps programs for root. */
export function hasProgram(program: string): boolean {
  return [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Why the lab cannot run on this machine, as a sentence, or null if it can. */
export function labObstacle(): string | null {
  if (process.platform !== 'linux') return 'The lab is made of Linux namespaces, and this is not Linux.'
  if (process.getuid?.() !== 0) return 'The lab makes namespaces, mounts and network devices, which needs root.'
  return null
}

/** Installs with apt what is missing of `programs`, after saying what and why. Needs root. Error: `step-failed` naming the packages. */
export function ensurePrograms(programs: Program[], say: (line: string) => void): void {
  const missing = programs.filter(({ program }) => !hasProgram(program))
  if (missing.length === 0) return
  for (const { program, why } of missing) say(`${program} is not on this machine; it is needed to ${why}.`)
  const packages = [...new Set(missing.map((program) => program.package))]
  say(`Installing with apt-get, without starting anything: ${packages.join(' ')}`)
  const refusal = refuseServiceStarts()
  try {
    const apt = (...argv: string[]) =>
      spawnSync('apt-get', [...argv, '-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0'], {
        // All of it to stderr: stdout may be a document.
        stdio: ['ignore', 2, 2],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      }).status === 0
    const install = () => apt('install', '-y', '--no-install-recommends', ...packages)
    if (install() || (apt('update') && install())) return
    throw new HoldfastError(
      'step-failed',
      `apt-get could not install ${packages.join(' ')}`,
      `Run \`apt-get install ${packages.join(' ')}\` and look at what it says.`,
    )
  } finally {
    refusal[Symbol.dispose]()
  }
}

/** While it lives, packages being installed cannot start services (invoke-rc.d(8), policy-rc.d). A policy that is there already stays as it is. */
function refuseServiceStarts(): Disposable {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  return { [Symbol.dispose]: () => ours && rmSync(policy, { force: true }) }
}
