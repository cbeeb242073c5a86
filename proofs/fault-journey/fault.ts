import type { DropReason, TraceResult } from '../../core/model/trace.ts'
import type { Asked, Rig } from './rig.ts'

/** What a trace must say of a fault; what is left out may be anything. */
export interface Expected {
  verdict: TraceResult['verdict']
  drop?: { host: string; device: string; reason: DropReason; object: string | null }
  /** Of what is not dropped though something is wrong: where it parts from what is to be. */
  parted?: { host: string; object: string }
  /** What the sentence about an unknown fate has in it. */
  limit?: RegExp
}

/** One kind of fault: how it is put in, and how it is taken back. */
export interface Fault {
  kind: string
  /** Absent where the fault is in the packet or in the declaration. */
  put?(rig: Rig): Promise<unknown>
  undo?(rig: Rig): Promise<unknown>
  /** The agent puts it right by itself: it is put in again before every look. */
  heals?: true
  asked: Asked
  expected: Expected
}

/** Says in a few words what a trace found. */
export function found({ verdict, drop, limit, parted }: TraceResult): string {
  const by = parted as { host: string; object: string | null } | null | undefined
  if (drop) return `${verdict} ${drop.host}/${drop.device} ${drop.reason} ${drop.object ?? '-'}`
  return [verdict, limit, by ? `parted at ${by.host} by ${by.object ?? '-'}` : ''].filter(Boolean).join(': ')
}

/** Whether a trace says what it must. */
export function right(result: TraceResult, { verdict, drop, parted, limit }: Expected): boolean {
  const by = result.parted as { host: string; object: string | null } | null | undefined
  return (
    result.verdict === verdict &&
    (!drop ||
      (result.drop?.host === drop.host &&
        result.drop.device === drop.device &&
        result.drop.reason === drop.reason &&
        result.drop.object === drop.object)) &&
    (!parted || (by?.host === parted.host && by.object === parted.object)) &&
    (!limit || limit.test(result.limit ?? ''))
  )
}
