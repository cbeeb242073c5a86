import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { nameSchema } from '../../model/common.ts'
import { ipSchema, virtualNetworkSchema } from '../../model/network.ts'
import { procedure } from '../base.ts'
import { syncContract } from './sync.ts'

/** A declaration in YAML; see core/net/declaration. Reading one takes 5 s a MiB, and an agent must never be silent for as long. */
const declaration = z.string().max(640 * 1024)

/** One object that a plan adds, changes or deletes. `fields`: what changes of it, before and after. */
export const networkChangeSchema = z.looseObject({
  change: z.enum(['add', 'change', 'delete']),
  kind: z.string(),
  name: z.string(),
  fields: z.array(z.looseObject({ field: z.string(), before: z.unknown(), after: z.unknown() })),
})
export type NetworkChangeDoc = z.infer<typeof networkChangeSchema>

/** How far one host is: the store revision of the virtual network that is in place on it, and what hinders it. */
export const hostPlacementSchema = z.looseObject({ host: nameSchema, revision: z.number().int().nullable(), problems: z.array(z.string()) })
export type HostPlacement = z.infer<typeof hostPlacementSchema>

/** Bytes as hexadecimal digits, two a byte. */
const hexSchema = z.string().regex(/^([0-9a-f]{2})*$/)

/** Where packets can be seen on a host: at the cable of a port, or on a NIC. */
export const tapPlaceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('port'), port: nameSchema }),
  z.object({ kind: z.literal('nic'), nic: z.string().regex(/^[^\s/]{1,15}$/) }),
])
export type TapPlace = z.infer<typeof tapPlaceSchema>

/** A place to tap, and which of its packets, in the syntax of pcap-filter(7). */
export const tapPointSchema = z.object({ id: z.string().max(128), place: tapPlaceSchema, filter: z.string().max(4096) })
export type TapPoint = z.infer<typeof tapPointSchema>

/** What taps tell: first that each is armed or why not, then packets, at the end what each has counted. */
export const tapEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('armed'), point: z.string(), failure: z.string().nullable() }),
  /** `atUs`: wall clock of the host, microseconds since the Unix epoch. `bytes`: length on the wire; `frame` may be cut. */
  z.object({ type: z.literal('packet'), point: z.string(), atUs: z.number(), bytes: z.number().int(), frame: hexSchema }),
  /** `lost`: packets that matched and that the kernel had no room for. */
  z.object({ type: z.literal('ended'), point: z.string(), captured: z.number().int(), lost: z.number().int().nullable() }),
])
export type TapEvent = z.infer<typeof tapEventSchema>

export const failoverSchema = z.looseObject({
  outageMs: z.number(),
  connectionsCut: z.number().int().nullable(),
  way: z.enum(['standby', 'restart']),
})
export type Failover = z.infer<typeof failoverSchema>

/** `/v1/network`: the virtual network of the cluster, and how this host forwards. */
export const networkContract = {
  sync: syncContract,
  /** The virtual network as it is to be, with its revision (0: nothing was ever declared). */
  get: procedure.route({ method: 'GET', path: '/desired' }).output(z.object({ revision: z.number().int(), network: virtualNetworkSchema })),
  /**
   * Makes the virtual network what is declared, in one revision of the store: adds and changes, and with `prune` deletes what is not
   * declared. `revision`: the one that the caller's plan was made for; `busy` when there is a later one. Errors: `bad-input` with
   * `data.problems`, each with line, path and remedy. Role operator.
   */
  apply: procedure
    .route({ method: 'POST', path: '/apply' })
    .input(z.object({ declaration, prune: z.boolean().default(false), revision: z.number().int().optional() }))
    .output(z.object({ revision: z.number().int(), changes: z.array(networkChangeSchema) })),
  /** What the hosts with ports say of a revision: answers when all have it in place, or after `waitMs` with who lags. */
  placement: procedure
    .route({ method: 'GET', path: '/placement' })
    .input(z.object({ revision: z.coerce.number().int(), waitMs: z.coerce.number().int().min(0).max(10_000).default(0) }))
    .output(z.object({ hosts: z.array(hostPlacementSchema) })),
  /**
   * Has the other ovs-vswitchd of this host forward from now on: what happens by itself when the one that forwards ends or hangs. Answers how
   * long nothing was forwarded at most, and how many connections conntrack forgot by it (null: unknown). `busy` while none stands ready.
   * Role operator.
   */
  failover: procedure.route({ method: 'POST', path: '/failover' }).output(failoverSchema),
  /** The flows that are really in this host's switch, a line each as ovs-ofctl(8) prints them without counters. */
  flows: procedure.route({ method: 'GET', path: '/flows' }).output(z.object({ flows: z.array(z.string()) })),
  /** Sends a frame into the switch as if a port had sent it. Role operator. */
  inject: procedure.input(z.object({ port: nameSchema, frame: hexSchema.max(20_000) })).output(z.object({ atUs: z.number() })),
  /** What the switch itself says that it would do with a frame: `ofproto/trace`, ovs-vswitchd(8). */
  explain: procedure.input(z.object({ port: nameSchema, frame: hexSchema.max(20_000) })).output(z.object({ text: z.string() })),
  /** Makes conntrack forget one connection in the zones of ports of this host, both directions. Role operator. */
  forget: procedure
    .input(
      z.object({
        ports: z.array(nameSchema).max(64),
        src: ipSchema,
        dst: ipSchema,
        protocol: z.number().int().min(0).max(255),
        /** Of TCP and UDP. */
        sport: z.number().int().min(0).max(65_535).optional(),
        dport: z.number().int().min(0).max(65_535).optional(),
        /** Of ICMP echo. */
        echoId: z.number().int().min(0).max(65_535).optional(),
      }),
    )
    .output(z.object({})),
  /**
   * Packets at several places at once, until the caller ends it, `ms` are over or `maxBytes` were sent. `swallow`: port whose guest is not
   * to get the packets of its point. A filter that is none is `bad-input` before anything is tapped. Role operator.
   */
  tap: procedure
    .input(
      z.object({
        points: z.array(tapPointSchema).min(1).max(64),
        ms: z.number().int().min(1).max(3_600_000),
        snapBytes: z.number().int().min(64).max(65_535).default(256),
        maxBytes: z.number().int().min(1).max(1_000_000_000).default(16_000_000),
        swallow: z.array(nameSchema).max(8).default([]),
      }),
    )
    .output(eventIterator(tapEventSchema)),
}
