/** The module `monitor`: samples, NICs, LLDP neighbours, disks and facts of its host. Started by the supervisor, see `runModule`. */
import { join } from 'node:path'
import { implement } from '@orpc/server'
import { agentContract } from '../../core/contract/agent/index.ts'
import { ObjectLog } from '../../core/sync/object-log.ts'
import { agentPaths, readConfig } from '../runtime/config.ts'
import { mayAct, requireRole, type CallerContext } from '../runtime/context.ts'
import { realEnv as env } from '../runtime/env.ts'
import { EventLog } from '../runtime/events.ts'
import { createLogger } from '../runtime/logger.ts'
import { runModule } from '../runtime/module.ts'
import { agentVersion } from '../runtime/version.ts'
import { metricsContentType } from './metrics.ts'
import { Monitor } from './monitor.ts'

const name = 'monitor'
const logger = createLogger(name)
const paths = agentPaths()
const config = readConfig(paths)
const log = new ObjectLog({ env })
const events = new EventLog({ env, log, logger, host: config.host, module: name, path: join(paths.state, 'monitor-events.jsonl') })
const monitor = new Monitor({
  env,
  logger,
  log,
  events,
  config,
  statePath: join(paths.state, 'monitor.json'),
  samplesPath: join(paths.run, 'monitor-samples.jsonl'),
})
const os = implement(agentContract.monitor).$context<CallerContext>().use(requireRole('viewer'))

await runModule({
  name,
  version: agentVersion(),
  logger,
  log,
  events,
  router: os.router({
    sync: { watch: os.sync.watch.handler(({ input, signal }) => log.watch(input.from, signal)) },
    samples: os.samples.handler(({ input, signal }) => monitor.samples(input.sinceMs, signal)),
  }),
  async http(request, response, context) {
    if (request.method !== 'GET' || request.url !== '/v1/monitor/metrics' || !mayAct(context.role, 'viewer')) return false
    response.writeHead(200, { 'content-type': metricsContentType, 'cache-control': 'no-store' })
    response.end(await monitor.metrics())
    return true
  },
  health() {
    const reason = monitor.ails()
    return reason === null ? { healthy: true } : { healthy: false, reason }
  },
  release() {
    monitor.release()
    return Promise.resolve({})
  },
  activate() {
    monitor.activate()
    return Promise.resolve()
  },
})
