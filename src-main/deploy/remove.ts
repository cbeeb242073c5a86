import { z } from 'zod'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { nameSchema } from '../../core/model/common.ts'
import { joinTarget } from '../ssh/identities.ts'
import type { TaskPlan } from '../tasks/plan.ts'
import { inspectAgent, wipeAgent } from './agent-on-host.ts'
import { apiPort } from './places.ts'
import type { DeployServices } from './services.ts'

/** What a `host-remove` task is started with. */
export const removeParamsSchema = z.object({ name: nameSchema, cluster: nameSchema, mgmt: z.string() })
export type RemoveParams = z.infer<typeof removeParamsSchema>

/** A host that does not answer, for these reasons, is removed from the cluster alone. */
const beyondReach = ['host-unreachable', 'ssh-auth-failed', 'not-found', 'host-key-changed', 'host-key-unknown'] as const

/** Takes a host out of the cluster, then the agent off it. A host that is dead or cannot be reached by SSH is taken out of the cluster alone, and the step says so. */
export function removePlan(services: DeployServices, params: RemoveParams): TaskPlan {
  const { name, cluster, mgmt } = params
  const { clusters, identities } = services
  return {
    title: `Remove ${name}`,
    about: [`host/${name}`],
    steps: [
      {
        name: 'leave-cluster',
        run: async (step) => {
          step.detail(`takes ${name} out of ${cluster}`)
          try {
            await clusters.ask(cluster, others(clusters.endpoints(cluster), `${mgmt}:${apiPort}`), (any) => any.cluster.removeHost({ name }))
          } catch (error) {
            if (asHoldfastError(error).code !== 'not-found') throw error
          }
          clusters.removeEndpoint(cluster, `${mgmt}:${apiPort}`)
          step.detail(`${cluster} refuses ${name} from now on`)
        },
      },
      {
        name: 'remove-agent',
        run: async (step) => {
          const outcome = await takeOff(services, params, step.detail)
          identities.forget(cluster, name)
          return outcome
        },
      },
    ],
  }
}

async function takeOff(services: DeployServices, { name, cluster }: RemoveParams, detail: (text: string) => void): Promise<'skipped' | void> {
  const identity = services.identities.get(cluster, name)
  if (!identity) {
    detail(`this laptop has never reached ${name} by SSH: its files stay`)
    return 'skipped'
  }
  try {
    using lease = await services.pool.acquire(joinTarget(identity))
    const ssh = lease.connection
    const agent = await inspectAgent(ssh)
    if (agent.absent) return 'skipped'
    if (agent.config && (agent.config.cluster !== cluster || agent.config.host !== name)) {
      detail(`${ssh.label} is ${agent.config.host} of ${agent.config.cluster} by now: nothing was touched there`)
      return 'skipped'
    }
    await wipeAgent(ssh)
    detail('service, programs, keys and state are gone')
  } catch (error) {
    const { code, message } = error instanceof HoldfastError ? error : asHoldfastError(error)
    if (!(beyondReach as readonly string[]).includes(code)) throw error
    detail(`its files stay: ${message}`)
    return 'skipped'
  }
}

/** Agents other than the host that goes, which would lose the connection on which it is asked; itself, where it is the last. */
function others(endpoints: readonly string[], leaving: string): readonly string[] {
  const rest = endpoints.filter((endpoint) => endpoint !== leaving)
  return rest.length > 0 ? rest : [leaving]
}
