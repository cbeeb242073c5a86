import type { HoldfastError } from '../../core/errors.ts'

/** Where a command's answer goes: with `--json` one document on stdout, otherwise text for a person. What it is doing goes to stderr. */
export class Output {
  readonly json: boolean

  constructor(json: boolean) {
    this.json = json
  }

  /** The answer. `text` is made only where a person reads it. */
  answer(document: unknown, text: () => string): void {
    write(process.stdout, this.json ? JSON.stringify(document) : text())
  }

  /** One line about what is going on. */
  note(line: string): void {
    write(process.stderr, line)
  }

  /** What failed and what to do; with `--json` the same as a document on stdout. */
  failure(error: HoldfastError): void {
    const { log, problems } = error.data
    const lines = Array.isArray(problems) ? problems.map(problemText) : []
    write(process.stderr, [...(typeof log === 'string' ? [log] : []), error.message, ...lines, error.hint].join('\n'))
    if (this.json) write(process.stdout, JSON.stringify(error.toDoc()))
  }
}

/** One flaw of a document: where, what, and what to do. */
function problemText(problem: { line?: number | null; path?: string; message?: string; remedy?: string }): string {
  const { line, path = '', message = '', remedy = '' } = problem
  return `  ${line == null ? '' : `line ${line}: `}${path}: ${message}. ${remedy}`
}

function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text.endsWith('\n') ? text : `${text}\n`)
}

/** Rows as aligned columns under a heading; empty cells as a dash. */
export function table(heading: readonly string[], rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  const cells = [heading, ...rows.map((row) => row.map((cell) => (cell === null || cell === undefined || cell === '' ? '-' : String(cell))))]
  const widths = heading.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** An age in words: `3 s`, `5 min`, `2 h`, `4 d`; a dash for none. */
export function age(ms: number | null): string {
  if (ms === null) return '-'
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
