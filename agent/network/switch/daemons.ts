import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, truncateSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../../core/errors.ts'
import { programEnv } from '../../runtime/programs.ts'
import { identifyProcess, isAlive, readPidFile, removePidFile, signalProcess, writePidFile, type ProcessId } from '../../runtime/process.ts'
import { ovsMissing, runOvs } from './ovs-programs.ts'
import type { Datapath } from './desired-switch.ts'
import { bridgeSocket, daemonPidFiles, instancePaths, type Bridge, type SwitchPaths } from './switch-paths.ts'
import { unixctl } from './unixctl.ts'

const schema = '/usr/share/openvswitch/vswitch.ovsschema'
const maxLogBytes = 8 * 1024 * 1024
/** As Open vSwitch's own start script has it: packets wait for this process. */
const niceness = -10
const startLimitMs = 30_000

/** The two processes of an instance of Open vSwitch. */
export interface Daemons {
  ovsdb: ProcessId
  vswitchd: ProcessId
}

/** Starts an ovsdb-server with an empty database, ready to be asked. */
export async function startDatabase(paths: SwitchPaths, number: number): Promise<ProcessId> {
  const instance = instancePaths(paths, number)
  if (!existsSync(schema)) throw ovsMissing(schema)
  rmSync(instance.directory, { recursive: true, force: true })
  mkdirSync(instance.directory, { recursive: true, mode: 0o700 })
  await runOvs('ovsdb-tool', ['create', instance.database, schema])
  const id = runDatabase(paths, number)
  await answering(id, 'ovsdb-server', instance.ovsdbControl)
  return id
}

/** Starts an ovsdb-server on the database that is there, e.g. its predecessor's. */
export function runDatabase(paths: SwitchPaths, number: number): ProcessId {
  const instance = instancePaths(paths, number)
  const args = [instance.database, `--remote=punix:${instance.databaseSocket}`, `--unixctl=${instance.ovsdbControl}`, ...logging]
  return startDaemon(paths, number, 'ovsdb-server', args, daemonPidFiles(paths, number)[0])
}

/** Starts an ovs-vswitchd on a database that says what it is to be. Resolves when it is that. */
export async function startSwitch(paths: SwitchPaths, number: number, datapath: Datapath): Promise<ProcessId> {
  const instance = instancePaths(paths, number)
  const args = [`unix:${instance.databaseSocket}`, `--unixctl=${instance.vswitchdControl}`, ...logging]
  // The data path `dummy` is `netdev` without a device of the kernel for each bridge, see `userspaceType`.
  const dummy = datapath === 'userspace' ? ['--enable-dummy'] : []
  const id = startDaemon(paths, number, 'ovs-vswitchd', [...args, ...dummy], daemonPidFiles(paths, number)[1])
  await answering(id, 'ovs-vswitchd', instance.vswitchdControl)
  const bridges: Bridge[] = datapath === 'userspace' ? ['br-int', 'br-phy'] : ['br-int']
  // A bridge gets its socket when it has its ports.
  await until(id, 'ovs-vswitchd', () => bridges.every((bridge) => existsSync(bridgeSocket(instance, bridge))))
  return id
}

/**
 * Ends an instance, whatever of it runs, and removes all its files. At once: an ovs-vswitchd that ends in good order would take its NIC
 * out of the mode that the next one needs it in.
 */
export async function endInstance(paths: SwitchPaths, number: number): Promise<void> {
  for (const file of daemonPidFiles(paths, number)) {
    const id = readPidFile(file)
    if (id) signalProcess(id, 'SIGKILL')
    while (id && isAlive(id)) await sleep(2)
    removePidFile(file)
  }
  rmSync(instancePaths(paths, number).directory, { recursive: true, force: true })
}

const logging = ['-vsyslog:off', '-vfile:off', '-vconsole:warn', '-vPATTERN:console:%D{%FT%T.###Z}|%c|%p|%m', '-vtimeval:off', '-vcoverage:off']

/** In a session of its own, which outlives whoever started it. */
function startDaemon(paths: SwitchPaths, number: number, program: string, args: readonly string[], pidFile: string): ProcessId {
  mkdirSync(paths.log, { recursive: true, mode: 0o750 })
  const file = join(paths.log, `${program}.log`)
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes) truncateSync(file, 0)
  const log = openSync(file, 'a', 0o640)
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { ...programEnv, OVS_RUNDIR: instancePaths(paths, number).directory },
    })
    child.once('error', () => undefined)
    child.unref()
    const id = child.pid === undefined ? null : identifyProcess(child.pid)
    if (!id) throw ovsMissing(program)
    writePidFile(pidFile, id)
    setPriority(id.pid, niceness)
    return id
  } finally {
    closeSync(log)
  }
}

function answering(id: ProcessId, program: string, control: string): Promise<void> {
  return until(id, program, () =>
    unixctl(control, 'version', []).then(
      () => true,
      () => false,
    ),
  )
}

/** Throws `step-failed` when the process ends before, or takes too long. */
async function until(id: ProcessId, program: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + startLimitMs
  while (isAlive(id) && performance.now() < deadlineMs) {
    if (await done()) return
    await sleep(5)
  }
  throw new HoldfastError('step-failed', `${program} was started and does not come up`, 'See its log on that host.')
}
