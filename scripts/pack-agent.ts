/**
 * Packs the agent: `dist/agent/holdfast-agent-VERSION.tar.gz`, unpacking to `VERSION/…` with the bundles, a Node of its own,
 * native parts, the program for broadcast and the service files. Run it, or use `packAgent`.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { createGzip } from 'node:zlib'
import { build } from 'esbuild'
import { HoldfastError } from '../core/errors.ts'
import { broadcastObjectIfPossible } from './broadcast-object.ts'

const root = join(import.meta.dirname, '..')
const output = join(root, 'dist/agent')

/** Programs of the agent by the name of their bundle: the supervisor, its modules, and the keeper of the virtual switch. */
const entries = {
  supervisor: 'agent/supervisor/main.ts',
  cluster: 'agent/cluster/main.ts',
  monitor: 'agent/monitor/main.ts',
  network: 'agent/network/main.ts',
  keeper: 'agent/network/keeper/main.ts',
}
const serviceFiles = ['holdfast-agent.service', 'holdfast-agent.init', 'launcher.sh']

/** Ways in which a module of a package for tests is bad. `crash-late`: it passes the gate and ends right after it took over. */
export type Breakage = 'crash' | 'crash-late' | 'hang' | 'unhealthy'

export interface PackOptions {
  /** Ends the version, so that the same content makes another version. */
  label?: string
  /** Replaces one module by a program that is broken in one way. For tests of the way back. */
  broken?: { module: 'cluster' | 'monitor'; how: Breakage }
}

export interface AgentPackage {
  path: string
  version: string
  /** Of the file at `path`, hex. */
  sha256: string
}

/** Makes the package, or finds it made: its version holds a hash of all that is in it. Throws `not-supported` where Node's binary is not one for Linux. */
export async function packAgent(options: PackOptions = {}): Promise<AgentPackage> {
  if (process.platform !== 'linux') {
    throw new HoldfastError(
      'not-supported',
      `The agent cannot be packed on ${process.platform}: the Node in node_modules is not one for Linux`,
      'Pack it on Linux of the same processor as the hosts.',
    )
  }
  const { texts, native } = await collect(options)
  const broadcast = broadcastObjectIfPossible(console.error)
  const nodePath = join(root, 'node_modules/node/bin/node')
  const nodeStat = await stat(nodePath)
  const { version: base } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const { version: nodeVersion } = JSON.parse(await readFile(join(root, 'node_modules/node/package.json'), 'utf8')) as { version: string }

  const hash = createHash('sha256').update(JSON.stringify([process.arch, nodeVersion, nodeStat.size, native]))
  for (const [name, text] of [...texts].sort()) hash.update(`${name}\0${text.length}\0${text}`)
  if (broadcast) hash.update(broadcast)
  const version = `${base}-${hash.digest('hex').slice(0, 8)}${options.label === undefined ? '' : `-${options.label}`}`
  const path = join(output, `holdfast-agent-${version}.tar.gz`)
  const sumPath = `${path}.sha256`
  if (existsSync(path) && existsSync(sumPath)) return { path, version, sha256: (await readFile(sumPath, 'utf8')).trim() }

  await mkdir(output, { recursive: true })
  const staging = await mkdtemp(join(output, 'staging-'))
  try {
    const directory = join(staging, version)
    await mkdir(join(directory, 'bin'), { recursive: true })
    await mkdir(join(directory, 'service'))
    // No copy of 120 MB, and no hard link: that would change the file while another pack reads it.
    await symlink(nodePath, join(directory, 'bin/node'))
    await writeFile(join(directory, 'VERSION'), `${version}\n`)
    for (const [name, text] of texts) await writeFile(join(directory, name), text)
    if (broadcast) await writeFile(join(directory, 'replicate.bpf.o'), broadcast)
    for (const name of ['service/launcher.sh', 'service/holdfast-agent.init']) await chmod(join(directory, name), 0o755)
    for (const name of native) await copyPackage(name, directory)
    const tarPath = join(staging, 'package.tar.gz')
    await archive(staging, version, tarPath)
    const sha256 = await sha256Of(tarPath)
    await writeFile(sumPath, `${sha256}\n`)
    await rename(tarPath, path)
    await prune()
    return { path, version, sha256 }
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** Bundles and service files by their place in the package, and the npm packages that go beside them. */
async function collect(options: PackOptions): Promise<{ texts: Map<string, string>; native: string[] }> {
  const texts = new Map<string, string>()
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: file, out })),
    outdir: output,
    outExtension: { '.js': '.mjs' },
    write: false,
    metafile: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Node 24 has `using`; what esbuild puts in its place throws an error of an earlier turn of a loop again.
    supported: { using: true },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    external: ['koffi', 'bufferutil', 'utf-8-validate'],
    // For the CommonJS packages inside.
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
    logLevel: 'error',
  })
  for (const file of result.outputFiles) texts.set(file.path.slice(output.length + 1), file.text)
  for (const name of serviceFiles) texts.set(`service/${name}`, await readFile(join(root, 'resources/agent', name), 'utf8'))
  if (options.broken) texts.set(`${options.broken.module}.mjs`, brokenModule(options.broken.how))
  const needsKoffi = Object.values(result.metafile.outputs).some((one) => one.imports.some((imported) => imported.path === 'koffi'))
  return { texts, native: needsKoffi ? ['koffi', `@koromix/koffi-linux-${process.arch}`] : [] }
}

