import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { parseEntity } from '../../core/model/entity.ts'
import type { Context } from '../contexts/contexts.ts'
import type { AgentClient, Clusters } from '../deploy/clusters.ts'
import { apiPort } from '../deploy/places.ts'
import type { Inventory } from '../inventory/inventory.ts'

/** The agent of a host, or why it cannot be asked. */
export type AgentOf = (host: string) => AgentClient | HoldfastError

/** How long a host that is said to be down may take to answer all the same. */
const downMs = 1000

export interface HostsAsked {
  /** All that are known, where it is not said. */
  hosts?: readonly string[]
  /** Whether a host is said to be down: it is not waited for as long as others. */
  isDown?: (host: string) => boolean
}

/** Works with the agents of several hosts at once, over one connection each that stands as long as the work; of a host that cannot be asked it gets the reason. */
export async function withHostAgents<T>(
  { inventory, clusters }: { inventory: Inventory; clusters: Clusters },
  context: Context,
  asked: HostsAsked,
  work: (agentOf: AgentOf) => Promise<T>,
): Promise<T> {
  const entities = (await inventory.reports(context.name, { only: ['host'] })).flatMap((report) => parseEntity(report) ?? [])
  const addresses = new Map(entities.flatMap(({ kind, doc }) => (kind === 'host' ? [[doc.name, doc.addresses.mgmt] as const] : [])))
  const agents = new Map<string, ReturnType<AgentOf>>()
  const over = Promise.withResolvers<void>()
  const reach = async (host: string): Promise<void> => {
    const address = addresses.get(host)
    if (address === undefined) throw unknown(host)
    await new Promise<void>((resolve, reject) => {
      const held = async (agent: AgentClient): Promise<void> => {
        agents.set(host, agent)
        resolve()
        await over.promise
      }
      clusters.ask(context.name, [`${address}:${apiPort}`], held).catch(reject)
      if (!asked.isDown?.(host)) return
      const late = new HoldfastError('host-unreachable', `${host} is down`, 'See: holdfast status.', { host })
      setTimeout(reject, downMs, late).unref()
    })
  }
  try {
    const hosts = asked.hosts ?? [...addresses.keys()]
    await Promise.all(hosts.map((host) => reach(host).catch((thrown: unknown) => void agents.set(host, asHoldfastError(thrown)))))
    return await work((host) => agents.get(host) ?? unknown(host))
  } finally {
    over.resolve()
  }
}

function unknown(host: string): HoldfastError {
  return new HoldfastError('not-found', `There is no host ${host}`, 'See: holdfast status.', { host })
}
