import { z } from 'zod'
import { liveStateSchema, nameSchema, planeSchema, wallMsSchema } from './common.ts'

/** A switch as its neighbours report it. Id: its LLDP system name. Derived, see `core/topology`. */
export const switchSchema = z.looseObject({
  name: z.string(),
  chassisId: z.string(),
  ports: z.array(z.looseObject({ id: z.string(), description: z.string().optional() })),
})
export type Switch = z.infer<typeof switchSchema>

/** A cable: one end at a host's NIC, the other at a switch's port. Id: `host/nic--switch/port`. Derived, see `core/topology`. */
export const linkSchema = z.looseObject({
  host: nameSchema,
  nic: z.string(),
  plane: planeSchema.optional(),
  switch: z.string(),
  port: z.string(),
  state: liveStateSchema,
  /** When LLDP last confirmed it; a link that is down is remembered from here. */
  seenAtMs: wallMsSchema,
})
export type Link = z.infer<typeof linkSchema>
