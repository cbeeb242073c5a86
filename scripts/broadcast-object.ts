/** Compiles programs for the kernel, foremost that of the agent for broadcast: `dist/broadcast/HASH.bpf.o`, once for the same source. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { asHoldfastError, HoldfastError } from '../core/errors.ts'
import { clang, ensurePrograms, hasProgram } from './machine.ts'

const root = join(import.meta.dirname, '..')
const directory = 'agent/network/broadcast/program'
/** `-mcpu=v3`: compare-and-swap and jumps on 32 bits, Linux 5.12. Each function for itself, for no program has use for all. Without paths of this machine. */
const flags = ['-O2', '-g', '-target', 'bpf', '-mcpu=v3', '-ffunction-sections', '-Wall', '-Werror', '-fdebug-compilation-dir', '.']

/** Path of the object of the replicator's program: see `compileBpf`. */
export function buildBroadcastObject(say: (line: string) => void): string {
  return compileBpf(`${directory}/replicate.bpf.c`, say)
}

/** Path of the object of a source file within the repository, made if it is not there. Throws `not-supported` where there is no clang and it cannot be installed; `step-failed` with clang's words. */
export function compileBpf(source: string, say: (line: string) => void): string {
  const hash = createHash('sha256').update(flags.join(' '))
  const headers = readdirSync(join(root, directory)).filter((name) => name.endsWith('.h'))
  for (const file of [source, ...headers.sort().map((name) => `${directory}/${name}`)]) hash.update(readFileSync(join(root, file)))
  const path = join(root, 'dist/broadcast', `${hash.digest('hex').slice(0, 16)}.bpf.o`)
  if (existsSync(path)) return path
  ensureClang(say)
  mkdirSync(join(root, 'dist/broadcast'), { recursive: true })
  const made = `${path}.${process.pid}`
  try {
    execFileSync('clang', [...flags, '-c', source, '-o', made], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  } catch (cause) {
    const words = String((cause as { stderr?: unknown }).stderr ?? cause).trim()
    throw new HoldfastError('step-failed', `clang could not compile ${source}: ${words.slice(-2_000)}`, 'Use clang 14 or newer.', {}, { cause })
  }
  renameSync(made, path)
  return path
}

/** The object for a package; null, after saying why, where it cannot be had: an agent packed without it refuses to be a broadcast node. */
export function broadcastObjectIfPossible(say: (line: string) => void): Buffer | null {
  try {
    return readFileSync(buildBroadcastObject(say))
  } catch (thrown) {
    const { code, message, hint } = asHoldfastError(thrown)
    if (code !== 'not-supported') throw thrown
    say(`The agent is packed without its program for broadcast: ${message}. ${hint}`)
    return null
  }
}

function ensureClang(say: (line: string) => void): void {
  if (hasProgram('clang')) return
  const failed = (why: string, cause?: unknown): HoldfastError =>
    new HoldfastError('not-supported', `clang is not on this machine, and ${why}`, 'Install clang 14 or newer.', {}, { cause })
  if (process.getuid?.() !== 0) throw failed('only root can install it')
  try {
    ensurePrograms([clang], say)
  } catch (cause) {
    throw failed('apt-get could not install it', cause)
  }
}
