/** Electron's own binary: where it is, and getting it once where that is possible. `require('electron')` would download it, without any time limit. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { hasDesktop } from '../src-main/shell/open-in-browser.ts'

const root = path.resolve(import.meta.dirname, '..')
const electron = path.join(root, 'node_modules', 'electron')
/** Left behind when the download failed, so that it is not waited for at every start. */
const failedDownload = path.join(root, 'dist', 'electron-download-failed')

const downloadLimitMs = 90_000
const retryAfterMs = 24 * 3_600_000

/** The program of Electron in node_modules, or null: its npm package comes without it. */
export function electronProgram(): string | null {
  const pathFile = path.join(electron, 'path.txt')
  if (!existsSync(pathFile)) return null
  const program = path.join(process.env.ELECTRON_OVERRIDE_DIST_PATH ?? path.join(electron, 'dist'), readFileSync(pathFile, 'utf8'))
  return existsSync(program) ? program : null
}

/** Electron ready to be started, fetched first if need be, or why there is none. */
export async function readyElectron(say: (line: string) => void): Promise<{ program: string } | { reason: string }> {
  if (!hasDesktop()) return { reason: 'there is no desktop here (neither DISPLAY nor WAYLAND_DISPLAY is set)' }
  if (!electronProgram()) {
    if (existsSync(failedDownload) && Date.now() - statSync(failedDownload).mtimeMs < retryAfterMs) {
      return { reason: 'its binary could not be fetched when it was last tried, less than a day ago' }
    }
    say(`Fetching Electron's binary, which its npm package comes without: about 100 MB, at most ${downloadLimitMs / 1000} s.`)
    await download()
  }
  const program = electronProgram()
  if (!program) {
    mkdirSync(path.dirname(failedDownload), { recursive: true })
    writeFileSync(failedDownload, '')
    return { reason: 'its binary could not be fetched' }
  }
  const tried = spawnSync(program, ['--version'], { timeout: 10_000, encoding: 'utf8', env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } })
  if (tried.status !== 0)
    return { reason: `its binary does not run here: ${(tried.error?.message ?? tried.stderr.trim()) || `exit status ${tried.status}`}` }
  return { program }
}

/** Runs the package's own installer, killed with what it started when the time is up. */
async function download(): Promise<void> {
  const child = spawn(process.execPath, [path.join(electron, 'install.js')], { stdio: 'ignore', detached: true })
  const timer = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), downloadLimitMs)
  await new Promise((resolve) => child.on('error', resolve).on('close', resolve))
  clearTimeout(timer)
}
