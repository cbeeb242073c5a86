import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { liveStateSchema, nameSchema, planeSchema } from '../../model/common.ts'
import { sampleSchema } from '../../model/sample.ts'
import { procedure } from '../base.ts'

/** What `inventory list` and the lists of the window accept. Plural, as people type them. */
export const listKinds = [
  'hosts', 'nics', 'disks', 'switches', 'links', 'members', 'modules', 'events', 'paths', 'tasks', 'audit',
  'vpcs', 'networks', 'routers', 'peerings', 'acls', 'ports', 'vips', 'forwarding',
] as const // prettier-ignore
export const listKindSchema = z.enum(listKinds)
export type ListKind = z.infer<typeof listKindSchema>

/** `status --json`. A host's row of planes holds what that host says of each other host. */
export const statusSchema = z.object({
  cluster: z.object({ name: z.string(), clusterIp: z.string().nullable(), leader: z.string().nullable(), quorum: z.boolean() }),
  hosts: z.array(
    z.object({
      name: nameSchema,
      state: liveStateSchema,
      planes: z.partialRecord(planeSchema, z.record(z.string(), liveStateSchema)),
      agent: z.object({ version: z.string().nullable(), modules: z.record(z.string(), z.string()) }),
    }),
  ),
  asOf: z.iso.datetime(),
})
export type Status = z.infer<typeof statusSchema>

/** `inventory list KIND --json`. `ageMs` is the age of the oldest answer the list is made of. */
export const listingSchema = z.object({
  kind: listKindSchema,
  asOf: z.iso.datetime().nullable(),
  ageMs: z.number().nonnegative().nullable(),
  items: z.array(z.looseObject({})),
})
export type Listing = z.infer<typeof listingSchema>

export const searchHitSchema = z.object({ kind: z.string(), id: z.string(), title: z.string(), detail: z.string() })
export type SearchHit = z.infer<typeof searchHitSchema>

/**
 * How fresh one source (a module of a host) is. `remembered`: it was heard by an earlier run of this program and not by this one, so
 * that its time is an age and no sign of life.
 */
export const sourceSchema = z.object({
  host: z.string(),
  module: z.string(),
  connected: z.boolean(),
  seenAtMs: z.number().nullable(),
  remembered: z.literal(true).optional(),
})

/** One document and who reported it: several hosts report the same `host` or `cluster` document, each its own copy. `laptop` reports tasks. */
const feedItemSchema = z.looseObject({ reporter: z.string(), kind: z.string(), id: z.string(), atMs: z.number(), doc: z.looseObject({}) })

/** What the window lives on: first everything, then changes. Documents are told apart by reporter, kind and id together. */
export const feedFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), rev: z.number(), nowMs: z.number(), items: z.array(feedItemSchema), sources: z.array(sourceSchema) }),
  z.object({
    type: z.literal('delta'),
    rev: z.number(),
    nowMs: z.number(),
    puts: z.array(feedItemSchema),
    dels: z.array(z.object({ reporter: z.string(), kind: z.string(), id: z.string() })),
    sources: z.array(sourceSchema),
  }),
])
export type FeedFrame = z.infer<typeof feedFrameSchema>

export const inventoryContract = {
  status: procedure.output(statusSchema),
  list: procedure.input(z.object({ kind: listKindSchema, offline: z.boolean().default(false) })).output(listingSchema),
  search: procedure
    .input(z.object({ query: z.string().max(200), limit: z.number().int().min(1).max(200).default(50) }))
    .output(z.array(searchHitSchema)),
  /** Frames carry `Entity` kinds plus `task`. A delta at least every second while anything's age matters (with empty `puts` if nothing changed). */
  feed: procedure.output(eventIterator(feedFrameSchema)),
  /** Stored samples of a host since a time, then live ones. */
  samples: procedure.input(z.object({ host: nameSchema, sinceMs: z.number().nonnegative() })).output(eventIterator(z.array(sampleSchema))),
  /** Positions of topology nodes, by node id, kept so that nobody moves when somebody comes. */
  positions: procedure.output(z.record(z.string(), z.object({ x: z.number(), y: z.number() }))),
  savePositions: procedure.input(z.record(z.string(), z.object({ x: z.number(), y: z.number() }))).output(z.object({})),
}
