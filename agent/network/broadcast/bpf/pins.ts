import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../../../core/errors.ts'
import { bpf, bpfError, cString, errnos, mustBpf } from './syscall.ts'

/** linux/magic.h. */
const bpffsMagic = 0xcafe4a11

/** A directory in a bpffs, whose names keep objects of the kernel alive without any process. */
export class Pins {
  readonly #directory: string

  /** Mounts a bpffs at `directory` unless it lies in one. Throws `not-supported` where that cannot be. */
  constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (isBpffs(directory)) return
    try {
      execFileSync('mount', ['-t', 'bpf', '-o', 'mode=0700', 'bpf', directory], { stdio: 'pipe', timeout: 10_000 })
    } catch (cause) {
      throw new HoldfastError(
        'not-supported',
        `No bpffs can be mounted at ${directory}`,
        'The agent must run as root, on a kernel with eBPF.',
        { reason: 'no-rights', directory },
        { cause },
      )
    }
  }

  pin(name: string, descriptor: number): void {
    mustBpf('pin', { path: cString(join(this.#directory, name)), object: descriptor }, `pin ${name}`)
  }

  /** A descriptor of what is pinned there, null where there is nothing. */
  get(name: string): number | null {
    const descriptor = bpf('get', { path: cString(join(this.#directory, name)) })
    if (descriptor === -errnos.ENOENT) return null
    if (descriptor < 0) throw bpfError(-descriptor, `open the pin ${name}`)
    return descriptor
  }

  remove(name: string): void {
    rmSync(join(this.#directory, name), { force: true })
  }
}

/** Where the program and its maps are pinned. `run`: the agent's directory for what is gone with the machine's memory. */
export function broadcastPins(run: string): string {
  return join(run, 'broadcast')
}

/** Lets go of everything that is pinned in `directory`; what nobody else holds ends. Nothing happens where there is no bpffs. */
export function removePins(directory: string): void {
  if (!isBpffs(directory)) return
  // Names with a dot are the kernel's own.
  for (const name of readdirSync(directory)) if (!name.includes('.')) rmSync(join(directory, name))
  try {
    execFileSync('umount', [directory], { stdio: 'pipe', timeout: 10_000 })
  } catch {
    // It lies in a bpffs that somebody else mounted.
  }
}

function isBpffs(directory: string): boolean {
  try {
    return statfsSync(directory).type === bpffsMagic
  } catch {
    return false
  }
}
