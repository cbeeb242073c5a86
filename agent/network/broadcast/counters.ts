import type { BpfMap } from './bpf/map.ts'

/** Why a frame to the replicator came to nothing, in the order of `enum reason` in program/maps.h. */
export const dropReasons = ['unknownVni', 'truncated', 'oversize', 'badHeader', 'loop', 'storm'] as const
export type DropReason = (typeof dropReasons)[number]

/** Of one VNI. Frames came in; copies went out, `bytes` in all with their outer headers; `failed` copies did not. */
export interface VniCounters {
  frames: number
  copies: number
  bytes: number
  failed: number
  dropped: Record<DropReason, number>
}

/**
 * What became of every frame that came to the NIC: it was passed on, answered, replicated, or dropped, exactly one of these. `hairpinned` are
 * those among them that this host sent to itself.
 */
export interface TotalCounters {
  passed: number
  arpAnswers: number
  bfdAnswers: number
  replicated: number
  hairpinned: number
  dropped: Record<DropReason, number>
}

/** Fields of `struct vni_counters` and `struct totals` before their drops. */
const vniFields = ['frames', 'copies', 'bytes', 'failed'] as const
const totalFields = ['passed', 'arpAnswers', 'bfdAnswers', 'replicated', 'hairpinned'] as const

/** Null for a VNI that is not known. */
export function readVniCounters(map: BpfMap, key: Uint8Array): VniCounters | null {
  const bytes = map.lookup(key)
  return bytes && sumOfCpus(bytes, map.definition.valueBytes, vniFields)
}

export function readTotals(map: BpfMap): TotalCounters {
  return sumOfCpus(map.lookup(Buffer.alloc(4)) ?? Buffer.alloc(0), map.definition.valueBytes, totalFields)
}

/** Each CPU counts for itself: `valueBytes` of numbers of 64 bits, one CPU after the other. */
function sumOfCpus<F extends string>(
  bytes: Buffer,
  valueBytes: number,
  fields: readonly F[],
): Record<F, number> & { dropped: Record<DropReason, number> } {
  const sum = (index: number): number => {
    let total = 0n
    for (let at = index * 8; at + 8 <= bytes.length; at += valueBytes) total += bytes.readBigUInt64LE(at)
    return Number(total)
  }
  const dropped = Object.fromEntries(dropReasons.map((reason, index) => [reason, sum(fields.length + index)]))
  return { ...Object.fromEntries(fields.map((field, index) => [field, sum(index)])), dropped } as ReturnType<typeof sumOfCpus<F>>
}
