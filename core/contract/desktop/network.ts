import { z } from 'zod'
import { nameSchema } from '../../model/common.ts'
import { virtualNetworkSchema } from '../../model/network.ts'
import { dropReasonSchema, traceModeSchema, traceRequestSchema, traceResultSchema } from '../../model/trace.ts'
import { dropsSchema, failoverSchema, hostPlacementSchema, networkChangeSchema } from '../agent/network.ts'
import { procedure } from '../base.ts'

/** A declaration of the virtual network in YAML. */
const declaration = z.object({ declaration: z.string().max(640 * 1024), prune: z.boolean().default(false) })

/** The same where there may be none. */
const planned = { declaration: declaration.shape.declaration.optional(), prune: declaration.shape.prune }

/** `plan -f FILE --json`. `revision`: of the network that it starts from; `offline`: that is the one this laptop saw last. */
export const networkPlanSchema = z.object({ revision: z.number().int(), offline: z.boolean(), changes: z.array(networkChangeSchema) })
export type NetworkPlanDoc = z.infer<typeof networkPlanSchema>

/** `apply -f FILE --json`. Hosts that lag behind `revision` are those whose own revision is lower; none were waited for with `wait` false. */
export const networkAppliedSchema = z.object({
  revision: z.number().int(),
  changes: z.array(networkChangeSchema),
  hosts: z.array(hostPlacementSchema),
})
export type NetworkApplied = z.infer<typeof networkAppliedSchema>

const reachSchema = z.object({ reason: dropReasonSchema.nullable(), object: z.string().nullable() })

/**
 * `reachability VPC --json`: who reaches whom. Ports that nothing tells apart are one class; `cells[a][b]` is the index in `reaches` of what
 * holds from a port of class `a` to another of class `b`; there the reason is null for pairs that reach each other. `plan`: what the given
 * declaration would change, at most 1,000 pairs by name.
 */
export const reachabilitySchema = z.object({
  ports: z.array(z.object({ name: z.string(), classNumber: z.number().int() })),
  reaches: z.array(reachSchema),
  cells: z.array(z.array(z.number().int())),
  plan: z
    .object({
      lost: z.number().int(),
      gained: z.number().int(),
      pairs: z.array(z.object({ from: z.string(), to: z.string(), before: reachSchema, after: reachSchema })),
    })
    .nullable(),
})
export type ReachabilityDoc = z.infer<typeof reachabilitySchema>

const hostDropsSchema = z.looseObject({ host: nameSchema, failure: z.string().nullable(), drops: dropsSchema.nullable() })
export type HostDrops = z.infer<typeof hostDropsSchema>

export const networkContract = {
  /** The virtual network: from an agent, or as this laptop saw it last when none answers. */
  get: procedure.output(z.object({ revision: z.number().int(), offline: z.boolean(), network: virtualNetworkSchema })),
  /** The same as a declaration. */
  export: procedure.output(z.object({ declaration: z.string() })),
  /** What `apply` would do. Errors: `bad-input` with `data.problems`, each with line, path and remedy. */
  plan: procedure.input(declaration).output(networkPlanSchema),
  /** Makes it so, in one revision, and waits until every host with ports has it in place, at most `waitMs`. `revision`: the plan's. */
  apply: procedure
    .input(declaration.extend({ revision: z.number().int().optional(), waitMs: z.number().int().min(0).max(120_000).default(30_000) }))
    .output(networkAppliedSchema),
  /** Has a host's other virtual switch forward from now on; see the agent's `failover`. */
  failover: procedure.input(z.object({ host: nameSchema })).output(failoverSchema),
  /** What the switches of all hosts, or of one, have dropped; of a host that does not answer, why. */
  drops: procedure.input(z.object({ host: nameSchema.optional() })).output(z.object({ hosts: z.array(hostDropsSchema) })),
  /** Where a packet goes, and why it goes no further. `declaration`: on that plan, as if it were applied with `prune` or without (simulated only). */
  trace: procedure.input(traceRequestSchema.extend({ mode: traceModeSchema.default('both'), ...planned })).output(traceResultSchema),
  /** All pairs of a VPC's ports, simulated, and with `declaration` the difference that it would make. */
  reachability: procedure
    .input(
      z.object({
        vpc: nameSchema,
        proto: traceRequestSchema.shape.proto,
        dport: traceRequestSchema.shape.dport,
        ...planned,
      }),
    )
    .output(reachabilitySchema),
}
