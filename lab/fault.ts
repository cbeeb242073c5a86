import { readFile, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../core/errors.ts'
import { planeSchema, planes, type Plane } from '../core/model/common.ts'
import { bootMachine, powerOffMachine } from './lifecycle.ts'
import { withLock } from './lock.ts'
import { cgroupOf, cgroupTree, enterArgv, setFrozen, until } from './machine.ts'
import { setPorts } from './network.ts'
import { run } from './run.ts'
import { addedState, hostState, machineState, nicsOf, powerOf, runningLab, switchPids, writeState, type LabState, type Power } from './state.ts'

/**
 * What can be done to a lab host; all but `hang-agent` and `clock` to an added machine too, whose one link needs no plane.
 * `power-off`: its NICs are cut, then everything on it ends; its disks stay. `power-on` boots it again.
 * `pause`: every process frozen and the NICs cut, as a hung machine. `hang-agent`: only the agent's own processes stop; etcd, SSH and the rest go on.
 * `resume` undoes both. `link-down` and `link-up` cut and mend one plane's link at the switch.
 * `clock` sets the wall clock off by `offsetSeconds` for every program that is started over SSH, by `labExec` or at boot from then on; 0 ends it.
 */
export const labFaults = ['power-off', 'power-on', 'pause', 'resume', 'hang-agent', 'link-down', 'link-up', 'clock'] as const
export type LabFault = (typeof labFaults)[number]

export interface LabFaultRequest {
  name?: string
  host: string
  fault: LabFault
  /** For `link-down` and `link-up`. */
  plane?: Plane
  /** For `clock`: how far ahead of true time (negative: behind). */
  offsetSeconds?: number
}

/** Where installed agents live; a process running a program below it is the agent's. */
const agentVersionsDir = '/opt/holdfast/versions/'

/** Read by sshd for each session (sshd(8), PermitUserEnvironment), and by what starts the agent; sshd itself is not touched: its sandbox refuses a preload. */
const clockFiles = ['/root/.ssh/environment', '/etc/default/holdfast-agent']

/**
 * Does one fault to a host and returns when it has happened; nothing of a powered-off host forwards a packet any more by then.
 * Errors: `not-found` for the lab or the host, `bad-input` for a plane that is none or a fault that cannot be in the host's state.
 */
export async function labFault(request: LabFaultRequest): Promise<void> {
  const { name = 'lab', host, fault } = request
  if (!labFaults.includes(fault)) throw new HoldfastError('bad-input', `There is no fault ${fault}`, `Faults are ${labFaults.join(', ')}.`)
  await runningLab(name)
  await withLock(`lab/${name}`, async () => {
    const state = await runningLab(name)
    switch (fault) {
      case 'power-off':
        need(state, host, fault, ['on', 'paused'])
        return powerOffMachine(state, host)
      case 'power-on':
        need(state, host, fault, ['off'])
        return bootMachine(state, host)
      case 'pause':
        need(state, host, fault, ['on'])
        return pause(state, host)
      case 'resume':
        need(state, host, fault, ['on', 'paused'])
        return resume(state, host)
      case 'hang-agent':
        need(state, host, fault, ['on'])
        return hangAgent(state, host)
      case 'link-down':
      case 'link-up':
        return setLink(state, host, request.plane, fault === 'link-up')
      case 'clock':
        need(state, host, fault, ['on'])
        return setClock(state, host, request.offsetSeconds)
    }
  })
}

function need(state: LabState, host: string, fault: LabFault, powers: readonly Power[]): void {
  const power = powerOf(state, host)
  if (powers.includes(power)) return
  const remedy = { on: 'power-off', off: 'power-on', paused: 'resume' }[power]
  throw new HoldfastError('bad-input', `${fault} cannot be done to ${host}: it is ${power}`, `Run \`lab fault ${host} ${remedy}\` first.`)
}

async function pause(state: LabState, host: string): Promise<void> {
  await setPorts(switchPids(state), nicsOf(state, host).nics, 'down')
  await setFrozen(await cgroupOf(state.name, host), true)
  machineState(state, host).power = 'paused'
  await writeState(state)
}

async function resume(state: LabState, host: string): Promise<void> {
  const kept = machineState(state, host)
  const hung = (await agentProcesses(state, host)).filter(({ stopped }) => stopped)
  if (kept.power !== 'paused' && hung.length === 0) {
    throw new HoldfastError('bad-input', `${host} is neither paused nor is its agent hung`, 'Nothing to resume.')
  }
  if (kept.power === 'paused') {
    await setFrozen(await cgroupOf(state.name, host), false)
    const { nics, cut } = nicsOf(state, host)
    const mended = nics.filter(({ device }) => !cut.includes(device))
    await setPorts(switchPids(state), mended, 'up')
    kept.power = 'on'
    await writeState(state)
  }
  for (const { pid } of hung) signal(pid, 'SIGCONT')
}

async function hangAgent(state: LabState, host: string): Promise<void> {
  if ((await agentProcesses(state, host)).length === 0) {
    throw new HoldfastError('not-found', `No agent runs on ${host}`, 'Install it first, or wait until it runs.')
  }
  // A process that is being stopped may still have started another: done when a second look finds all stopped.
  let calm = 0
  await until(
    async () => {
      const running = (await agentProcesses(state, host)).filter(({ stopped }) => !stopped)
      for (const { pid } of running) signal(pid, 'SIGSTOP')
      calm = running.length === 0 ? calm + 1 : 0
      return calm === 2
    },
    10_000,
    `the agent of ${host} to stop`,
  )
}

/** Processes on a host whose program is an installed agent's. */
async function agentProcesses(state: LabState, host: string): Promise<{ pid: number; stopped: boolean }[]> {
  const dirs = await cgroupTree(await cgroupOf(state.name, host))
  const lists = await Promise.all(dirs.map((dir) => readFile(join(dir, 'cgroup.procs'), 'utf8').catch(() => '')))
  const pids = lists.flatMap((list) => list.split('\n').filter(Boolean).map(Number))
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        if (!(await readlink(`/proc/${pid}/exe`)).startsWith(agentVersionsDir)) return []
        return [{ pid, stopped: /\) [Tt] /.test(await readFile(`/proc/${pid}/stat`, 'utf8')) }]
      } catch {
        // It ended while we looked.
        return []
      }
    }),
  )
  return found.flat()
}

