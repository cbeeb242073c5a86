import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { deviceNameSchema } from '../../model/capture.ts'
import { nameSchema } from '../../model/common.ts'
import { ipSchema, virtualNetworkSchema } from '../../model/network.ts'
import { switchQuestionSchema, switchReadingSchema } from '../../model/switch-reading.ts'
import { dropReasonSchema } from '../../model/trace.ts'
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

/**
 * Where packets can be seen on a host: at the cable of a port, on a NIC, on the bridge (a mirror of it: each packet as it comes in,
 * before the switch does anything with it), or in the tunnels of a network (taken out of what the NIC carries; filters are for what is inside).
 */
export const tapPlaceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('port'), port: nameSchema }),
  /** `inside`: also packets that carry in a tunnel what the filter means. */
  z.object({ kind: z.literal('nic'), nic: deviceNameSchema, inside: z.boolean().optional() }),
  z.object({ kind: z.literal('bridge') }),
  z.object({ kind: z.literal('tunnel'), network: nameSchema }),
])
export type TapPlace = z.infer<typeof tapPlaceSchema>

/** A place to tap, and which of its packets, in the syntax of pcap-filter(7). */
export const tapPointSchema = z.object({ id: z.string().max(128), place: tapPlaceSchema, filter: z.string().max(4096) })
export type TapPoint = z.infer<typeof tapPointSchema>

/** What taps tell: first that each is armed or why not, then packets, at the end what each has counted. */
export const tapEventSchema = z.discriminatedUnion('type', [
  /** `device`: where its packets are seen. */
  z.object({ type: z.literal('armed'), point: z.string(), failure: z.string().nullable(), device: z.string().optional() }),
  /**
   * `atUs`: wall clock of the host, microseconds since the Unix epoch. `bytes`: length on the wire; `frame` may be cut. `lost`: at the point
   * since it was armed, as far as is known.
   */
  z.object({
    ...{ type: z.literal('packet'), point: z.string(), atUs: z.number(), bytes: z.number().int(), frame: hexSchema },
    lost: z.number().int().optional(),
  }),
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

/**
 * How a host forwards at this moment. `flows`: really in its switch, a line each as ovs-ofctl(8) prints
 * them without counters; null when it does not answer, and `problem` says why.
 * `nic`: the one that carries tunnels; null when the host has none of its name.
 */
export const lookSchema = z.object({
  flows: z.array(z.string()).nullable(),
  problem: z.string().nullable(),
  portsDown: z.array(nameSchema),
  nic: z.object({ name: z.string(), carrier: z.boolean(), mtuBytes: z.number().int() }).nullable(),
})
export type Look = z.infer<typeof lookSchema>

const frameSchema = hexSchema.max(20_000)

/** Where a frame enters the switch: from a guest, or out of a tunnel with these outer addresses. */
export const entrySchema = z.union([
  z.object({ port: nameSchema }),
  z.object({ tunnel: z.enum(['vxlan', 'gre']), vni: z.number().int(), src: ipSchema, dst: ipSchema }),
])
export type Entry = z.infer<typeof entrySchema>

/**
 * What a host's switch has dropped by reason and object (`kind/name`; null: none of the virtual network's), since the flows that did were put
 * in place; the most first. `errors`: packets that earned an ICMP error, and those of them that got none, to keep the rate of errors low.
 */
export const dropsSchema = z.looseObject({
  drops: z.array(z.looseObject({ reason: dropReasonSchema, object: z.string().nullable(), packets: z.number().int(), bytes: z.number().int() })),
  errors: z.looseObject({ earned: z.number().int(), suppressed: z.number().int() }),
})
export type Drops = z.infer<typeof dropsSchema>

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
  /** What this host's switch drops, and why. */
  drops: procedure.route({ method: 'GET', path: '/drops' }).output(dropsSchema),
  /** What a live trace starts from. Answers within a few seconds, whatever the switch does. */
  look: procedure.route({ method: 'GET', path: '/look' }).output(lookSchema),
  /** Sends a frame into the switch as if a port had sent it, or out of a NIC as the host itself sends. Role operator. */
  inject: procedure
    .input(z.union([z.object({ port: nameSchema, frame: frameSchema }), z.object({ nic: deviceNameSchema, frame: frameSchema })]))
    .output(z.object({ atUs: z.number() })),
  /** What the switch itself says that it would do with a frame: `ofproto/trace`, ovs-vswitchd(8). It does not ask conntrack. */
  explain: procedure.input(z.object({ entry: entrySchema, frame: frameSchema })).output(z.object({ text: z.string() })),
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
        /** Chosen by the caller, for `endTap`. */
        session: z.string().max(64).optional(),
      }),
    )
    .output(eventIterator(tapEventSchema)),
  /** Ends a tap before its time, in good order: what it has seen and counted still comes. One that there is not has ended already. Role operator. */
  endTap: procedure.input(z.object({ session: z.string().max(64) })).output(z.object({})),
  /**
   * What a switch says by SNMP of its ports and of where it has learned MACs. `switch`: its LLDP system name, or chassis id; it is asked where
   * this host itself hears by LLDP that it is managed, and at no other address. Throws `not-found` for one that it does not hear so,
   * `timeout` for one that does not answer within about a second. Role operator.
   */
  switchPorts: procedure.input(switchQuestionSchema.extend({ switch: z.string().min(1).max(255) })).output(switchReadingSchema),
  /** Checks a filter in the syntax of pcap-filter(7). `bad-input` with what is wrong with it. */
  checkFilter: procedure.input(z.object({ filter: z.string().max(4096) })).output(z.object({})),
  /** This host's wall clock in microseconds since the Unix epoch: when it was asked, and when it answered. */
  clock: procedure.output(z.object({ heardUs: z.number(), answeredUs: z.number() })),
}
