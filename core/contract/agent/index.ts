import { clusterContract } from './cluster.ts'
import { monitorContract } from './monitor.ts'
import { networkContract } from './network.ts'
import { supervisorContract } from './supervisor.ts'

/** What each part of an agent serves, by the first path segment after `/v1/`. */
export const agentContract = { supervisor: supervisorContract, cluster: clusterContract, monitor: monitorContract, network: networkContract }
export type AgentContract = typeof agentContract

export * from './sync.ts'
