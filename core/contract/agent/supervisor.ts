import { z } from 'zod'
import { moduleNameSchema, moduleSchema } from '../../model/module.ts'
import { procedure } from '../base.ts'
import { syncContract } from './sync.ts'

/** `/v1/supervisor`: the agent itself. */
export const supervisorContract = {
  sync: syncContract,
  /** Who answers, and whether it is well. Needs no role beyond a valid certificate. */
  hello: procedure
    .route({ method: 'GET', path: '/hello' })
    .output(z.looseObject({ host: z.string(), cluster: z.string(), agentVersion: z.string(), nowMs: z.number(), role: z.string() })),
  modules: procedure.route({ method: 'GET', path: '/modules' }).output(z.array(moduleSchema)),
  /** Replaces one module by the version named, whose files are installed already; answers when the swap is kept or rolled back. Role admin. */
  upgradeModule: procedure
    .route({ method: 'POST', path: '/modules/{name}/upgrade' })
    .input(z.object({ name: moduleNameSchema, version: z.string() }))
    .output(moduleSchema),
  /** Hands the supervisor's own place to the version named: it re-executes, modules go on. Role admin. */
  upgradeSupervisor: procedure
    .route({ method: 'POST', path: '/supervisor/upgrade' })
    .input(z.object({ version: z.string() }))
    .output(z.object({ version: z.string() })),
  /** Versions whose files lie on the host, newest first. */
  versions: procedure.route({ method: 'GET', path: '/versions' }).output(z.array(z.string())),
}
