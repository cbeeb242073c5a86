/**
 * `npm test`: everything that is claimed, proven, from a fresh clone: checks, unit tests, tests on the lab's hosts, a small version of each
 * proof, journeys in a browser. `npm test -- STAGE…` runs some of the stages. The last line counts; each skip and each failure
 * stands above it with its reason.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ensureBaseLayer } from '../lab/base.ts'
import { proofs } from '../proofs/index.ts'
import { buildBroadcastObject } from './broadcast-object.ts'
import { buildScreens } from './build.ts'
import type { Counts } from './counts-reporter.ts'
import { fail } from './fail.ts'
import { removeLeftoverLabs } from './leftover-labs.ts'
import { chromium, ensurePrograms, hasProgram, labObstacle, labPrograms } from './machine.ts'
import { commandOf, newSeed } from './prove.ts'

const root = path.resolve(import.meta.dirname, '..')
const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-test-'))
const running = new Set<ChildProcess>()
let interrupted = false

const none = (): Counts => ({ passed: 0, failures: [], skips: [] })

/**
 * Runs one of our own programs and reads the counts that it leaves behind; a program that leaves none failed as a whole if it says so. `beside`:
 * others run at the same time, so that what it says is printed in one piece. `niceness`: of 19, it gets what processor time others leave.
 */
async function runCounted(name: string, argv: [string, ...string[]], { beside = false, niceness = 0 } = {}): Promise<Counts> {
  const file = path.join(scratch, `${name}.json`)
  // A group of its own, so that an interruption reaches all that it started and not only itself.
  const child = spawn('nice', ['-n', String(niceness), process.execPath, ...argv], {
    cwd: root,
    stdio: beside ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, HOLDFAST_COUNTS: file },
  })
  const said: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => said.push(chunk))
  running.add(child)
  const code = await new Promise((resolve) => child.on('close', resolve))
  running.delete(child)
  if (beside) process.stdout.write(`\n${name}:\n${Buffer.concat(said).toString()}\n`)
  const counts: Counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : none()
  if (code !== 0 && counts.failures.length === 0) counts.failures.push(`${name}: ended with exit status ${String(code)}`)
  return counts
}

const vitest = (project: string) =>
  runCounted(project, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter',
    'default',
    '--reporter',
    './scripts/counts-reporter.ts',
  ])

/** All of a project's files as skipped, for one reason. */
const skipFiles = (pattern: string, reason: string): Counts => ({
  ...none(),
  skips: globSync(pattern, { cwd: root, exclude: ['node_modules/**'] }).map((file) => `${file}: ${reason}`),
})

/** Two at a time, each in a process of its own. */
async function smallProofs(): Promise<Counts> {
  const counts = none()
  const queue = proofs.filter(({ outsideTests }) => !outsideTests)
  const worker = async (): Promise<void> => {
    for (let proof = queue.shift(); proof && !interrupted; proof = queue.shift()) {
      const obstacle = proof.kind === 'lab' ? labObstacle() : null
      if (obstacle) {
        counts.skips.push(`proof ${proof.name}: ${obstacle}`)
        continue
      }
      const seed = newSeed()
      const { failures } = await runCounted(proof.name, ['scripts/prove.ts', proof.name, '--small', '--seed', String(seed)], { beside: true })
      if (failures.length === 0) counts.passed++
      else counts.failures.push(`proof ${proof.name}: said above; again: ${commandOf(proof, seed, 'small')}`)
    }
  }
  await Promise.all([worker(), worker()])
  return counts
}

async function journeys(): Promise<Counts> {
  const obstacle = labObstacle()
  if (obstacle) return skipFiles('e2e/**/*.e2e.ts', obstacle)
  ensurePrograms([chromium], console.log)
  if (!hasProgram(chromium.program)) return skipFiles('e2e/**/*.e2e.ts', 'chromium is not on this machine')
  await ensureBaseLayer(console.log)
  await buildScreens(console.log)
  return vitest('e2e')
}

async function labTests(): Promise<Counts> {
  const obstacle = labObstacle()
  if (obstacle) return skipFiles('**/*.lab.test.ts', obstacle)
  ensurePrograms(labPrograms, console.log)
  // Both are fetched here, where it may take as long as the network does, and not in the time of the first test that needs them.
  buildBroadcastObject(console.log)
  await ensureBaseLayer(console.log)
  return vitest('lab')
}

/** `beside`: needs nothing but cores, of which the stages before it leave much while they wait: it begins with the first of them. */
const stages: { name: string; run: () => Promise<Counts>; beside?: true }[] = [
  { name: 'unit', run: () => vitest('unit') },
  { name: 'lab', run: labTests },
  { name: 'check', run: () => runCounted('static checks', ['scripts/check.ts'], { beside: true, niceness: 19 }), beside: true },
  // They measure. What could not be run of it has been told with the others.
  { name: 'alone', run: async () => (labObstacle() ? none() : await vitest('lab-alone')) },
  { name: 'proofs', run: smallProofs },
  { name: 'e2e', run: journeys },
]

async function main(): Promise<void> {
  const chosen = process.argv.slice(2)
  const names = stages.map(({ name }) => name)
  const unknown = chosen.find((name) => !names.includes(name))
  if (unknown) {
    console.error(`There is no stage ${unknown}: they are ${names.join(', ')}`)
    process.exitCode = 2
    return
  }
  const total = none()
  const startedAtMs = Date.now()
  const wanted = stages.filter(({ name }) => chosen.length === 0 || chosen.includes(name))
  const outcome = ({ name, run }: (typeof stages)[number]): Promise<Counts> =>
    run().catch((thrown: unknown) => {
      fail(thrown)
      return { ...none(), failures: [`${name}: ${String(thrown)}`] }
    })
  const begun = new Map(wanted.filter(({ beside }) => beside).map((stage) => [stage, outcome(stage)]))
  for (const stage of wanted) {
    if (interrupted && !begun.has(stage)) continue
    const startMs = performance.now()
    const { name } = stage
    console.log(`\n── ${name} ──`)
    const counts = await (begun.get(stage) ?? outcome(stage))
    console.log(
      `── ${name}: ${counts.passed} passed, ${counts.failures.length} failed, ${counts.skips.length} skipped, ${Math.round((performance.now() - startMs) / 1000)} s`,
    )
    total.passed += counts.passed
    total.failures.push(...counts.failures)
    total.skips.push(...counts.skips)
  }
  // Tests end what they start; a test that was killed could not.
  const left = labObstacle() ? [] : await removeLeftoverLabs(startedAtMs)
  if (left.length > 0) console.log(`Labs that tests left behind were taken down: ${left.join(', ')}`)
  console.log('')
  for (const skip of total.skips) console.log(`skipped: ${skip}`)
  // Said once more where a log of which only the end was kept still has it.
  for (const failure of total.failures) console.log(`failed: ${failure}`)
  if (interrupted) console.log('Interrupted: what had not run yet is in none of these counts.')
  console.log(`${total.passed} passed, ${total.failures.length} failed, ${total.skips.length} skipped`)
  process.exitCode = total.failures.length > 0 || interrupted ? 1 : 0
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = true
    for (const { pid } of running) if (pid) process.kill(-pid, 'SIGTERM')
  })
}
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
await main()
