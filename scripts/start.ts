/**
 * `npm start [-- --keep] [--name LAB]`: from what is there to the open app. Every step says what it does and why. The lab goes down with it, however it
 * is ended, unless `--keep`. Where no lab can be, the app opens on a recorded cluster.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { HoldfastError } from '../core/errors.ts'
import { readArguments } from './arguments.ts'
import { broadcastObjectIfPossible } from './broadcast-object.ts'
import { buildScreens } from './build.ts'
import { readyElectron } from './electron.ts'
import { fail } from './fail.ts'
import { ensurePrograms, labObstacle, labPrograms } from './machine.ts'

const root = path.resolve(import.meta.dirname, '..')
const children = new Set<ChildProcess>()
let stopping = false

/** Ends quietly: somebody asked for it. */
class Stopped extends Error {}

/** Runs a program of ours in the foreground to its end. */
function run(argv: string[], options: { detached?: boolean; env?: Record<string, string> } = {}): Promise<number> {
  if (stopping && !options.detached) throw new Stopped()
  const stdio = options.detached ? (['ignore', 'inherit', 'inherit'] as const) : 'inherit'
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: root,
    stdio: stdio as 'inherit',
    detached: options.detached ?? false,
    env: { ...process.env, ...options.env },
  })
  if (!options.detached) children.add(child)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      children.delete(child)
      if (stopping && !options.detached) reject(new Stopped())
      else resolve(code ?? 1)
    })
  })
}

const holdfast = (...argv: string[]) => [process.execPath, 'src-main/cli/main.ts', ...argv]

async function labUp(name: string): Promise<void> {
  ensurePrograms(labPrograms, console.log)
  // Before the lab's base layer, which is made anew when the machine has other packages.
  broadcastObjectIfPossible(console.log)
  const code = await run(holdfast('lab', 'up', '--name', name))
  if (code !== 0)
    throw new HoldfastError(
      'step-failed',
      'The lab could not be brought up',
      'The reason stands above. When it is put right, start again: every step is safe to repeat.',
    )
}

async function openApp(recording: boolean): Promise<void> {
  const argv = recording ? ['--recording'] : []
  const electron = await readyElectron(console.log)
  if ('program' in electron) {
    // Chromium refuses its own sandbox to root. The page is isolated all the same; see docs/security.md.
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
    await run([electron.program, ...asRoot, '.', ...argv])
    return
  }
  console.log(`Opening in the browser, not in Electron's window: ${electron.reason}.`)
  const code = await run([process.execPath, 'src-main/shell/browser-main.ts', ...argv])
  if (code !== 0) throw new HoldfastError('step-failed', 'The app ended with an error', 'The reason stands above.')
}

async function main(): Promise<void> {
  const { values } = readArguments('npm start -- [--keep] [--name LAB]', {
    options: { keep: { type: 'boolean', default: false }, name: { type: 'string', default: 'lab' } },
  })
  const obstacle = labObstacle()
  let lab = false
  try {
    if (obstacle) {
      console.log(`${obstacle} So the app opens on a recorded cluster, read-only: nothing in it is live.`)
      await buildScreens(console.log)
    } else {
      lab = true
      await Promise.all([buildScreens(console.log), labUp(values.name)])
    }
    await openApp(obstacle !== null)
  } catch (thrown) {
    if (!(thrown instanceof Stopped)) fail(thrown)
  } finally {
    if (lab && values.keep) console.log(`\nThe lab stays up. Take it down with: npm run -s holdfast -- lab down --name ${values.name}`)
    else if (lab) {
      console.log('\nTaking the lab down. Its inventory stays readable.')
      await run(holdfast('lab', 'down', '--name', values.name), { detached: true })
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopping = true
    for (const child of children) child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
  })
}
await main()
