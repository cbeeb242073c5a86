import type { z } from 'zod'
import { nameSchema } from '../../model/common.ts'
import { nearest } from './nearest.ts'
import { lineAt, pathOf, refusalOf, type Place, type Problem } from './problems.ts'
import { declarationSchema, expectedAt, keysAt, type Declaration } from './schema.ts'
import { readYaml } from './yaml.ts'

/** Largest document that is read. 2,000 ports need about 0.3 MiB. */
export const maxDeclarationBytes = 8 * 1024 * 1024

/**
 * Reads a declaration from YAML. Whether it fits the network that it is for is checked by `planNetwork`.
 * @throws HoldfastError bad-input with `data.problems` (`Problem[]`), all at once, for any text that is none.
 */
export function parseDeclaration(text: string): Declaration {
  const bytes = new TextEncoder().encode(text).length
  if (bytes > maxDeclarationBytes) {
    const message = `The document has ${bytes} bytes, more than the ${maxDeclarationBytes} that are read at once`
    throw refusalOf([{ line: null, path: '', message, remedy: 'Apply it in parts: what a document does not name stays as it is.' }])
  }
  const { value, lines, problems } = readYaml(text)
  if (problems.length > 0) throw refusalOf(problems)
  const root = withoutEmptyLists(value)
  const checked = declarationSchema.safeParse(root)
  if (!checked.success) throw refusalOf(mistypedFirst(checked.error.issues).flatMap((issue) => problemsOf(issue, root, lines)))
  return { ...checked.data, lines }
}

/** A key with nothing behind it, as is left where all of a list was commented out, is an empty list; an empty document declares nothing. */
function withoutEmptyLists(root: unknown): unknown {
  if (root === null) return {}
  if (typeof root !== 'object' || Array.isArray(root)) return root
  return Object.fromEntries(Object.entries(root).filter(([key, value]) => value !== null || !keysAt([]).includes(key)))
}

/** A mistyped key is often the cause of one that is missing. */
function mistypedFirst(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  return issues.toSorted((a, b) => Number(b.code === 'unrecognized_keys') - Number(a.code === 'unrecognized_keys'))
}

function problemsOf(issue: z.core.$ZodIssue, root: unknown, lines: ReadonlyMap<string, number>): Problem[] {
  const place = issue.path as Place
  const at = (place: Place, message: string, remedy: string): Problem => ({
    line: lineAt(lines, place),
    path: pathOf(named(place, root)),
    message,
    remedy,
  })
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(place)
    return issue.keys.map((key) => {
      const meant = nearest(key, known)
      return at([...place, key], `${key} is not known here`, meant === null ? `Known keys are ${known.join(', ')}.` : `Write ${meant}.`)
    })
  }
  const expected = expectedAt(place)
  const value = valueAt(root, place)
  const what = place.length === 0 ? 'the document' : String(place.findLast((step) => typeof step === 'string'))
  return [at(place, value === undefined ? `${what} is missing` : `${shown(value)} is not right for ${what}`, `Write ${expected}.`)]
}

/** The place with names of objects instead of their places in lists, where they have a right name. */
function named(place: Place, root: unknown): Place {
  const [list, index] = place
  if (typeof index !== 'number') return place
  const name = nameSchema.safeParse(valueAt(root, [list!, index, 'name']))
  return name.success ? [list!, name.data, ...place.slice(2)] : place
}

function valueAt(root: unknown, place: Place): unknown {
  return place.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[step] : undefined),
    root,
  )
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
