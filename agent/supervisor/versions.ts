import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { HoldfastError } from '../../core/errors.ts'
import type { AgentPaths } from '../runtime/config.ts'
import { replaceFile, replaceSymlink } from './files.ts'
import { isInstalled } from './module-process.ts'

/** Versions whose files lie on the host, newest first. */
export function installedVersions(paths: AgentPaths): string[] {
  const directory = join(paths.opt, 'versions')
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((version) => isInstalled(paths, 'supervisor', version))
    .map((version) => ({ version, atMs: statSync(join(directory, version, 'supervisor.mjs')).ctimeMs }))
    .sort((a, b) => b.atMs - a.atMs)
    .map(({ version }) => version)
}

/**
 * Makes a version the one that the launcher starts, the present one the way back. The mark `pending` tells the launcher to go back
 * by itself unless the new supervisor takes it away in time. Throws `not-found`.
 */
export function switchSupervisor(paths: AgentPaths, version: string): void {
  if (!isInstalled(paths, 'supervisor', version)) {
    throw new HoldfastError(
      'not-found',
      `Version ${version} of the agent is not installed on this host`,
      'Install it first: holdfast host upgrade.',
      { version },
    )
  }
  const current = join(paths.opt, 'current')
  replaceSymlink(join(paths.opt, 'previous'), readlinkSync(current))
  replaceFile(join(paths.opt, 'pending'), `${version}\n`, 0o644)
  replaceSymlink(current, `versions/${version}`)
}

/** The version that `current` points to, if any. */
export function currentVersion(paths: AgentPaths): string | null {
  try {
    return basename(readlinkSync(join(paths.opt, 'current')))
  } catch {
    return null
  }
}

/** Tells the launcher that this supervisor is up. */
export function confirmSupervisor(paths: AgentPaths): void {
  rmSync(join(paths.opt, 'pending'), { force: true })
}

/** The version that the launcher gave up on, once. */
export function takeFailedVersion(paths: AgentPaths): string | null {
  const path = join(paths.opt, 'failed')
  if (!existsSync(path)) return null
  const version = readFileSync(path, 'utf8').trim()
  rmSync(path)
  return version
}
