import { z } from 'zod'
import { ipv4Schema, nameSchema, wallMsSchema } from './common.ts'

/** A host as the cluster's store has it: desired state, the same whichever agent is asked. Id: its name. */
export const hostSchema = z.looseObject({
  name: nameSchema,
  /** Its address on each plane. `mgmt` is where its agent answers. */
  addresses: z.looseObject({ mgmt: ipv4Schema, storage: ipv4Schema.optional(), tenant: ipv4Schema.optional() }),
  /** `voter` runs an etcd member, `client` only uses the store. */
  role: z.enum(['voter', 'client']),
  joinedAtMs: wallMsSchema,
})
export type Host = z.infer<typeof hostSchema>

/** What a host says of itself, refreshed by its monitor module. Id: the host's name. */
export const factsSchema = z.looseObject({
  host: nameSchema,
  os: z.looseObject({ name: z.string(), version: z.string(), kernel: z.string() }),
  cpu: z.looseObject({ model: z.string(), cores: z.number().int().positive() }),
  memoryBytes: z.number().int().nonnegative(),
  bootedAtMs: wallMsSchema,
  /** Versions of the programs that the modules use; a missing one is left out. */
  packages: z.record(z.string(), z.string()),
})
export type Facts = z.infer<typeof factsSchema>
