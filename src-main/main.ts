import { createRouterClient } from '@orpc/server'
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fromOrpcError, mapStreamErrors } from '../core/contract/errors.ts'
import { packOwnAgent } from './agent-package.ts'
import { dialAgents } from './agents/module-link.ts'
import { AuditLog, localActor } from './audit/audit.ts'
import { Contexts } from './contexts/contexts.ts'
import { Clusters } from './deploy/clusters.ts'
import { HostService } from './deploy/host-service.ts'
import { Live } from './desktop/live.ts'
import { desktopRouter } from './desktop/router.ts'
import { Views } from './desktop/views.ts'
import { Inventory } from './inventory/inventory.ts'
import { Notices } from './inventory/notices.ts'
import { BroadcastService } from './network/broadcast-service.ts'
import { CaptureService } from './network/capture-service.ts'
import { NetworkService } from './network/network-service.ts'
import { TraceService } from './network/trace-service.ts'
import { Records } from './records/records.ts'
import type { Services } from './services.ts'
import { HostKeys } from './ssh/host-keys.ts'
import { SshIdentities } from './ssh/identities.ts'
import { SshPool } from './ssh/pool.ts'
import { Terminals } from './ssh/terminals.ts'
import { TaskCentre } from './tasks/task-centre.ts'
import type { SecretStore } from './vault/secret-store.ts'
import { Vault } from './vault/vault.ts'

/** Where the laptop's data lies: `HOLDFAST_HOME`, else where the system keeps such things. */
export function defaultHome(): string {
  const { HOLDFAST_HOME, XDG_DATA_HOME } = process.env
  return HOLDFAST_HOME || join(XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'holdfast')
}

export interface ServicesOptions {
  home?: string
  /** Work on this context instead of the current one. Throws `no-context` when there is none of that name. */
  context?: string
  /** The system's keychain, where the shell has one; without it keys go into the vault. */
  secretStore?: SecretStore
}

/**
 * Puts the laptop's program together, for the command line, the browser shell and Electron alike. Whatever a service needs is handed to
 * it here; no service knows a shell. Dispose of it at the end: what runs is interrupted in good order.
 */
export async function createServices(options: ServicesOptions = {}): Promise<Services> {
  const home = options.home ?? defaultHome()
  mkdirSync(home, { recursive: true, mode: 0o700 })
  await using stack = new AsyncDisposableStack()

  const vault = new Vault({ dir: join(home, 'vault'), passphraseFile: process.env.HOLDFAST_PASSPHRASE_FILE })
  const secrets = options.secretStore ?? vault
  const contexts = new Contexts(home, secrets, options.context)
  if (options.context !== undefined) contexts.get(options.context)

  const inventory = stack.use(await Inventory.open(home))
  const notices = new Notices(inventory)
  const actor = localActor()
  const records = stack.use(new Records(home, actor))
  const audit = new AuditLog(records, actor)
  const tasks = stack.use(new TaskCentre(records, audit))
  const live = stack.use(new Live({ inventory, contexts, notices, dialFor: (context) => dialAgents(() => contexts.credentials(context)) }))
  const views = new Views({ inventory, live, tasks, audit })

  const pool = new SshPool(new HostKeys(home))
  stack.defer(() => pool.close())
  const clusters = new Clusters(contexts, secrets)
  const hosts = new HostService(
    { pool, identities: new SshIdentities(home), clusters, agentPackage: packOwnAgent, founding: new Set() },
    tasks,
    audit,
  )
  const terminals = new Terminals((host) => hosts.reach(contexts.currentName() ?? '', host))
  stack.defer(() => terminals.closeAll())

  const network = new NetworkService({ inventory, live, clusters, audit })

  const traces = new TraceService({ inventory, live, clusters, network, views })

  const captures = new CaptureService({ inventory, clusters, audit, network })

  const broadcast = new BroadcastService({ inventory, live, views })

  const tellDamage = (type: string, what: string) => (movedTo: string) => {
    const context = contexts.currentName()
    const message = `${what} was damaged and has been made anew. The damaged file is kept as ${movedTo}`
    if (context !== null) void notices.add(context, { type, severity: 'error', message, data: { movedTo } })
  }
  inventory.onCorrupt(tellDamage('inventory-corrupt', 'The inventory on this laptop'))
  records.onCorrupt(tellDamage('records-corrupt', 'The file of tasks and audit records on this laptop'))

  const parts = {
    home,
    contexts,
    secrets,
    vault,
    inventory,
    records,
    audit,
    tasks,
    live,
    views,
    pool,
    clusters,
    hosts,
    terminals,
    network,
    traces,
    captures,
    broadcast,
  }
  const router = desktopRouter(parts)
  const desktop = createRouterClient(router, {
    interceptors: [
      async ({ next }) => {
        try {
          return mapStreamErrors(await next(), fromOrpcError)
        } catch (thrown) {
          throw fromOrpcError(thrown)
        }
      },
    ],
  })
  const owned = stack.move()
  return {
    ...parts,
    router,
    desktop,
    status: async (name) => {
      contexts.use(name)
      return await views.status(contexts.get(name))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
