import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { moduleNames } from '../../core/model/module.ts'
import { readConfig, type AgentPaths } from '../runtime/config.ts'
import { readPidFile } from '../runtime/process.ts'
import { agentVersion } from '../runtime/version.ts'
import { readEnrolment } from './enrolment.ts'
import { Journal } from './journal.ts'
import { findModules, socketPath } from './module-process.ts'
import { serving } from './swap.ts'
import { currentVersion } from './versions.ts'

/** What the agent on this host is, from its files and processes alone: works with the supervisor dead. */
export function status(paths: AgentPaths): Record<string, unknown> {
  const config = existsSync(paths.config) ? readConfig(paths) : null
  const enrolment = readEnrolment(paths)
  const journal = new Journal(join(paths.state, 'modules.json'))
  const found = findModules(paths)
  return {
    version: agentVersion(),
    currentVersion: currentVersion(paths),
    host: config?.host ?? null,
    cluster: config?.cluster ?? null,
    clusterId: enrolment?.clusterId ?? null,
    supervisorPid: readPidFile(join(paths.run, 'supervisor.pid'))?.pid ?? null,
    modules: moduleNames.map((name) => {
      const record = journal.get(name)
      const instance = record && serving(record)
      return {
        name,
        version: instance?.version ?? null,
        pid: (instance && found.get(socketPath(paths, name, instance))?.pid) ?? null,
        swap: record?.swap?.phase ?? null,
      }
    }),
  }
}
