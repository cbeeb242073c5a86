import { HoldfastError } from '../../errors.ts'

/** Something wrong with a declaration. */
export interface Problem {
  /** Line of the document, from 1; null for what the document does not say, e.g. an object that was there before. */
  line: number | null
  /** What it is about, by name where it has one: `ports.web-1.ip`, `ports[3].name`. */
  path: string
  message: string
  /** What to do about it, as a sentence. */
  remedy: string
}

/** Where a value stands in a document or object: keys of maps, places in lists. */
export type Place = readonly (string | number)[]

/** `['ports', 3, 'ip']` as `ports[3].ip`. */
export function pathOf(place: Place): string {
  return place
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

/** The line of the innermost part of a place that the document has: a missing key is on the line of its object. */
export function lineAt(lines: ReadonlyMap<string, number> | undefined, place: Place): number | null {
  for (let length = place.length; length >= 0; length--) {
    const line = lines?.get(pathOf(place.slice(0, length)))
    if (line !== undefined) return line
  }
  return null
}

/** Most problems that an error carries: more are of no help, and errors are sent and stored. How many there are is in its message. */
export const maxProblems = 1000

/** The error that refuses a declaration as a whole: bad-input, with all problems in the order of their lines in `data.problems`. */
export function refusalOf(problems: readonly Problem[]): HoldfastError {
  const lineOf = ({ line }: Problem): number => line ?? Number.MAX_SAFE_INTEGER
  const sorted = [...problems].sort((a, b) => lineOf(a) - lineOf(b))
  const { line, path, message, remedy } = sorted[0]!
  const reasons = sorted.length === 1 ? '' : ` for ${sorted.length} reasons, first`
  const where = [line === null ? '' : `line ${line}, `, path === '' ? '' : `${path}: `].join('')
  return new HoldfastError('bad-input', `The declaration was refused${reasons}: ${where}${message}`, remedy, {
    problems: sorted.slice(0, maxProblems),
  })
}
