/**
 * The swap of one module (feature C3) as a pure state machine. The supervisor writes a record to its journal *before* it does what the
 * record's phase asks for (`effectOf`), and turns the outcome into the next record (`advance`). A supervisor that starts finds the record
 * of the one before it, calls `recover`, and goes on from there: so a kill at any instant ends in the old version or the new one.
 *
 *   steady ─▶ starting ─▶ switching ─▶ proving ─▶ retiring ─▶ steady (new)
 *                 └───────────┴───────────┴─────▶ undoing ──▶ steady (old)
 */
import { z } from 'zod'

/** One start of a module's process: names its socket, `NAME.GENERATION.sock`. */
const instanceSchema = z.object({ version: z.string(), generation: z.number().int().positive() })
export type Instance = z.infer<typeof instanceSchema>

export const swapPhaseSchema = z.enum([
  /** The candidate is started in standby beside the current one, and passes the health gate. */
  'starting',
  /** The current one releases, the candidate is activated with its handover. */
  'switching',
  /** The candidate acts and is watched; the current one is kept, released, for the way back. */
  'proving',
  /** The candidate is ended, the current one activated again. */
  'undoing',
  /** The swap is kept; `other` is the old instance, which is ended. */
  'retiring',
])
export type SwapPhase = z.infer<typeof swapPhaseSchema>

/** What the journal holds of a module. */
export const moduleRecordSchema = z.object({
  current: instanceSchema,
  /** The version before the last swap that was kept. */
  previousVersion: z.string().optional(),
  swap: z
    .object({
      phase: swapPhaseSchema,
      /** The candidate; in `retiring` the old instance. */
      other: instanceSchema,
      /** Why it is undone. */
      reason: z.string().optional(),
    })
    .optional(),
})
export type ModuleRecord = z.infer<typeof moduleRecordSchema>

export type Outcome = { ok: true } | { ok: false; reason: string }

/** What is to be done in a record's phase; each may be done again after it was done in part or whole. */
export type Effect =
  | { do: 'start-standby'; instance: Instance }
  | { do: 'hand-over'; from: Instance; to: Instance }
  | { do: 'prove'; instance: Instance }
  | { do: 'end-and-reactivate'; end: Instance; activate: Instance }
  | { do: 'end'; instance: Instance }

/** Begins a swap to another version. Only from a steady record. */
export function begin(record: ModuleRecord, version: string, generation: number): ModuleRecord {
  return { ...record, swap: { phase: 'starting', other: { version, generation } } }
}

/** What the phase asks for; null when steady. */
export function effectOf({ current, swap }: ModuleRecord): Effect | null {
  switch (swap?.phase) {
    case undefined:
      return null
    case 'starting':
      return { do: 'start-standby', instance: swap.other }
    case 'switching':
      return { do: 'hand-over', from: current, to: swap.other }
    case 'proving':
      return { do: 'prove', instance: swap.other }
    case 'undoing':
      return { do: 'end-and-reactivate', end: swap.other, activate: current }
    case 'retiring':
      return { do: 'end', instance: swap.other }
  }
}

/** The record after the phase's effect came out this way. */
export function advance(record: ModuleRecord, outcome: Outcome): ModuleRecord {
  const { swap } = record
  if (!swap) return record
  switch (swap.phase) {
    case 'starting':
    case 'switching':
    case 'proving': {
      if (!outcome.ok) return { ...record, swap: { ...swap, phase: 'undoing', reason: outcome.reason } }
      if (swap.phase === 'starting') return { ...record, swap: { ...swap, phase: 'switching' } }
      if (swap.phase === 'switching') return { ...record, swap: { ...swap, phase: 'proving' } }
      return { current: swap.other, previousVersion: record.current.version, swap: { phase: 'retiring', other: record.current } }
    }
    // What is left is a steady record either way: the watch over steady modules restarts one that is not well.
    case 'undoing':
    case 'retiring':
      return withoutSwap(record)
  }
}

/** The record to go on from after a supervisor died in this one: a swap that was not kept yet is undone. */
export function recover(record: ModuleRecord): ModuleRecord {
  if (!record.swap || record.swap.phase === 'undoing' || record.swap.phase === 'retiring') return record
  return { ...record, swap: { ...record.swap, phase: 'undoing', reason: 'the supervisor was restarted during the swap' } }
}

/** The instance that calls are sent to. */
export function serving({ current, swap }: ModuleRecord): Instance {
  return swap?.phase === 'proving' ? swap.other : current
}

function withoutSwap(record: ModuleRecord): ModuleRecord {
  return record.previousVersion === undefined ? { current: record.current } : { current: record.current, previousVersion: record.previousVersion }
}
