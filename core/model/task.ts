import { z } from 'zod'
import { wallMsSchema } from './common.ts'

export const errorDocSchema = z.looseObject({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
})

export const stepStateSchema = z.enum(['pending', 'running', 'done', 'skipped', 'failed'])

export const taskStepSchema = z.looseObject({
  name: z.string(),
  state: stepStateSchema,
  /** What it is doing right now, in words. */
  detail: z.string().optional(),
  /** 0 to 1 where it can be told. */
  progress: z.number().min(0).max(1).optional(),
  startedAtMs: wallMsSchema.optional(),
  endedAtMs: wallMsSchema.optional(),
})
export type TaskStep = z.infer<typeof taskStepSchema>

/** Long work on the laptop; it survives a restart of the app. Id: a UUID. */
export const taskSchema = z.looseObject({
  id: z.string(),
  /** Kebab-case, e.g. `host-install`, `host-upgrade`. */
  type: z.string(),
  title: z.string(),
  about: z.array(z.string()),
  /** `interrupted`: the app ended while it ran; it can be resumed because every step is idempotent. */
  state: z.enum(['running', 'done', 'failed', 'cancelled', 'interrupted']),
  steps: z.array(taskStepSchema),
  error: errorDocSchema.optional(),
  startedAtMs: wallMsSchema,
  endedAtMs: wallMsSchema.optional(),
})
export type Task = z.infer<typeof taskSchema>

/** One link of the hash chain of changes. `hash` = SHA-256 over the canonical JSON of the record without `hash`, which holds the previous hash. */
export const auditSchema = z.looseObject({
  number: z.number().int().positive(),
  atMs: wallMsSchema,
  actor: z.string(),
  action: z.string(),
  about: z.array(z.string()),
  outcome: z.enum(['asked', 'done', 'refused', 'failed']),
  detail: z.record(z.string(), z.unknown()),
  previousHash: z.string(),
  hash: z.string(),
})
export type Audit = z.infer<typeof auditSchema>
