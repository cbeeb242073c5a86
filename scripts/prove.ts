/**
 * Runs proofs. `npm run -s prove -- list`, `… NAME [--seed N] [--small]`, `… all --minutes N` (full simulation proofs as long as they fit).
 * A full run of one proof is kept in docs/proofs/NAME.md. Exits 1 if anything was disproven, 2 on wrong usage.
 */
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { proofs } from '../proofs/index.ts'
import type { Proof } from '../proofs/proof.ts'
import { readArguments } from './arguments.ts'
import { removeLabsWhenInterrupted } from './leftover-labs.ts'
import { labObstacle } from './machine.ts'

const root = path.resolve(import.meta.dirname, '..')
const resultFile = (name: string) => path.join(root, 'docs', 'proofs', `${name}.md`)

/** How one run of a proof ended. `error` is what disproved it. */
export interface Outcome {
  seed: number
  counts: Record<string, number | string>
  seconds: number
  error?: Error
}

/** A seed that fits what generators of 32 bits take. */
export const newSeed = () => randomInt(2 ** 32)

/** The command that repeats a run. */
export function commandOf(proof: Proof, seed: number, scale: 'small' | 'full'): string {
  return `npm run -s prove -- ${proof.name} --seed ${seed}${scale === 'small' ? ' --small' : ''}`
}

/** Runs a proof and prints how it went; never throws. */
export async function prove(proof: Proof, scale: 'small' | 'full', seed: number): Promise<Outcome> {
  console.log(`\n${proof.name}: ${proof.title} (${scale}, seed ${seed})`)
  const startMs = performance.now()
  const secondsSince = () => Math.round((performance.now() - startMs) / 100) / 10
  try {
    const counts = await proof.run({ seed, scale, log: (line) => console.log(`  ${line}`) })
    const seconds = secondsSince()
    const words = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
    console.log(`  holds: ${words.join(', ')}; ${seconds} s`)
    return { seed, counts, seconds }
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    console.log(`  DISPROVEN: ${error.stack ?? error.message}\n  again: ${commandOf(proof, seed, scale)}`)
    return { seed, counts: {}, seconds: secondsSince(), error }
  }
}

/** The text of docs/proofs/NAME.md. */
export function resultPage(proof: Proof, outcome: Outcome, commit: string, date: Date): string {
  const rows = [
    ['outcome', outcome.error ? `**disproven**: ${outcome.error.message.split('\n')[0]}` : 'holds'],
    ['command', `\`${commandOf(proof, outcome.seed, 'full')}\``],
    ['seed', String(outcome.seed)],
    ['commit', commit],
    ['date', date.toISOString().slice(0, 10)],
    ['duration', `${outcome.seconds} s`],
    ...Object.entries(outcome.counts).map(([name, count]) => [name, String(count)]),
  ]
  return `# ${proof.title}\n\n|  |  |\n|---|---|\n${rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n')}\n`
}

/** How long the last full run that was kept took, or null. */
function lastSeconds(proof: Proof): number | null {
  try {
    const found = /^\| duration \| ([\d.]+) s \|$/m.exec(readFileSync(resultFile(proof.name), 'utf8'))
    return found ? Number(found[1]) : null
  } catch {
    return null
  }
}

function keep(proof: Proof, outcome: Outcome): void {
  const git = (...argv: string[]) => execFileSync('git', argv, { cwd: root, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain', '--', '.', ':!docs') !== ''
  mkdirSync(path.dirname(resultFile(proof.name)), { recursive: true })
  writeFileSync(
    resultFile(proof.name),
    resultPage(proof, outcome, git('rev-parse', 'HEAD') + (changed ? ' and changes not committed' : ''), new Date()),
  )
  console.log(`  kept in ${path.relative(root, resultFile(proof.name))}`)
}

/** Runs full simulation proofs in their order while the next one, going by its last run, still ends within the time. Answers how many were disproven. */
async function proveWithin(minutes: number): Promise<number> {
  const deadlineMs = performance.now() + minutes * 60_000
  let disproven = 0
  for (const proof of proofs.filter((candidate) => candidate.kind === 'simulation')) {
    const leftSeconds = (deadlineMs - performance.now()) / 1000
    // One that was never timed is given half of what there is at most.
    const needsSeconds = (lastSeconds(proof) ?? minutes * 30) * 1.3
    if (needsSeconds > leftSeconds) {
      console.log(`\n${proof.name}: not run, ${Math.round(leftSeconds)} s are left and it takes about ${Math.round(needsSeconds)} s`)
      continue
    }
    const { error } = await prove(proof, 'full', newSeed())
    if (error) disproven++
  }
  return disproven
}

const usageText = 'npm run -s prove -- list | NAME [--seed N] [--small] | all --minutes N'

function usage(message: string): never {
  console.error(`${message}\nUsage: ${usageText}`)
  process.exit(2)
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments(usageText, {
    allowPositionals: true,
    options: { seed: { type: 'string' }, small: { type: 'boolean', default: false }, minutes: { type: 'string' } },
  })
  const [name] = positionals
  if (name === 'list') {
    for (const proof of proofs) console.log(`${proof.name.padEnd(28)} ${proof.kind.padEnd(11)} ${proof.title}`)
    return
  }
  if (name === 'all') {
    const minutes = Number(values.minutes)
    if (!(minutes > 0)) usage('`all` needs --minutes')
    process.exitCode = (await proveWithin(minutes)) > 0 ? 1 : 0
    return
  }
  const proof = proofs.find((candidate) => candidate.name === name)
  if (!proof) usage(name ? `There is no proof named ${name}: see \`list\`` : 'Which proof?')
  const obstacle = proof.kind === 'lab' ? labObstacle() : null
  if (obstacle) usage(`${proof.name} needs the lab. ${obstacle}`)
  const seed = values.seed === undefined ? newSeed() : Number(values.seed)
  if (!Number.isSafeInteger(seed) || seed < 0) usage('--seed takes a whole number')
  const scale = values.small ? 'small' : 'full'
  const outcome = await prove(proof, scale, seed)
  if (scale === 'full') keep(proof, outcome)
  process.exitCode = outcome.error ? 1 : 0
}

if (import.meta.main) {
  removeLabsWhenInterrupted()
  await main()
}
