import type { ContractRouterClient } from '@orpc/contract'
import type { AgentContract } from '../../core/contract/agent/index.ts'
import type { SshIdentities } from '../ssh/identities.ts'
import type { SshPool } from '../ssh/pool.ts'
import type { AgentPackage } from './files.ts'

/** Typed calls to one agent. */
export type AgentClient = ContractRouterClient<AgentContract>

/** What the first host's `init` made, and what the laptop keeps to be its administrator. */
export interface NewCluster {
  name: string
  clusterId: string
  caPem: string
  certificatePem: string
  keyPem: string
  endpoints: string[]
}

/** The clusters that this laptop knows, as far as installing needs them. */
export interface Clusters {
  /** Certificate of a cluster's CA; null for a context that there is not. */
  caPem(context: string): Promise<string | null>
  /** Keeps a new cluster under its name and makes it current; in place of one of that name, if there is one. */
  create(cluster: NewCluster): Promise<void>
  addEndpoint(context: string, endpoint: string): Promise<void>
  removeEndpoint(context: string, endpoint: string): Promise<void>
  /** Asks the agent at an endpoint, or with null any that answers. Errors: the agent's own, and `offline`. */
  ask<T>(context: string, endpoint: string | null, question: (agent: AgentClient) => Promise<T>): Promise<T>
  /** The same of a cluster that is not kept yet, at its first endpoint. */
  askAs<T>(cluster: NewCluster, question: (agent: AgentClient) => Promise<T>): Promise<T>
}

/** What installing, upgrading and removing need of the rest of the laptop. */
export interface DeployServices {
  pool: SshPool
  identities: SshIdentities
  clusters: Clusters
  /** The agent that belongs to this version of the app, packed if need be. */
  agentPackage(): Promise<AgentPackage>
  /** Names of the clusters that a task of this program is founding right now. */
  founding: Set<string>
}
