import { z } from 'zod'
import { procedure } from '../base.ts'
import { sshTargetSchema } from './host.ts'

/** A cluster that this laptop knows. */
export const contextSchema = z.looseObject({
  name: z.string(),
  /** `host:port` of agents to try, mgmt addresses first. Empty for a recording. */
  endpoints: z.array(z.string()),
  current: z.boolean(),
  /** A recording is read-only and has no cluster behind it. */
  recording: z.boolean(),
})
export type ContextDoc = z.infer<typeof contextSchema>

export const contextContract = {
  /**
   * Makes a cluster known to this laptop that was made from another, or forgotten here: root of one of its hosts, by SSH, has this
   * laptop's new key certified as an administrator's. The host's key must be pinned, or accepted with `fingerprint`.
   */
  add: procedure.input(z.object({ target: sshTargetSchema, fingerprint: z.string().optional() })).output(contextSchema),
  list: procedure.output(z.array(contextSchema)),
  use: procedure.input(z.object({ name: z.string() })).output(contextSchema),
  remove: procedure.input(z.object({ name: z.string() })).output(z.object({})),
  /** Where private keys are kept: the system's keychain, or the vault and how it stands (`absent`: no passphrase was chosen yet). */
  keys: procedure.output(z.object({ store: z.enum(['keychain', 'vault']), state: z.enum(['open', 'locked', 'absent']) })),
  /** Opens the vault; the first passphrase ever given makes it. */
  unlock: procedure.input(z.object({ passphrase: z.string().max(1024) })).output(z.object({})),
}
