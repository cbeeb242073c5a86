import type { Status } from '../../core/contract/desktop/inventory.ts'
import { planes } from '../../core/model/common.ts'
import { table } from './output.ts'

/** A cluster's status for a person: one line on the cluster, one row a host. */
export function statusText({ cluster, hosts, asOf }: Status): string {
  const leader = cluster.leader === null ? 'no leader known' : `leader ${cluster.leader}`
  const isHeard = hosts.some(({ agent }) => Object.values(agent.modules).some((state) => state !== 'unknown'))
  const quorum = cluster.quorum ? 'quorum' : isHeard ? 'NO QUORUM: reads go on, changes are refused' : 'quorum unknown: no agent answers'
  const head = `Cluster ${cluster.name}${cluster.clusterIp === null ? '' : ` at ${cluster.clusterIp}`}: ${leader}, ${quorum} (as of ${asOf})`
  const rows = hosts.map((host) => [
    host.name,
    host.state,
    ...planes.map((plane) => planeText(host.planes[plane])),
    host.agent.version,
    Object.entries(host.agent.modules)
      .map(([name, state]) => `${name} ${state}`)
      .join(', '),
  ])
  return `${head}\n${table(['HOST', 'STATE', 'MGMT', 'STORAGE', 'TENANT', 'AGENT', 'MODULES'], rows)}`
}

/** `up 2`, or each kind that there is: `up 1 down 1`. */
function planeText(cells: Record<string, string> | undefined): string {
  const counts = new Map<string, number>()
  for (const state of Object.values(cells ?? {})) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${state} ${count}`).join(' ')
}
