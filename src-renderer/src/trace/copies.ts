import type { TraceCopy } from '../../../core/model/trace.ts'
import { byName } from '../format.ts'
import { parseRef, type Ref } from '../state/place.ts'

const rank: Record<TraceCopy['verdict'], number> = { dropped: 0, unknown: 1, delivered: 2 }

/** Copies of a packet to many: those that were lost first, then those that nobody knows of, each in the order of their places. */
export const worstFirst = (copies: readonly TraceCopy[]): TraceCopy[] =>
  copies.toSorted((a, b) => rank[a.verdict] - rank[b.verdict] || byName(a.host, b.host) || byName(a.port ?? '', b.port ?? ''))

/** How many copies there are of each verdict. */
export function countCopies(copies: readonly TraceCopy[]): Record<TraceCopy['verdict'], number> {
  const counts = { delivered: 0, dropped: 0, unknown: 0 }
  for (const { verdict } of copies) counts[verdict]++
  return counts
}

/** The object to show for the one at fault; null if there is none. A broadcast node is shown as its host. */
export function faultRef(object: string | null): Ref | null {
  const ref = object === null ? undefined : parseRef(object)
  return ref === undefined ? null : ref.kind === 'broadcastNode' ? { kind: 'host', id: ref.id } : ref
}
