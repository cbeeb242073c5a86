/**
 * Everything that can be told of the code without running it. `npm run check` prints one line a step, and what a failed one said.
 * Exits 1 if any step failed. It leaves its counts in the file that HOLDFAST_COUNTS names,
 * for scripts/test.ts.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Counts } from './counts-reporter.ts'

const root = path.resolve(import.meta.dirname, '..')
const bin = (name: string) => path.join(root, 'node_modules', '.bin', name)

// Two at a time: the longest begins first.
const steps: { name: string; argv: string[] }[] = [
  { name: 'lint', argv: [bin('eslint'), '.', '--max-warnings', '0', '--cache', '--cache-location', 'node_modules/.cache/eslint'] },
  { name: 'imports point one way', argv: [process.execPath, 'scripts/imports.ts'] },
  { name: 'types: core', argv: [bin('tsc'), '-p', 'core'] },
  { name: 'types: agent, src-main, lab, tools', argv: [bin('tsc'), '-p', '.'] },
  { name: 'types: screens', argv: [bin('svelte-check'), '--tsconfig', 'src-renderer/tsconfig.json', '--fail-on-warnings'] },
  { name: 'format', argv: [bin('prettier'), '--check', '.', '--cache', '--log-level', 'warn'] },
  { name: 'nothing unused', argv: [bin('knip'), '--no-progress'] },
]

/** Runs a program to its end; both of its outputs in the order they came. */
function run(argv: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

const failures: string[] = []
const queue = [...steps]

async function worker(): Promise<void> {
  for (let step = queue.shift(); step; step = queue.shift()) {
    const startMs = performance.now()
    const { code, output } = await run(step.argv)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${step.name.padEnd(36)} ${seconds.padStart(6)} s`)
    if (code === 0) continue
    failures.push(`${step.name}: said above; again: npm run check`)
    console.log(output.trimEnd().replace(/^/gm, '      '))
  }
}

await Promise.all([worker(), worker()])
const countsFile = process.env.HOLDFAST_COUNTS
if (countsFile) writeFileSync(countsFile, JSON.stringify({ passed: steps.length - failures.length, failures, skips: [] } satisfies Counts))
process.exitCode = failures.length > 0 ? 1 : 0
