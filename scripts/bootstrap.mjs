/**
 * What runs before anything is installed: plain JavaScript for Node 20, no packages. It brings `node_modules` up to date and hands over
 * to a TypeScript program on the Node that lies there.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const node = path.join(root, 'node_modules', 'node', 'bin', 'node')

/**
 * Why `node_modules` is not what package-lock.json says, or null if it is. Compares with the lock file that npm keeps inside: times of
 * files say nothing after a clone or a checkout.
 * @param {string} [folder] the repository's root
 * @returns {string | null}
 */
export function staleReason(folder = root) {
  const installedLock = path.join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installedLock)) return 'node_modules is not there yet'
  const wanted = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages
  const differing = Object.keys(wanted).filter((place) => {
    if (place === '') return false
    // An optional package for another system is left out by npm.
    return installed[place] ? installed[place].version !== wanted[place].version : !wanted[place].optional && !wanted[place].devOptional
  })
  return differing.length > 0 ? `${differing.length} packages differ from package-lock.json, the first is ${differing[0]}` : null
}

/** @param {...string} argv */
function npm(...argv) {
  const done = spawnSync('npm', argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32' })
  if (done.status === 0) return
  console.error(`npm ${argv[0]} failed. Nothing can go on without it: look at what it said above, then run this again.`)
  process.exit(1)
}

/**
 * Brings node_modules up to date, then runs `program` (a .ts file of this repository) with this process's arguments and becomes its
 * exit status. Ctrl-C and SIGTERM reach the program, which cleans up; this process waits for it.
 * @param {string} program
 */
export function runOnOurNode(program) {
  const reason = staleReason() ?? (existsSync(node) ? null : 'the Node that the app needs (24) is not there yet')
  if (reason) {
    console.log(`Installing npm packages (npm ci), because ${reason}. It takes about a minute.`)
    // Of all install scripts only that of `node` is needed, which fetches the binary; the others would compile what comes compiled.
    npm('ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
    console.log('Fetching Node 24 (npm rebuild node), because the app and the agent need a newer one than machines have.')
    npm('rebuild', 'node', '--loglevel=error')
  }
  const env = { ...process.env, PATH: `${path.join(root, 'node_modules', '.bin')}${path.delimiter}${process.env.PATH ?? ''}` }
  const child = spawn(node, [path.join(root, program), ...process.argv.slice(2)], { cwd: root, env, stdio: 'inherit' })
  // A terminal's Ctrl-C goes to the whole process group, so the child hears it twice; a signal from elsewhere it hears from here alone.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal))
  // npm passes signals to the shell that it starts scripts in, which dies of a SIGTERM and waits over a SIGINT, telling nobody. So
  // package.json has that shell replaced (`exec`; on Windows that is exec.cmd), and who loses its parent ends.
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent || !process.env.npm_lifecycle_event) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, 250).unref()
  child.on('error', (error) => {
    console.error(`${node} could not be started: ${error.message}. Remove node_modules and run this again.`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}
