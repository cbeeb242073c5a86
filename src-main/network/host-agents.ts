import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { parseEntity } from '../../core/model/entity.ts'
import type { Context } from '../contexts/contexts.ts'
import type { AgentClient, Clusters } from '../deploy/clusters.ts'
import { apiPort } from '../deploy/places.ts'
import type { Inventory } from '../inventory/inventory.ts'

/** Works with the agents of several hosts at once, over one connection each that stands as long as the work; of a host that cannot be asked it gets the reason. */
export async function withHostAgents<T>(
  { inventory, clusters }: { inventory: Inventory; clusters: Clusters },
  context: Context,
  hosts: readonly string[],
  work: (agentOf: (host: string) => AgentClient | HoldfastError) => Promise<T>,
): Promise<T> {
  const entities = (await inventory.reports(context.name, { only: ['host'] })).flatMap((report) => parseEntity(report) ?? [])
  const addresses = new Map(entities.flatMap(({ kind, doc }) => (kind === 'host' ? [[doc.name, doc.addresses.mgmt] as const] : [])))
  const agents = new Map<string, AgentClient | HoldfastError>()
  const over = Promise.withResolvers<void>()
  const reach = async (host: string): Promise<void> => {
    const address = addresses.get(host)
    if (address === undefined) throw new HoldfastError('not-found', `There is no host ${host}`, 'See: holdfast status.', { host })
    await new Promise<void>((resolve, reject) => {
      const held = async (agent: AgentClient): Promise<void> => {
        agents.set(host, agent)
        resolve()
        await over.promise
      }
      clusters.ask(context.name, [`${address}:${apiPort}`], held).catch(reject)
    })
  }
  try {
    await Promise.all(hosts.map((host) => reach(host).catch((thrown: unknown) => void agents.set(host, asHoldfastError(thrown)))))
    return await work((host) => agents.get(host)!)
  } finally {
    over.resolve()
  }
}
