import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { entitySchema } from '../../model/entity.ts'
import { procedure } from '../base.ts'

/**
 * Where a reader stands in a source's log. `epoch` names one life of the log (a new one with each process start),
 * `rev` the last change seen; together they decide between deltas and a new snapshot.
 */
export const positionSchema = z.object({ epoch: z.string(), rev: z.number().int().nonnegative() })
export type Position = z.infer<typeof positionSchema>

/** Messages of a watch: a snapshot replaces all that the source had reported; a delta changes it; `idle` says that nothing did. */
export const syncFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), ...positionSchema.shape, nowMs: z.number(), items: z.array(entitySchema) }),
  z.object({
    type: z.literal('delta'),
    ...positionSchema.shape,
    nowMs: z.number(),
    puts: z.array(entitySchema),
    dels: z.array(z.object({ kind: z.string(), id: z.string() })),
  }),
  z.object({ type: z.literal('idle'), ...positionSchema.shape, nowMs: z.number() }),
])
export type SyncFrame = z.infer<typeof syncFrameSchema>

/** The same in every module: its documents from a position on. An `idle` frame comes at least every second. */
export const syncContract = {
  watch: procedure.input(z.object({ from: positionSchema.optional() })).output(eventIterator(syncFrameSchema)),
}
