import { z } from 'zod'
import { nameSchema } from '../../core/model/common.ts'
import { hostSchema } from '../../core/model/host.ts'

/** Where the cluster module keeps what in the store. Everything of Holdfast lies under one prefix. */
export const keys = {
  prefix: '/holdfast/',
  leader: '/holdfast/leader',
  election: '/holdfast/election',
  host: (name: string) => `/holdfast/hosts/${name}`,
  hosts: '/holdfast/hosts/',
  joinToken: (hash: string) => `/holdfast/join-tokens/${hash}`,
  clusterCa: '/holdfast/pki/ca',
  storeCa: '/holdfast/pki/store-ca',
  revoked: (id: string) => `/holdfast/revoked/${id}`,
  revokedAll: '/holdfast/revoked/',
  moveLeader: '/holdfast/move-leader',
  /** Written after each change of the store's members, so that every host asks for their list anew. */
  members: '/holdfast/members',
} as const

/** The leader key's value, see core/cluster/leadership.ts. */
export const leaderDocSchema = z.looseObject({ holder: nameSchema.nullable(), nominee: nameSchema.nullable().default(null) })

/** The election key's value: how many leaderships have begun. */
export const electionDocSchema = z.looseObject({ count: z.number().int().nonnegative(), host: nameSchema })

/** A host in the store: the model's document and what only hosts need. */
export const hostDocSchema = hostSchema.extend({
  /** It is to leave the cluster; the leader takes its member out, then this document. */
  leaving: z.boolean().default(false),
  storePeerPort: z.number().int(),
  storeClientPort: z.number().int(),
  heartbeatPort: z.number().int(),
  apiPort: z.number().int(),
  /** Tells this host from an earlier one of the same name: part of its heartbeats' keys. */
  incarnation: z.string(),
  /** Certificates issued to it and still in force, to be refused when it is removed. */
  certificates: z.array(z.looseObject({ serial: z.string(), notAfterMs: z.number() })).default([]),
})
export type HostDoc = z.infer<typeof hostDocSchema>

/** A join token; its key is the SHA-256 of the token, so that who reads the store cannot use it. */
export const joinTokenDocSchema = z.looseObject({
  host: nameSchema,
  expiresAtMs: z.number(),
  /** SHA-256 of the two requests that used it: only the same host may ask again, when it missed the answer. */
  usedBy: z.string().nullable(),
})

/** A CA, certificate and key in PEM. */
export const caDocSchema = z.looseObject({ certificatePem: z.string(), keyPem: z.string() })
export type CaDoc = z.infer<typeof caDocSchema>

/** Certificates of a removed host, refused until they have ended. */
export const revokedDocSchema = z.looseObject({ host: nameSchema, serials: z.array(z.string()), untilMs: z.number() })
export type RevokedDoc = z.infer<typeof revokedDocSchema>

/** Somebody asks the leader of `epoch` to hand leadership to `to`. */
export const moveLeaderDocSchema = z.looseObject({ to: nameSchema, epoch: z.number() })
