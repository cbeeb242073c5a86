import { z } from 'zod'
import { ipv4Schema, macSchema, nameSchema } from './common.ts'
import { ipv6Schema, vniSchema } from './network.ts'

/** Why a packet got no further. Those that flows give come from core/net/compile/cookie.ts; the others from what is known of the hosts. */
export const dropReasons = [
  'acl',
  'no-route',
  'port-security',
  'unknown-destination',
  'arp-unanswered',
  'ttl',
  'mtu',
  'wrong-vni',
  'link-down',
  'host-down',
  'vip-claim',
  'port-down',
  'switch-down',
  'flow-missing',
  'flow-altered',
  'nic-missing',
  'link-silent',
] as const
export const dropReasonSchema = z.enum(dropReasons)
export type DropReason = z.infer<typeof dropReasonSchema>

const portNumber = z.number().int().min(0).max(65_535)

/** What packet is traced. Everything that is not said is what the sender's own system would choose. */
export const traceRequestSchema = z.object({
  /** Name of the port that sends; `host:NAME`: the host itself, from its address on the plane that carries tunnels. */
  from: z.string().min(1).max(68),
  /** Address, or name of a port or VIP, that it is for; of a host that sends also `host:NAME`. Not needed with `frame`. */
  to: z.string().max(68).default(''),
  proto: z.union([z.enum(['icmp', 'tcp', 'udp', 'arp']), z.number().int().min(0).max(255)]).default('icmp'),
  sport: portNumber.optional(),
  dport: portNumber.optional(),
  ttl: z.number().int().min(0).max(255).optional(),
  /** Length of the IP packet. */
  sizeBytes: z.number().int().min(20).max(9000).optional(),
  /** Other sources than the port's own, to see them refused. */
  sourceMac: macSchema.optional(),
  sourceIp: z.union([ipv4Schema, ipv6Schema]).optional(),
  /** The very frame to send, Ethernet header first, hexadecimal: then nothing else that is said of the packet counts. */
  frame: z
    .string()
    .regex(/^([0-9a-f]{2}){14,9014}$/)
    .optional(),
  /** Sent for real, it may reach what listens at the receiver; else it is kept from there, or not sent where it cannot be. */
  deliver: z.boolean().optional(),
})
export type TraceRequest = z.infer<typeof traceRequestSchema>

export const traceModeSchema = z.enum(['live', 'simulated', 'both'])
export type TraceMode = z.infer<typeof traceModeSchema>

/**
 * One device that the packet passes. Evidence: `seen` (a tap saw it there, or the switch says so by SNMP), `computed` (from flows),
 * `inferred` (it lies between two that saw it).
 */
export const traceHopSchema = z.looseObject({
  n: z.number().int().positive(),
  leg: z.enum(['forward', 'return']),
  evidence: z.enum(['seen', 'computed', 'inferred']),
  kind: z.enum(['virtual', 'physical']),
  /** Host or switch that the device is in. */
  host: z.string(),
  device: z.string(),
  in: z.string().nullable(),
  out: z.string().nullable(),
  /** What was done, in a word. */
  action: z.string(),
  /** The same in a sentence, with the objects by name. */
  detail: z.string(),
  /** Objects behind it, as `kind/name`. */
  objects: z.array(z.string()),
  /** Cookies of the flows that it hit, in order. */
  cookies: z.array(z.string()),
  /** These flows, in the words of ovs-ofctl(8): of a live trace, those that are really in the switch. Absent where a device has none. */
  flows: z
    .array(z.object({ table: z.number().int(), priority: z.number().int(), cookie: z.string(), match: z.string(), actions: z.string() }))
    .optional(),
  /** Of a broadcast node: the network's VNI, the hosts that it sends copies to, and how many these are. */
  replication: z.object({ vni: vniSchema, members: z.array(nameSchema), copies: z.number().int() }).optional(),
  /** What this host's switch itself says that it would do with that very frame: `ofproto/trace`, ovs-vswitchd(8). Live traces only. */
  explanation: z.string().optional(),
})
export type TraceHop = z.infer<typeof traceHopSchema>

/** Where a packet ended, why, the object at fault as `kind/name` (a link by both its ends), and what to do. */
export const traceDropSchema = z.looseObject({
  host: z.string(),
  device: z.string(),
  reason: dropReasonSchema,
  object: z.string().nullable(),
  hint: z.string(),
})
export type TraceDrop = z.infer<typeof traceDropSchema>

/** One copy of a packet that goes to many, and what became of it. */
export const traceCopySchema = z.looseObject({
  /** Where it goes: the host, and the port if it is for one that is known by now. */
  host: nameSchema,
  port: nameSchema.nullable(),
  /** Number of the last of the trace's hops that it passes: there it parts from the copy that the trace follows. */
  after: z.number().int().positive(),
  /** Its own hops from there on; none of the copy that the trace follows. */
  hops: z.array(traceHopSchema),
  verdict: z.enum(['delivered', 'dropped', 'unknown']),
  drop: traceDropSchema.nullable(),
  limit: z.string().nullable(),
})
export type TraceCopy = z.infer<typeof traceCopySchema>

/** `unknown` names in `limit` the last place seen and what could not be observed beyond it. */
export const traceResultSchema = z.looseObject({
  verdict: z.enum(['delivered', 'dropped', 'unknown']),
  mode: traceModeSchema,
  hops: z.array(traceHopSchema),
  /** Every copy of a packet to many on its way there; `hops` follow the one that tells most. */
  copies: z.array(traceCopySchema).optional(),
  drop: traceDropSchema.nullable(),
  limit: z.string().nullable(),
  rttMs: z.number().nullable(),
  /** Of a live trace, the very frame that was sent, hexadecimal. */
  sent: z.string().optional(),
})
export type TraceResult = z.infer<typeof traceResultSchema>
