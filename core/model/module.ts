import { z } from 'zod'
import { nameSchema, wallMsSchema } from './common.ts'

export const moduleNames = ['cluster', 'monitor', 'network'] as const
export const moduleNameSchema = z.enum(moduleNames)
export type ModuleName = z.infer<typeof moduleNameSchema>

export const moduleStateSchema = z.enum(['starting', 'running', 'unhealthy', 'restarting', 'upgrading', 'stopped'])
export type ModuleState = z.infer<typeof moduleStateSchema>

/** A module of one host's agent; `supervisor` reports itself the same way. Id: `host/name`. */
export const moduleSchema = z.looseObject({
  host: nameSchema,
  name: z.string(),
  version: z.string(),
  state: moduleStateSchema,
  pid: z.number().int().nonnegative(),
  startedAtMs: wallMsSchema,
  restarts: z.number().int().nonnegative(),
  /** The version it replaced, kept on disk for the way back. */
  previousVersion: z.string().optional(),
})
export type Module = z.infer<typeof moduleSchema>
