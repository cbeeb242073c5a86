import { z } from 'zod'
import { wallMsSchema } from './common.ts'

export const severitySchema = z.enum(['info', 'warning', 'error'])
export type Severity = z.infer<typeof severitySchema>

/** Something that happened. Id: `origin/number`, for a host `origin/module-number`; numbers of one module of one origin rise and never repeat. */
export const eventSchema = z.looseObject({
  /** Host that saw it, or `laptop`. */
  origin: z.string(),
  atMs: wallMsSchema,
  severity: severitySchema,
  /** Kebab-case and stable, e.g. `path-down`, `leader-changed`, `module-restarted`. Translated by the window. */
  type: z.string(),
  /** English sentence, subject first. */
  message: z.string(),
  /** Objects concerned, as `kind/id`. */
  about: z.array(z.string()),
  data: z.record(z.string(), z.unknown()),
})
export type Event = z.infer<typeof eventSchema>
