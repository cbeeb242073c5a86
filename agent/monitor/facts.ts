import { readFileSync, statSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import type { Facts } from '../../core/model/index.ts'
import { parseDpkgStatus, parseOsRelease, parseProgramVersion, programs } from './packages.ts'
import { parseBootTimeS, parseStartTicks, ticksPerSecond } from './proc.ts'
import { findProgram, outputOf } from './programs.ts'

/** Collects what a host says of itself; what takes time is asked again only when its file changed. */
export class FactsReader {
  readonly #host: string
  readonly #bootedAtMs = readBootTimeMs()
  readonly #versions = new Map<string, { changedMs: number; version: string | null }>()
  #dpkg = { changedMs: -1, versions: new Map<string, string>() }

  constructor(host: string) {
    this.#host = host
  }

  async read(): Promise<Facts> {
    const cores = cpus()
    return {
      host: this.#host,
      os: { ...parseOsRelease(readText('/etc/os-release')), kernel: release() },
      cpu: { model: cores[0]?.model.trim() || 'unknown', cores: Math.max(1, cores.length) },
      memoryBytes: totalmem(),
      bootedAtMs: this.#bootedAtMs,
      packages: await this.#packages(),
    }
  }

  async #packages(): Promise<Record<string, string>> {
    const status = '/var/lib/dpkg/status'
    const changedMs = modifiedMs(status)
    if (changedMs !== this.#dpkg.changedMs) {
      this.#dpkg = { changedMs, versions: parseDpkgStatus(readText(status), new Set(programs.map((program) => program.package))) }
    }
    const found: Record<string, string> = {}
    for (const program of programs) {
      const version = this.#dpkg.versions.get(program.package) ?? (await this.#askProgram(program.command))
      if (version !== null) found[program.package] = version
    }
    return found
  }

  async #askProgram([name, ...args]: readonly [string, ...string[]]): Promise<string | null> {
    const path = findProgram(name)
    if (path === null) return null
    const known = this.#versions.get(path)
    const changedMs = modifiedMs(path)
    if (known?.changedMs === changedMs) return known.version
    const version = parseProgramVersion((await outputOf([path, ...args], 5000)) ?? '')
    this.#versions.set(path, { changedMs, version })
    return version
  }
}

/** When process 1 started, to the second: the boot of a machine, and of a container or namespace that has a process 1 of its own. */
function readBootTimeMs(): number {
  const bootS = parseBootTimeS(readText('/proc/stat')) ?? 0
  const startTicks = parseStartTicks(readText('/proc/1/stat')) ?? 0
  return bootS * 1000 + Math.round(startTicks / ticksPerSecond) * 1000
}

function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
