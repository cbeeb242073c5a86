import { z } from 'zod'
import { broadcastHostSchema, broadcastNodeSchema, vipStateSchema } from './broadcast.ts'
import { clusterSchema, memberSchema, pathSchema } from './cluster.ts'
import { wallMsSchema } from './common.ts'
import { eventSchema } from './event.ts'
import { diskSchema, neighbourSchema, nicSchema } from './hardware.ts'
import { factsSchema, hostSchema } from './host.ts'
import { moduleSchema } from './module.ts'
import {
  aclSchema,
  forwardingSchema,
  networkHostSchema,
  networkSchema,
  overlaySchema,
  peeringSchema,
  portSchema,
  routerSchema,
  vipSchema,
  vpcSchema,
} from './network.ts'

/** Documents that agents report, by kind. Adding a kind here is all that the wire, the inventory and the search need. */
export const entitySchemas = {
  cluster: clusterSchema,
  member: memberSchema,
  path: pathSchema,
  host: hostSchema,
  facts: factsSchema,
  nic: nicSchema,
  disk: diskSchema,
  neighbour: neighbourSchema,
  module: moduleSchema,
  event: eventSchema,
  overlay: overlaySchema,
  vpc: vpcSchema,
  network: networkSchema,
  router: routerSchema,
  peering: peeringSchema,
  acl: aclSchema,
  port: portSchema,
  forwarding: forwardingSchema,
  networkHost: networkHostSchema,
  vip: vipSchema,
  vipState: vipStateSchema,
  broadcastNode: broadcastNodeSchema,
  broadcastHost: broadcastHostSchema,
} as const

export type EntityKind = keyof typeof entitySchemas
export const entityKinds = Object.keys(entitySchemas) as EntityKind[]
export type EntityDocs = { [K in EntityKind]: z.infer<(typeof entitySchemas)[K]> }

/** A document with its envelope. `atMs` is when its reporter last changed it, by the reporter's wall clock. */
export type Entity = { [K in EntityKind]: { kind: K; id: string; atMs: number; doc: EntityDocs[K] } }[EntityKind]

/** On the wire a kind that we do not know yet is let through, so that an older laptop survives a newer agent. */
export const entitySchema = z.looseObject({
  kind: z.string(),
  id: z.string(),
  atMs: wallMsSchema,
  doc: z.looseObject({}),
})

/** Parses an entity of a known kind; null for a kind or a shape that this version does not know. Unknown fields are kept. */
export function parseEntity(raw: unknown): Entity | null {
  const envelope = entitySchema.safeParse(raw)
  if (!envelope.success || !Object.hasOwn(entitySchemas, envelope.data.kind)) return null
  const kind = envelope.data.kind as EntityKind
  const doc = entitySchemas[kind].safeParse(envelope.data.doc)
  return doc.success ? ({ ...envelope.data, kind, doc: doc.data } as Entity) : null
}
