import type { SshIdentities } from '../ssh/identities.ts'
import type { SshPool } from '../ssh/pool.ts'
import type { Clusters } from './clusters.ts'
import type { AgentPackage } from './files.ts'

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
