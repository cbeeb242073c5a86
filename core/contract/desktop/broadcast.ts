import { z } from 'zod'
import { ipv4Schema, macSchema, nameSchema } from '../../model/common.ts'
import { broadcastModes, ipSchema, vniSchema } from '../../model/network.ts'
import { procedure } from '../base.ts'

const count = z.number().int()
const instant = z.iso.datetime()

/** `vip show --json`. Lists are oldest first; `claimants` are all that announced it within the last seconds. */
export const vipDocSchema = z.object({
  name: nameSchema,
  network: nameSchema,
  ip: ipSchema,
  owner: z.object({ port: nameSchema, host: nameSchema, mac: macSchema, epoch: count, since: instant }).nullable(),
  /** Ports that may have it. */
  allowed: z.array(nameSchema),
  claimants: z.array(z.object({ port: nameSchema.nullable(), host: nameSchema.nullable(), mac: macSchema, at: instant })),
  /** Whether it moved so often that moves are held back. */
  damped: z.boolean(),
  refused: z.array(z.object({ port: nameSchema, at: instant, count })),
  /** Of a VIP that the platform drives: ports that cannot have it now. */
  unwell: z.array(z.object({ port: nameSchema, why: z.string() })).optional(),
  history: z.array(z.object({ from: nameSchema.nullable(), to: nameSchema.nullable(), at: instant, outageMs: count.nullable() })),
})
export type VipDoc = z.infer<typeof vipDocSchema>

/** `vip list --json`. */
export const vipListSchema = z.array(vipDocSchema)

const nodeSchema = z.object({
  host: nameSchema,
  /** `degraded`: it replicates, in the slower way or with problems. */
  state: z.enum(['up', 'degraded', 'down', 'unknown']),
  way: z.enum(['xdp', 'tc', 'packet']).nullable(),
  /** Why it is not `xdp`, which few NICs can; nothing is wrong with it. */
  notFasterBecause: z.string().nullable(),
  problems: z.array(z.string()),
  replicator: ipv4Schema,
  holdsClusterAddress: z.boolean(),
  copiesPerSecond: z.number(),
  /** Lists of members that were written there since its module started. */
  membershipWrites: count,
  answeredArp: count,
  answeredBfd: count,
  /** Frames that came to nothing, of all networks, by reason. */
  dropped: z.record(z.string(), count),
})
export type BroadcastNodeDoc = z.infer<typeof nodeSchema>

/** A host with ports in a network. `nodes`: those that have it in their list. */
const memberSchema = z.object({ host: nameSchema, ip: ipv4Schema.nullable(), ports: count, nodes: z.array(nameSchema) })

const networkBroadcastSchema = z.object({
  name: nameSchema,
  vni: vniSchema,
  mode: z.enum(broadcastModes),
  /** The node that its frames go to while that is well; null in mode `source`, and where there is no node. */
  node: nameSchema.nullable(),
  members: z.array(memberSchema),
  /** Counts of all nodes together. */
  frames: count,
  copies: count,
  bytes: count,
  failed: count,
  dropped: z.record(z.string(), count),
  copiesPerSecond: z.number(),
})
export type NetworkBroadcast = z.infer<typeof networkBroadcastSchema>

/** What a host with our agent sees of the cluster, and what members cost it. */
const watcherSchema = z.object({
  host: nameSchema,
  /** The replicators that it watches with BFD; `unknown`: what it saw last is old. `flaps`: how often each fell silent since its switch started. */
  watches: z.array(z.object({ host: nameSchema, as: z.enum(['node', 'gateway']), state: z.enum(['up', 'down', 'unknown']), flaps: count })),
  /**
   * How often a flow there came to send broadcast to the other hosts in another way since its module started: by a change of members in mode
   * `source`, never in the others, and by a change of the mode or of the nodes. Null: not known.
   */
  flowsChanged: count.nullable(),
})
export type BroadcastWatcher = z.infer<typeof watcherSchema>

/** The broadcast cluster and what it does for each network. */
export const broadcastDocSchema = z.object({
  clusterAddress: z.object({ ip: ipv4Schema, heldBy: z.array(nameSchema) }).nullable(),
  /** Of the declared set of nodes, by which networks are spread over them: rises with every change of it. Null: not known. */
  epoch: count.nullable(),
  nodes: z.array(nodeSchema),
  /** Those that send by it. */
  hosts: z.array(watcherSchema),
  networks: z.array(networkBroadcastSchema),
})
export type BroadcastDoc = z.infer<typeof broadcastDocSchema>

const ageSchema = z.object({ asOf: instant.nullable(), ageMs: z.number().nonnegative().nullable() })

/** `broadcast status --json`. `ageMs` is the age of the oldest answer that it is made of. */
export const broadcastStatusSchema = broadcastDocSchema.extend(ageSchema.shape)
export type BroadcastStatus = z.infer<typeof broadcastStatusSchema>

/** `broadcast members NETWORK --json`. */
export const broadcastMembersSchema = networkBroadcastSchema.pick({ name: true, vni: true, mode: true, node: true, members: true })

const sources = z.object({ offline: z.boolean().default(false) })

/** Broadcast and floating addresses as the inventory has them; agents are asked first, unless `offline`. */
export const broadcastContract = {
  status: procedure.input(sources).output(broadcastStatusSchema),
  vips: procedure.input(sources).output(ageSchema.extend({ vips: vipListSchema })),
}
