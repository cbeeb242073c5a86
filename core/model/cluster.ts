import { z } from 'zod'
import { ipv4Schema, liveStateSchema, nameSchema, planeSchema, wallMsSchema } from './common.ts'

/** The cluster as one agent sees it. Id: `cluster`. One document per reporting host. */
export const clusterSchema = z.looseObject({
  id: z.string(),
  name: nameSchema,
  clusterIp: ipv4Schema.optional(),
  /** Host that holds the leader key, or null: unknown or none. */
  leader: nameSchema.nullable(),
  /** Fencing epoch of that leadership: the store's revision that created the key. */
  leaderEpoch: z.number().int().nonnegative(),
  /** Whether this host could reach a majority of the store's members at its last try. */
  quorum: z.boolean(),
  /** Leaderships begun since the cluster was made. */
  elections: z.number().int().nonnegative(),
  /** Leader changes of etcd that this member counted since it started. */
  raftElections: z.number().int().nonnegative(),
})
export type Cluster = z.infer<typeof clusterSchema>

/** A member of the store (etcd). Id: its host's name. */
export const memberSchema = z.looseObject({
  host: nameSchema,
  memberId: z.string(),
  state: liveStateSchema,
  raftLeader: z.boolean(),
  version: z.string().optional(),
})
export type Member = z.infer<typeof memberSchema>

/** How `from` hears `to` on one plane: one cell of the matrix (feature M1), reported by `from`. Id: `from/to/plane`. */
export const pathSchema = z.looseObject({
  from: nameSchema,
  to: nameSchema,
  plane: planeSchema,
  state: liveStateSchema,
  sinceMs: wallMsSchema,
  /** Median one-way gap between heartbeats received, and how many were lost or refused since the module started. */
  lost: z.number().int().nonnegative(),
  replayed: z.number().int().nonnegative(),
  forged: z.number().int().nonnegative(),
  /** Wall clock of `to` minus that of `from`, as far as the delay on the way allows; absent until enough was heard. */
  clockOffsetMs: z.number().optional(),
})
export type Path = z.infer<typeof pathSchema>