/** A program that speaks just enough of a module's internal routes to be wrong in one way. */
function brokenModule(how: Breakage): string {
  if (how === 'crash') return 'process.exit(3)\n'
  if (how === 'hang') return 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)\n'
  return `import http from 'node:http'
let activity = 'standby'
const health = () => (${JSON.stringify(how)} === 'unhealthy' ? { healthy: false, reason: 'broken on purpose', activity } : { healthy: true, activity })
http
  .createServer((request, response) => {
    if (request.url === '/internal/activate') {
      activity = 'active'
      setTimeout(() => process.exit(3), 300)
    }
    response.end(JSON.stringify(request.url === '/internal/health' ? health() : {}))
  })
  .listen(process.argv[process.argv.indexOf('--socket') + 1])
`
}

/** Copies what an npm package needs at run time: no documentation, no sources of native code. */
async function copyPackage(name: string, directory: string): Promise<void> {
  const from = join(root, 'node_modules', name)
  const to = join(directory, 'node_modules', name)
  await mkdir(dirname(to), { recursive: true })
  await cp(from, to, {
    recursive: true,
    filter: async (source) => {
      const inside = source.slice(from.length + 1)
      if (/^(doc|vendor)(\/|$)|(^|\/)musl_/.test(inside)) return false
      return (await stat(source)).isDirectory() || /\.(js|cjs|mjs|json|node)$|^LICENSE/.test(inside)
    },
  })
}

/** Packs `directory/name` with GNU tar, the same bytes for the same content, compressed lightly: it crosses a local network once. */
async function archive(directory: string, name: string, path: string): Promise<void> {
  const tar = spawn(
    'tar',
    ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--dereference', '-C', directory, '-cf', '-', name],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exit = once(tar, 'exit') as Promise<[number | null]>
  await pipeline(tar.stdout, createGzip({ level: 1 }), createWriteStream(path))
  const [status] = await exit
  if (status !== 0) throw new HoldfastError('step-failed', `tar ended with status ${status}`, 'See its message above.')
}

/** Keeps the newest packages; each is 50 MB and every change of the agent makes one. */
async function prune(): Promise<void> {
  const packages = (await readdir(output)).filter((name) => name.endsWith('.tar.gz'))
  const dated = await Promise.all(packages.map(async (name) => ({ name, atMs: (await stat(join(output, name))).mtimeMs })))
  for (const { name } of dated.sort((a, b) => b.atMs - a.atMs).slice(8)) {
    await rm(join(output, name), { force: true })
    await rm(join(output, `${name}.sha256`), { force: true })
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { label: { type: 'string' } } })
  process.stdout.write(`${JSON.stringify(await packAgent(values.label === undefined ? {} : { label: values.label }))}\n`)
}
