/** Builds the screens and Electron's preload into `dist/`, if what they are made of has changed. `npm run build`. */
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { spawn } from 'node:child_process'
import { HoldfastError } from '../core/errors.ts'
import { preloadFile, screensDirectory } from '../src-main/shell/places.ts'
import { fail } from './fail.ts'

const root = path.resolve(import.meta.dirname, '..')
const stamp = path.join(root, 'dist', 'screens.sha256')

/** SHA-256 over everything that the build reads. */
function inputsHash(): string {
  const hash = createHash('sha256')
  const files = [
    'electron.vite.config.ts',
    'package-lock.json',
    'src-main/shell/preload.ts',
    ...globSync('{core,src-renderer}/**/*.*', { cwd: root }),
  ]
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).sort()) {
    hash.update(`${file}\0`).update(readFileSync(path.join(root, file)))
  }
  return hash.digest('hex')
}

/** Builds unless the last build was made of the same files. Error: `step-failed` with what the build printed. */
export async function buildScreens(say: (line: string) => void): Promise<void> {
  const wanted = inputsHash()
  const built = existsSync(stamp) && existsSync(path.join(screensDirectory, 'index.html')) && existsSync(preloadFile)
  if (built && readFileSync(stamp, 'utf8') === wanted) return
  say('Building the screens, because their sources changed since the last build. It takes some seconds.')
  const child = spawn(path.join(root, 'node_modules', '.bin', 'electron-vite'), ['build', '--logLevel', 'warn'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (code !== 0)
    throw new HoldfastError('step-failed', `The screens could not be built:\n${output}`, 'Mend what is named above, then run `npm run build`.')
  writeFileSync(stamp, wanted)
}

if (import.meta.main) await buildScreens(console.log).catch(fail)
