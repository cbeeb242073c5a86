import { z } from 'zod'
import { ipv4Schema, macSchema, nameSchema, wallMsSchema } from './common.ts'
import { ipSchema, tunnelEndSchema, vniSchema } from './network.ts'

/** What agents report of the broadcast cluster and of floating addresses. */

const count = z.number().int()

/** An address was announced from a place, as a broadcast node or a host that received the copy saw it. */
export const announcementSchema = z.looseObject({
  network: nameSchema,
  ip: ipSchema,
  mac: macSchema,
  /** The port with that MAC or, of a VRRP MAC, the one of the VIP that is on `host`; null: no port that is known. */
  port: nameSchema.nullable(),
  /** Host that the frame came from; null: its underlay address is nobody's. */
  host: nameSchema.nullable(),
  atMs: wallMsSchema,
})
export type Announcement = z.infer<typeof announcementSchema>

/** What a node does for one network. Counts are since it got members there. */
export const replicationSchema = z.looseObject({
  network: nameSchema,
  vni: vniSchema,
  /** Hosts that get copies. */
  members: z.array(z.looseObject({ host: nameSchema, ip: ipv4Schema })),
  frames: count,
  copies: count,
  bytes: count,
  /** Copies that could not be sent. */
  failed: count,
  /** Frames that came to nothing, by reason. */
  dropped: z.record(z.string(), count),
  /** Over the last period. */
  copiesPerSecond: z.number(),
})
export type Replication = z.infer<typeof replicationSchema>

/** A node of the broadcast cluster. Id: the host's name. */
export const broadcastNodeSchema = z.looseObject({
  host: nameSchema,
  /** `tc`: a program in the kernel. `xdp`: the same, in the NIC's driver. `packet`: the agent itself, slower. Null: it does not replicate. */
  way: z.enum(['xdp', 'tc', 'packet']).nullable(),
  /** Why it is not `xdp`, which few NICs can; nothing is wrong with it. */
  notFasterBecause: z.string().nullable().optional(),
  /** What is wrong, or why it is the slower way, in a sentence each. */
  problems: z.array(z.string()),
  /** Where hosts send what it is to replicate. */
  replicator: tunnelEndSchema,
  /** The cluster's own address, and whether it is answered for here. */
  clusterEnd: tunnelEndSchema,
  holdsClusterAddress: z.boolean(),
  /** Lists of members that were written here since the module started. */
  membershipWrites: count,
  networks: z.array(replicationSchema),
  /** Frames at the NIC, by what became of them; see `TotalCounters`. */
  answeredArp: count,
  answeredBfd: count,
  droppedInAll: z.record(z.string(), count),
  /** The newest, oldest first. */
  announcements: z.array(announcementSchema),
  changedAtMs: wallMsSchema,
})
export type BroadcastNode = z.infer<typeof broadcastNodeSchema>

/** A replicator that a host watches with BFD, from ovs-vswitchd's own counters. */
const watchSchema = z.looseObject({
  /** The host that is watched. */
  host: nameSchema,
  /** What it is watched as: broadcast goes by the nodes that live, VLANs by the gateways. A host that is both is watched twice. */
  as: z.enum(['node', 'gateway']),
  up: z.boolean(),
  /** How often it fell silent since the switch that forwards was started. */
  flaps: count,
})

/** What a host, node or not, has to do with the broadcast cluster. Id: the host's name. */
export const broadcastHostSchema = z.looseObject({
  host: nameSchema,
  watches: z.array(watchSchema),
  /** How often, since the module started, a flow came to send broadcast to the other hosts in another way than before; absent: not counted. */
  flowsChanged: count.optional(),
})
export type BroadcastHost = z.infer<typeof broadcastHostSchema>

/** Where a floating address is. */
export const vipOwnerSchema = z.looseObject({
  port: nameSchema,
  host: nameSchema,
  /** MAC that it was announced with. */
  mac: macSchema,
  /** Store revision at which it came here: the later of two claims has the higher one. */
  epoch: count,
  sinceMs: wallMsSchema,
})
export type VipOwner = z.infer<typeof vipOwnerSchema>

/** A move of a floating address. */
export const driftSchema = z.looseObject({
  from: nameSchema.nullable(),
  to: nameSchema.nullable(),
  atMs: wallMsSchema,
  /** From the last sign of life of the old owner to the announcement of the new one (of none, until it was taken from the old one); null where none was seen. */
  outageMs: count.nullable(),
})
export type Drift = z.infer<typeof driftSchema>

/** Claims by a port that may not have the address, dropped at that port. */
export const refusedClaimSchema = z.looseObject({ port: nameSchema, atMs: wallMsSchema, count })
export type RefusedClaim = z.infer<typeof refusedClaimSchema>

/** What becomes of a VIP. Id: its name. The cluster's leader reports it. */
export const vipStateSchema = z.looseObject({
  name: nameSchema,
  owner: vipOwnerSchema.nullable(),
  /** Ports that advertise themselves as master of one and the same virtual router, and not because one hands over to another; else empty. */
  claimants: z.array(announcementSchema),
  /** Whether it moved so often that moves are held back. */
  damped: z.boolean(),
  refused: z.array(refusedClaimSchema),
  /** Of a VIP that the platform drives: the ports that cannot have it now. */
  unwell: z.array(z.looseObject({ port: nameSchema, why: z.string() })).optional(),
  /** Oldest first. */
  history: z.array(driftSchema),
})
export type VipState = z.infer<typeof vipStateSchema>
