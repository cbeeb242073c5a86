import type { RouterClient } from '@orpc/server'
import type { Status } from '../core/contract/desktop/inventory.ts'
import type { AuditLog } from './audit/audit.ts'
import type { Contexts } from './contexts/contexts.ts'
import type { Clusters } from './deploy/clusters.ts'
import type { HostService } from './deploy/host-service.ts'
import type { Live } from './desktop/live.ts'
import type { desktopRouter } from './desktop/router.ts'
import type { Views } from './desktop/views.ts'
import type { Inventory } from './inventory/inventory.ts'
import type { BroadcastService } from './network/broadcast-service.ts'
import type { CaptureService } from './network/capture-service.ts'
import type { NetworkService } from './network/network-service.ts'
import type { TraceService } from './network/trace-service.ts'
import type { Records } from './records/records.ts'
import type { SshPool } from './ssh/pool.ts'
import type { Terminals } from './ssh/terminals.ts'
import type { TaskCentre } from './tasks/task-centre.ts'
import type { SecretStore } from './vault/secret-store.ts'
import type { Vault } from './vault/vault.ts'

/** What the desktop contract is implemented with. */
export interface ServiceParts {
  /** The laptop's data directory. */
  home: string
  contexts: Contexts
  /** Where private keys are kept: the keychain that was handed in, else the vault. */
  secrets: SecretStore
  vault: Vault
  inventory: Inventory
  records: Records
  audit: AuditLog
  tasks: TaskCentre
  live: Live
  views: Views
  pool: SshPool
  clusters: Clusters
  hosts: HostService
  terminals: Terminals
  network: NetworkService
  traces: TraceService
  captures: CaptureService
  broadcast: BroadcastService
}

/** All that the laptop's programs do, whatever shell they wear. Made by `createServices` in main.ts. */
export interface Services extends ServiceParts, AsyncDisposable {
  /** Makes a context current and answers its cluster's status. */
  status(context: string): Promise<Status>
  /** The desktop contract, for a shell to carry. */
  router: ReturnType<typeof desktopRouter>
  /** The same contract, called from within this program. */
  desktop: RouterClient<ReturnType<typeof desktopRouter>>
}
