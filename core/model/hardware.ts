import { z } from 'zod'
import { liveStateSchema, macSchema, nameSchema, planeSchema, wallMsSchema } from './common.ts'

/** A network interface of a host. Id: `host/name`. */
export const nicSchema = z.looseObject({
  host: nameSchema,
  name: z.string(),
  /** The plane whose address it carries, if any. */
  plane: planeSchema.optional(),
  mac: macSchema,
  addresses: z.array(z.string()),
  state: liveStateSchema,
  mtuBytes: z.number().int().positive(),
  /** Absent where the driver does not tell (virtual devices). */
  speedMbps: z.number().int().positive().optional(),
})
export type Nic = z.infer<typeof nicSchema>

/** A disk of a host. Id: `host/name`. */
export const diskSchema = z.looseObject({
  host: nameSchema,
  name: z.string(),
  sizeBytes: z.number().int().nonnegative(),
  model: z.string().optional(),
  serial: z.string().optional(),
  rotational: z.boolean().optional(),
  /** SMART's overall verdict; `unknown` where the disk or smartctl cannot tell. */
  health: z.enum(['ok', 'failing', 'unknown']),
})
export type Disk = z.infer<typeof diskSchema>

/** What one NIC hears by LLDP (IEEE 802.1AB), or heard last. Id: `host/nic`. */
export const neighbourSchema = z.looseObject({
  host: nameSchema,
  nic: z.string(),
  chassisId: z.string(),
  /** System name of the neighbour; switches and links are known from here alone. */
  systemName: z.string(),
  portId: z.string(),
  portDescription: z.string().optional(),
  /** IP addresses at which it says that it is managed. */
  managementAddresses: z.array(z.string()).optional(),
  /** When LLDP lost it; absent while it is heard. A lost neighbour is remembered, so that a cut cable stays on the picture. */
  lostAtMs: wallMsSchema.optional(),
})
export type Neighbour = z.infer<typeof neighbourSchema>
