import { readFileSync } from 'node:fs'
import type { NetworkChangeDoc } from '../../../core/contract/agent/network.ts'
import { HoldfastError } from '../../../core/errors.ts'
import type { Services } from '../../services.ts'
import { flag, option } from '../options.ts'
import { UsageError } from '../parse.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'

/** `plan -f FILE`. */
export async function plan(call: Call): Promise<void> {
  const declaration = readDeclaration(call)
  await withServices(call, async ({ desktop }) => {
    const answer = await desktop.network.plan({ declaration, prune: flag(call, 'prune') })
    const from = answer.offline
      ? `As this laptop last saw it (revision ${answer.revision}); no agent answers.`
      : `Against revision ${answer.revision}.`
    call.out.answer(answer, () => `${changesText(answer.changes)}\n${from}`)
  })
}

/** `apply -f FILE`: 1 when a host does not have it in place in time. */
export async function apply(call: Call): Promise<number> {
  const declaration = readDeclaration(call)
  return await withServices(call, ({ desktop }) => applyDeclaration(call, desktop, { declaration, prune: flag(call, 'prune') }))
}

/** Applies a declaration, waits unless told not to, and says what became of it: 1 when a host does not have it in place in time. */
export async function applyDeclaration(
  call: Call,
  desktop: Services['desktop'],
  input: { declaration: string; prune: boolean; revision?: number },
): Promise<number> {
  const waitMs = flag(call, 'no-wait') ? 0 : 30_000
  const answer = await desktop.network.apply({ ...input, waitMs })
  const lagging = answer.hosts.filter(({ revision }) => revision === null || revision < answer.revision)
  const lines = [changesText(answer.changes)]
  if (waitMs === 0) lines.push(`Revision ${answer.revision}; hosts were not waited for.`)
  else if (lagging.length === 0)
    lines.push(`Revision ${answer.revision} is in place on ${answer.hosts.map(({ host }) => host).join(', ') || 'every host'}.`)
  for (const { host, revision, problems } of waitMs === 0 ? [] : lagging) {
    lines.push(`${host} lags: it has ${revision === null ? 'none' : `revision ${revision}`}, not ${answer.revision}. ${problems.join('. ')}`.trim())
  }
  call.out.answer(answer, () => lines.join('\n'))
  return waitMs > 0 && lagging.length > 0 ? 1 : 0
}

/** `export`. */
export async function exportNetwork(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const answer = await desktop.network.export()
    call.out.answer(answer, () => answer.declaration.trimEnd())
  })
}

/** `network failover HOST`. */
export async function failover(call: Call): Promise<void> {
  const host = call.args[0] ?? ''
  await withServices(call, async ({ desktop }) => {
    const answer = await desktop.network.failover({ host })
    const cut = answer.connectionsCut === null ? 'an unknown number of' : answer.connectionsCut
    call.out.answer(
      answer,
      () => `${host}: the other switch forwards, after at most ${answer.outageMs} ms without; ${cut} connections were forgotten.`,
    )
  })
}

/** The declaration in the file that `-f` names; `-` is stdin. */
export function readDeclaration(call: Call): string {
  const file = option(call, 'file')
  if (file === undefined) throw new UsageError('-f is missing: the file with the declaration', 'Give its path, or - for stdin.')
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new HoldfastError('bad-input', `${file} cannot be read: ${(cause as Error).message}`, 'Name a file that is there.', {}, { cause })
  }
}

const signs = { add: '+', change: '~', delete: '-' } as const

/** A line a change, and a line for each field of an object that changes. */
export function changesText(changes: readonly NetworkChangeDoc[]): string {
  if (changes.length === 0) return 'Nothing to change.'
  return changes
    .flatMap(({ change, kind, name, fields }) => [
      `${signs[change]} ${kind} ${name}`,
      ...(change === 'change' ? fields.map(({ field, before, after }) => `    ${field}: ${shown(before)} → ${shown(after)}`) : []),
    ])
    .join('\n')
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value)
}
