import { setTimeout as sleep } from 'node:timers/promises'
import { found, right, type Fault } from './fault.ts'
import type { Rig } from './rig.ts'

/** How long a trace may go on saying something else, while what a fault changes is noticed. */
const patienceMs = 20_000

/** What came of one fault. */
export interface Outcome {
  kind: string
  right: boolean
  /** What the last trace said. */
  said: string
  /** From the fault to the end of the first trace that was right, and how many were asked by then. */
  seconds: number
  traces: number
  /** What traces said before, where it was something else. */
  before: string[]
}

/** Puts a fault in, has it traced, takes it back, and waits until all is well. */
export async function suffer(rig: Rig, fault: Fault): Promise<Outcome> {
  const before = new Set<string>()
  if (!fault.heals) await fault.put?.(rig)
  const startMs = performance.now()
  let traces = 0
  try {
    for (;;) {
      if (fault.heals) await fault.put?.(rig)
      const result = await rig.trace(fault.asked)
      traces++
      const [said, seconds] = [found(result), Math.round((performance.now() - startMs) / 100) / 10]
      if (right(result, fault.expected)) return { kind: fault.kind, right: true, said, seconds, traces, before: [...before] }
      if (performance.now() - startMs > patienceMs) return { kind: fault.kind, right: false, said, seconds, traces, before: [...before] }
      before.add(said)
      await sleep(200)
    }
  } finally {
    await fault.undo?.(rig)
    if (fault.put) await rig.well()
  }
}

/** The outcomes as a table. */
export function tableOf(outcomes: readonly Outcome[]): string[] {
  const rows = outcomes.map(({ kind, right: is, said, seconds, traces, before }) => [
    is ? 'right' : 'WRONG',
    kind,
    `${seconds} s`,
    `${traces}`,
    said,
    ...(before.length > 0 ? [`(before: ${before.join('; ')})`] : []),
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
