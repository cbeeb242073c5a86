import { z } from 'zod'
import { nameSchema } from '../../model/common.ts'
import { taskSchema } from '../../model/task.ts'
import { procedure } from '../base.ts'

/** A host to go through first. Its own host key must be pinned already (`acceptKey`). */
export const sshJumpSchema = z.object({
  address: z.string(),
  port: z.number().int().default(22),
  user: z.string().default('root'),
  keyPath: z.string(),
})

/** How to reach a host by SSH. Secrets live for the call only and are never stored or logged. */
export const sshTargetSchema = z.object({
  address: z.string().min(1).max(255),
  port: z.number().int().min(1).max(65_535).default(22),
  user: z.string().min(1).max(64).default('root'),
  auth: z.discriminatedUnion('type', [
    z.object({ type: z.literal('password'), password: z.string().max(1024) }),
    /** A key file on the laptop. */
    z.object({ type: z.literal('key'), path: z.string(), passphrase: z.string().max(1024).optional() }),
    /** The SSH agent at SSH_AUTH_SOCK. */
    z.object({ type: z.literal('agent') }),
  ]),
  /** Reached through this host first; same rules. */
  jump: sshJumpSchema.optional(),
})
export type SshTarget = z.infer<typeof sshTargetSchema>

export const hostContract = {
  /** The host key that a server shows, before anything is sent to it, and whether it is the pinned one. */
  hostKey: procedure
    .input(z.object({ address: z.string(), port: z.number().int().default(22), jump: sshJumpSchema.optional() }))
    .output(z.object({ algorithm: z.string(), fingerprint: z.string(), pinned: z.enum(['yes', 'no', 'changed']) })),
  /** Pins the host key that a person compared and accepts, also in place of another one. The only way past `host-key-changed`. */
  acceptKey: procedure
    .input(z.object({ address: z.string(), port: z.number().int().default(22), fingerprint: z.string(), jump: sshJumpSchema.optional() }))
    .output(z.object({})),
  /** Starts a `host-install` task. `fingerprint` is the host key that the person accepted. */
  add: procedure
    .input(
      z.object({
        name: nameSchema,
        target: sshTargetSchema,
        /** May be left out where the key is pinned already. */
        fingerprint: z.string().optional(),
        addresses: z.object({ mgmt: z.string(), storage: z.string().optional(), tenant: z.string().optional() }),
        /** Given for the first host of a new cluster; without it the host joins the current one. */
        newCluster: z.object({ name: nameSchema, clusterIp: z.cidrv4().optional() }).optional(),
      }),
    )
    .output(taskSchema),
  remove: procedure.input(z.object({ name: nameSchema })).output(taskSchema),
  /** Starts a `host-upgrade` task: the laptop's agent version, module by module. */
  upgrade: procedure.input(z.object({ name: nameSchema, version: z.string().optional() })).output(taskSchema),
}
