import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentPaths } from '../runtime/config.ts'
import { endProcess, readPidFile } from '../runtime/process.ts'
import { findModules } from './module-process.ts'

/** Time that each process has to end by itself. */
const graceMs = 6_000

/**
 * Ends everything of the agent on this host: the launcher, the supervisor, the modules (which release first, so the cluster address
 * goes), then what modules left running (every other `NAME.pid` in `/run/holdfast`: etcd). Files other than those in `/run` stay.
 */
export async function leave(paths: AgentPaths): Promise<{ ended: string[] }> {
  const ended: string[] = []
  const end = async (name: string, id: ReturnType<typeof readPidFile>) => {
    if (!id) return
    await endProcess(id, graceMs)
    ended.push(name)
  }
  const pidFile = (name: string) => readPidFile(join(paths.run, `${name}.pid`))
  await end('launcher', pidFile('launcher'))
  await end('supervisor', pidFile('supervisor'))
  await Promise.all([...findModules(paths)].map(([socket, id]) => end(socket, id)))
  if (existsSync(paths.run)) {
    const others = readdirSync(paths.run).filter((name) => name.endsWith('.pid'))
    await Promise.all(others.map((name) => end(name.slice(0, -4), pidFile(name.slice(0, -4)))))
    for (const name of readdirSync(paths.run)) rmSync(join(paths.run, name), { recursive: true, force: true })
  }
  return { ended }
}
