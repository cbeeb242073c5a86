import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { announcementSchema, driftSchema, refusedClaimSchema, vipOwnerSchema } from '../../core/model/broadcast.ts'
import { nameSchema, wallMsSchema } from '../../core/model/common.ts'
import type { VipRecord } from '../../core/net/broadcast/claims.ts'
import type { Masters } from '../../core/net/broadcast/masters.ts'
import type { MemberHealth } from '../../core/net/broadcast/platform-vip.ts'
import { tunnelEndSchema, virtualNetworkSchema, type VirtualNetwork } from '../../core/model/network.ts'

/**
 * Where the network module keeps what in the store. Apart from the cluster's prefix, which every cluster module watches. The virtual network
 * lies in parts; every change of it writes those that differ, and the root, in one transaction. So the root's revision is that of the whole
 * network, and whoever reads at one revision, or takes all news of one, never sees half of a change.
 */
export const networkKeys = {
  prefix: '/holdfast-network/',
  /** The root: part of the network like the others, and a prefix of their keys. */
  desired: '/holdfast-network/desired',
  part: (number: number) => `/holdfast-network/desired/${number}`,
  /** Where a host's tunnels end, written by itself. */
  end: (host: string) => `/holdfast-network/ends/${host}`,
  ends: '/holdfast-network/ends/',
  /** What a host has in place, written by itself. */
  placed: (host: string) => `/holdfast-network/placed/${host}`,
  placedAll: '/holdfast-network/placed/',
  /** Where a floating address is. */
  vip: (name: string) => `/holdfast-network/vips/${name}`,
  vips: '/holdfast-network/vips/',
  /** Claims to floating addresses that a host has refused its ports, written by itself. */
  refused: (host: string) => `/holdfast-network/refused/${host}`,
  refusedAll: '/holdfast-network/refused/',
  /** What a host has found of the members of VIPs that the platform drives, written by itself; bound to a lease of its. */
  health: (host: string) => `/holdfast-network/health/${host}`,
  healthAll: '/holdfast-network/health/',
  /** Which masters of VIPs' virtual routers a node hears, written by itself; bound to a lease of its. */
  masters: (host: string) => `/holdfast-network/masters/${host}`,
  mastersAll: '/holdfast-network/masters/',
  /** Which broadcast node answers for the cluster's address; bound to a lease of its. */
  clusterAddress: '/holdfast-network/broadcast-cluster-address',
} as const

/** Whether a key holds a part of the virtual network. */
export function isPartKey(key: string): boolean {
  return key === networkKeys.desired || key.startsWith(`${networkKeys.desired}/`)
}

/** Some of the virtual network's objects, and in the root the numbers given last. */
export type NetworkPart = Partial<VirtualNetwork>

/** A part as it is stored: JSON, gzipped, in base64. The single part of format 1 was the whole network. */
const partDocSchema = z.looseObject({ format: z.literal([1, 2]), gzip: z.base64() })
const { hosts, vips } = virtualNetworkSchema.shape
// Without defaults for what a part does not have: it would differ from what was written.
const partSchema = virtualNetworkSchema.extend({ hosts: hosts.unwrap(), vips: vips.unwrap() }).partial()

/** What one host has in place. `revision` is that of the desired network's last change. */
export const placedDocSchema = z.looseObject({ revision: z.number().int().nullable(), problems: z.array(z.string()) })
export type PlacedDoc = z.infer<typeof placedDocSchema>
export const endDocSchema = tunnelEndSchema

export const vipRecordSchema: z.ZodType<VipRecord> = z.looseObject({
  owner: vipOwnerSchema
    .omit({ epoch: true })
    .extend({ unannounced: z.literal(true).optional() })
    .nullable(),
  claimants: z.array(announcementSchema),
  history: z.array(driftSchema),
})
/** By VIP. */
export const refusedDocSchema = z.record(z.string(), z.array(refusedClaimSchema))
export type RefusedDoc = z.infer<typeof refusedDocSchema>
/** By VIP and port. */
export const healthDocSchema: z.ZodType<HealthDoc> = z.record(
  z.string(),
  z.record(
    z.string(),
    z.looseObject({ well: z.boolean(), sinceMs: wallMsSchema, why: z.string().nullable(), lastWellAtMs: wallMsSchema.nullable() }),
  ),
)
export type HealthDoc = Record<string, Record<string, MemberHealth>>
/** By VIP. */
export const mastersDocSchema: z.ZodType<Masters> = z.record(
  z.string(),
  z.array(announcementSchema.extend({ port: nameSchema, router: z.number().int() })),
)
export const clusterAddressDocSchema = z.looseObject({ host: nameSchema })

/** No more is unpacked, whatever somebody has put there. */
const maxPartJsonBytes = 64 * 1024 * 1024

export function encodePart(part: NetworkPart): { format: number; gzip: string } {
  return { format: 2, gzip: gzipSync(JSON.stringify(part)).toString('base64') }
}

/** Throws `internal` for something that is no part of a virtual network, e.g. of a later version. */
export function decodePart(value: unknown): NetworkPart {
  try {
    const { gzip } = partDocSchema.parse(value)
    return partSchema.parse(JSON.parse(gunzipSync(Buffer.from(gzip, 'base64'), { maxOutputLength: maxPartJsonBytes }).toString()))
  } catch (cause) {
    throw new HoldfastError(
      'internal',
      'The virtual network in the store cannot be read by this version',
      'Upgrade this host to the version that wrote it.',
      {},
      { cause },
    )
  }
}
