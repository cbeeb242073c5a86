import { implement } from '@orpc/server'
import { supervisorContract } from '../../core/contract/agent/supervisor.ts'
import type { Module, ModuleName } from '../../core/model/module.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import { requireRole, type CallerContext } from '../runtime/context.ts'

/** What the supervisor's contract is served from. */
export interface SupervisorService {
  host: string
  cluster: string
  version: string
  log: ObjectLog
  modules(): Module[]
  versions(): string[]
  upgradeModule(name: ModuleName, version: string): Promise<Module>
  upgradeSupervisor(version: string): void
}

/** `/v1/supervisor`. */
export function supervisorRouter(service: SupervisorService) {
  const os = implement(supervisorContract).$context<CallerContext>()
  const reader = requireRole('viewer')
  const admin = requireRole('admin')
  return os.router({
    sync: { watch: os.sync.watch.use(reader).handler(({ input, signal }) => service.log.watch(input.from, signal)) },
    hello: os.hello.use(reader).handler(({ context }) => ({
      host: service.host,
      cluster: service.cluster,
      agentVersion: service.version,
      nowMs: Date.now(),
      role: context.role,
    })),
    modules: os.modules.use(reader).handler(() => service.modules()),
    versions: os.versions.use(reader).handler(() => service.versions()),
    upgradeModule: os.upgradeModule.use(admin).handler(({ input }) => service.upgradeModule(input.name, input.version)),
    upgradeSupervisor: os.upgradeSupervisor.use(admin).handler(({ input }) => {
      service.upgradeSupervisor(input.version)
      return { version: input.version }
    }),
  })
}
