import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { moduleNames, type Module } from '../../core/model/module.ts'
import { ObjectLog } from '../../core/sync/object-log.ts'
import { ApiServer } from '../runtime/api-server.ts'
import { readConfig, type AgentPaths } from '../runtime/config.ts'
import { realEnv } from '../runtime/env.ts'
import { EventLog } from '../runtime/events.ts'
import { createLogger } from '../runtime/logger.ts'
import { endProcess, identifyProcess, readPidFile, writePidFile } from '../runtime/process.ts'
import { agentVersion } from '../runtime/version.ts'
import { Credentials } from './credentials.ts'
import { FrontDoor } from './front-door.ts'
import { Journal } from './journal.ts'
import { boundLogs } from './log-files.ts'
import { defaultTiming, ManagedModule, type ModuleTiming } from './managed-module.ts'
import { findModules, socketPath } from './module-process.ts'
import { supervisorRouter } from './router.ts'
import { confirmSupervisor, installedVersions, switchSupervisor, takeFailedVersion } from './versions.ts'

/** Status with which the supervisor ends to be started again at once, in the version that `current` names. */
export const restartStatus = 75

/** The supervisor in the foreground. Resolves when it listens and watches its modules; it ends with the process. */
export async function run(paths: AgentPaths, timing: ModuleTiming = defaultTiming): Promise<void> {
  process.umask(0o027)
  const config = readConfig(paths)
  const { host, cluster } = config
  const version = agentVersion()
  const startedAtMs = Date.now()
  const logger = createLogger('supervisor')
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  mkdirSync(paths.state, { recursive: true, mode: 0o700 })
  mkdirSync(paths.log, { recursive: true, mode: 0o750 })
  await claim(paths)

  const log = new ObjectLog({ env: realEnv })
  const events = new EventLog({ env: realEnv, log, logger, host, module: 'supervisor', path: join(paths.state, 'events/supervisor.jsonl') })
  events.activate()
  const journal = new Journal(join(paths.state, 'modules.json'))
  if (journal.damagedPath)
    events.emit('journal-damaged', 'error', `The journal of modules on ${host} was damaged and begun anew`, [`host/${host}`], {
      kept: journal.damagedPath,
    })

  const report = (doc: Module) => log.put({ kind: 'module', id: `${host}/${doc.name}`, doc })
  const modules = new Map(
    moduleNames.map((name) => {
      const module: ManagedModule = new ManagedModule({
        name,
        host,
        paths,
        journal,
        logger,
        timing,
        firstVersion: version,
        emit: (...event) => events.emit(...event),
        onChange: () => report(module.doc),
      })
      return [name, module] as const
    }),
  )
  const allModules = (): Module[] => [
    { host, name: 'supervisor', version, state: 'running', pid: process.pid, startedAtMs, restarts: 0 },
    ...[...modules.values()].map((module) => module.doc),
  ]

  const credentials = new Credentials(paths, logger, () => door.reload())
  const api = new ApiServer({
    name: 'supervisor',
    logger,
    router: supervisorRouter({
      host,
      cluster,
      version,
      log,
      modules: allModules,
      versions: () => installedVersions(paths),
      async upgradeModule(name, to) {
        const module = modules.get(name)!
        await module.upgrade(to)
        return module.doc
      },
      upgradeSupervisor(to) {
        if (to === version) return
        switchSupervisor(paths, to)
        logger.info('the supervisor hands over', { from: version, to })
        // Time for the answer to leave; modules go on by themselves.
        setTimeout(() => process.exit(restartStatus), 200)
      },
    }),
  })
  const door = new FrontDoor({
    config,
    credentials,
    logger,
    api,
    nowMs: () => Date.now(),
    moduleSocket: (name) => modules.get(name as 'cluster')?.socket,
  })

  const found = findModules(paths)
  await endStrays(paths, journal, found)
  for (const module of modules.values()) module.start(found)
  for (const doc of allModules()) report(doc)
  boundLogs(paths)
  await door.listen()
  confirmSupervisor(paths)
  const failed = takeFailedVersion(paths)
  if (failed)
    events.emit(
      'upgrade-rolled-back',
      'error',
      `The supervisor on ${host} stays at ${version}: ${failed} did not come up`,
      [`module/${host}/supervisor`],
      { version: failed },
    )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
  logger.info('up', { version, address: config.addresses.mgmt, port: config.apiPort })
}

/** One supervisor a host: ends one whose launcher died and left it. Launchers see to it themselves that there is one of them. */
async function claim(paths: AgentPaths): Promise<void> {
  const pidFile = join(paths.run, 'supervisor.pid')
  const other = readPidFile(pidFile)
  if (other && other.pid !== process.pid) await endProcess(other, defaultTiming.graceMs)
  writePidFile(pidFile, identifyProcess(process.pid)!)
}

/** Ends module processes that the journal does not know of: the supervisor before us died between starting them and anything else. */
async function endStrays(paths: AgentPaths, journal: Journal, found: Map<string, ReturnType<typeof identifyProcess> & object>): Promise<void> {
  const known = new Set<string>()
  for (const name of moduleNames) {
    const record = journal.get(name)
    if (record) for (const instance of [record.current, ...(record.swap ? [record.swap.other] : [])]) known.add(socketPath(paths, name, instance))
  }
  await Promise.all([...found].filter(([socket]) => !known.has(socket)).map(([, id]) => endProcess(id, defaultTiming.graceMs)))
}