function signal(pid: number, which: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, which)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function setLink(state: LabState, host: string, plane: Plane | undefined, up: boolean): Promise<void> {
  const { nics } = nicsOf(state, host)
  const added = addedState(state, host)
  if (added) {
    if (plane !== undefined) throw new HoldfastError('bad-input', `${host} has one link, which is on no plane of hosts`, 'Name no plane.')
    added.linkDown = !up
  } else {
    if (!planeSchema.safeParse(plane).success || plane === undefined) {
      throw new HoldfastError('bad-input', plane ? `${host} has no plane ${plane}` : 'No plane was named', `Planes are ${planes.join(', ')}.`)
    }
    const kept = hostState(state, host)
    kept.downPlanes = [...kept.downPlanes.filter((other) => other !== plane), ...(up ? [] : [plane])]
  }
  const cut = nics.filter(({ device }) => added !== null || device === plane)
  // A paused machine's ports are all down until it is resumed.
  if (powerOf(state, host) !== 'paused') await setPorts(switchPids(state), cut, up ? 'up' : 'down')
  await writeState(state)
}

async function setClock(state: LabState, host: string, offsetSeconds: number | undefined): Promise<void> {
  if (offsetSeconds === undefined || !Number.isInteger(offsetSeconds)) {
    throw new HoldfastError(
      'bad-input',
      'The clock fault needs a whole number of seconds',
      `For example \`lab fault ${host} clock --offset-seconds 600\`.`,
    )
  }
  if (addedState(state, host)) throw new HoldfastError('bad-input', `clock cannot be done to ${host}: it is no host`, 'Name a host.')
  const kept = hostState(state, host)
  const environment = offsetSeconds === 0 ? [] : clockEnvironment(await libfaketime(state.baseDir), offsetSeconds)
  const lines = environment.map((line) => `${line}\n`).join('')
  for (const file of clockFiles) await run(await enterArgv(state, host, ['tee', file]), { input: lines })
  kept.environment = environment
  await writeState(state)
}

/** Only the wall clock is set off: a monotonic clock of another origin would confuse timers that compare with the kernel. */
function clockEnvironment(library: string, offsetSeconds: number): string[] {
  return [
    `LD_PRELOAD=${library}`,
    `FAKETIME=${offsetSeconds > 0 ? '+' : ''}${offsetSeconds}s`,
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
    'DONT_FAKE_MONOTONIC=1',
  ]
}

async function libfaketime(baseDir: string): Promise<string> {
  for (const dir of await readdir(join(baseDir, 'usr/lib'))) {
    const found = await readdir(join(baseDir, 'usr/lib', dir, 'faketime')).catch(() => [])
    if (found.length > 0) return join('/usr/lib', dir, 'faketime/libfaketimeMT.so.1')
  }
  throw new HoldfastError('internal', 'The base layer has no libfaketime', 'Remove the lab-base folder in the cache and run `lab up`.')
}
