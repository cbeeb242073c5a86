/** Runs measurements. `npm run -s bench -- list`, `… NAME… [--quick] [--json]`, `… all`. Exits 1 if one could not run, 2 on wrong usage. */
import { readFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { asHoldfastError } from '../core/errors.ts'
import { readArguments } from '../scripts/arguments.ts'
import { removeLabsWhenInterrupted } from '../scripts/leftover-labs.ts'
import { labObstacle } from '../scripts/machine.ts'
import type { Bench, BenchRow } from './bench.ts'
import { benches } from './index.ts'

/** Whether a figure is within its goal; null where it has none. */
export function goalMet({ value, goal }: BenchRow): boolean | null {
  if (!goal) return null
  return value <= (goal.max ?? Infinity) && value >= (goal.min ?? -Infinity)
}

const digits = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: value >= 1000 ? 6 : 3, useGrouping: false })

/** A table of figures: name, value with unit, goal, whether it was met, note. */
export function table(rows: BenchRow[]): string {
  const cells = rows.map((row) => {
    const goal = row.goal
      ? [row.goal.min !== undefined ? `≥ ${row.goal.min}` : '', row.goal.max !== undefined ? `≤ ${row.goal.max}` : ''].filter(Boolean).join(', ')
      : ''
    const met = goalMet(row)
    return [row.figure, digits(row.value), row.unit, goal, met === null ? '' : met ? 'met' : 'MISSED', row.note ?? '']
  })
  const all = [['figure', 'value', 'unit', 'goal', '', 'note'], ...cells]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** How much of the time that this machine's cores wanted to work others had them, in percent since `before`; null where nobody counts it. */
function stolenPercent(before: CpuTimes | null): number | null {
  const now = cpuTimes()
  if (!before || !now) return null
  const stolen = now.stolen - before.stolen
  return (100 * stolen) / Math.max(1, now.busy - before.busy + stolen)
}

interface CpuTimes {
  busy: number
  stolen: number
}

/** The kernel's counters since boot, in ticks: proc(5), /proc/stat. */
function cpuTimes(): CpuTimes | null {
  if (process.platform !== 'linux') return null
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return { busy: user + nice + system + irq + softirq, stolen }
}

const usageText = 'npm run -s bench -- list | all | NAME… [--quick] [--json]'

function usage(message: string): never {
  console.error(`${message}\nUsage: ${usageText}`)
  process.exit(2)
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments(usageText, {
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
  })
  if (positionals[0] === 'list') {
    if (values.json) console.log(JSON.stringify(benches.map(({ name, title, kind }) => ({ name, title, kind }))))
    else for (const bench of benches) console.log(`${bench.name.padEnd(24)} ${bench.kind.padEnd(7)} ${bench.title}`)
    return
  }
  const chosen =
    positionals[0] === 'all'
      ? benches
      : positionals.map((name) => benches.find((bench) => bench.name === name) ?? usage(`There is no measurement named ${name}: see \`list\``))
  if (chosen.length === 0) usage('Which measurement?')

  // With --json the document alone goes to stdout.
  const say = (line: string) => (values.json ? console.error(line) : console.log(line))
  const results: { bench: Bench; rows?: BenchRow[]; stolenPercent?: number | null; error?: string }[] = []
  for (const bench of chosen) {
    say(`\n${bench.name}: ${bench.title}${values.quick ? ' (quick)' : ''}`)
    try {
      const obstacle = bench.kind === 'lab' ? labObstacle() : null
      if (obstacle) throw new Error(`not run: ${obstacle}`)
      const before = cpuTimes()
      const rows = await bench.run({ quick: values.quick, log: (line) => say(`  ${line}`) })
      const stolen = stolenPercent(before)
      results.push({ bench, rows, stolenPercent: stolen })
      if (values.json) continue
      console.log(table(rows).replace(/^/gm, '  '))
      if (stolen !== null) console.log(`  Of the time that this machine wanted its cores, others had them ${stolen.toFixed(0)} %.`)
    } catch (thrown) {
      const { message, hint, code, stack } = asHoldfastError(thrown)
      say(`  ${message}\n  ${code === 'internal' ? stack : hint}`)
      results.push({ bench, error: message })
    }
  }
  if (values.json) {
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release(), node: process.version }
    const document = results.map(({ bench, rows, stolenPercent, error }) => ({
      name: bench.name,
      quick: values.quick,
      stolenPercent,
      error,
      rows: rows?.map((row) => ({ ...row, met: goalMet(row) })),
    }))
    console.log(JSON.stringify({ machine, results: document }, null, 2))
  }
  process.exitCode = results.some((result) => result.error !== undefined) ? 1 : 0
}

if (import.meta.main) {
  removeLabsWhenInterrupted()
  await main()
}
