/** The module `network`: the virtual network on its host. Started by the supervisor, see `runModule`. */
import { join } from 'node:path'
import { implement } from '@orpc/server'
import { agentContract } from '../../core/contract/agent/index.ts'
import { ObjectLog } from '../../core/sync/object-log.ts'
import { agentPaths, readConfig } from '../runtime/config.ts'
import { requireRole, type CallerContext } from '../runtime/context.ts'
import { realEnv as env } from '../runtime/env.ts'
import { EventLog } from '../runtime/events.ts'
import { createLogger } from '../runtime/logger.ts'
import { runModule } from '../runtime/module.ts'
import { agentVersion } from '../runtime/version.ts'
import { readClock } from './capture-clock.ts'
import { NetworkModule } from './network-module.ts'
import { checkFilter } from './tap.ts'

const name = 'network'
const logger = createLogger(name)
const paths = agentPaths()
const config = readConfig(paths)
const log = new ObjectLog({ env })
const events = new EventLog({ env, log, logger, host: config.host, module: name, path: join(paths.state, 'network-events.jsonl') })
const network = new NetworkModule({ env, logger, log, events, config, paths })
const os = implement(agentContract.network).$context<CallerContext>()
const viewer = requireRole('viewer')
const operator = requireRole('operator')

await runModule({
  name,
  version: agentVersion(),
  logger,
  log,
  events,
  router: os.router({
    sync: { watch: os.sync.watch.use(viewer).handler(({ input, signal }) => log.watch(input.from, signal)) },
    get: os.get.use(viewer).handler(() => network.current()),
    apply: os.apply.use(operator).handler(({ input }) => network.apply(input.declaration, input)),
    placement: os.placement.use(viewer).handler(async ({ input }) => ({ hosts: await network.placement(input.revision, input.waitMs) })),
    failover: os.failover.use(operator).handler(() => network.failover()),
    drops: os.drops.use(viewer).handler(() => network.drops()),
    look: os.look.use(viewer).handler(() => network.probe.look()),
    explain: os.explain.use(viewer).handler(async ({ input }) => ({ text: await network.probe.explain(input.entry, input.frame) })),
    inject: os.inject.use(operator).handler(async ({ input }) => ({ atUs: await network.probe.inject(input) })),
    forget: os.forget.use(operator).handler(async ({ input: { ports, ...connection } }) => {
      await network.probe.forget(ports, connection)
      return {}
    }),
    tap: os.tap.use(operator).handler(({ input, signal }) => network.probe.tap(input, signal)),
    endTap: os.endTap.use(operator).handler(({ input }) => {
      network.probe.endTap(input.session)
      return {}
    }),
    switchPorts: os.switchPorts.use(operator).handler(async ({ input }) => {
      // Not before a trace asks: the SNMP library takes 6 MB, which a host at rest need not spend.
      const { askSwitch } = await import('./snmp-switch.ts')
      return await askSwitch(config, paths, input)
    }),
    checkFilter: os.checkFilter.use(viewer).handler(async ({ input }) => {
      await checkFilter(input.filter)
      return {}
    }),
    clock: os.clock.use(viewer).handler(() => readClock()),
  }),
  health() {
    const reason = network.ails()
    return reason === null ? { healthy: true } : { healthy: false, reason }
  },
  release: () => network.release(),
  activate: () => network.activate(),
})
