import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { HoldfastError } from '../core/errors.ts'
import { raiseBacklog } from './backlog.ts'
import { attachDisks, diskNumbers } from './disks.ts'
import { diskPath, makeHostDisk, makeLabSecrets, makeSwitchDisk } from './files.ts'
import { slotsOfOthers } from './leftovers.ts'
import { withLock } from './lock.ts'
import { beginBoot, cgroupOf, killCgroup, until, type Booting } from './machine.ts'
import { machineNetworks, plugNics, portsLeft, removePorts, setPorts, unplugNics, wireSwitches } from './network.ts'
import { freeSlot, planLab, switchNames, type HostPlan } from './plan.ts'
import { run } from './run.ts'
import {
  hostPlanOf,
  hostState,
  isAlive,
  labDir,
  machineDir,
  machineState,
  nicsOf,
  planOf,
  switchPids,
  writeState,
  type HostState,
  type LabState,
} from './state.ts'
import { takeTags } from './vlan.ts'

/** A machine whose cores others have takes its time to boot and to greet. */
const bootWaitMs = 60_000
const greetingMs = 1000

/** Makes a lab where there is none and boots all of it at once; returns when every host answers SSH. */
export async function createLab(name: string, hostCount: number, baseDir: string): Promise<LabState> {
  const state = await claim(name, hostCount, baseDir)
  const plan = planOf(state)
  await makeLabSecrets(name)
  const boot = async (machine: string, makeDisks: () => Promise<void>): Promise<Booting> => {
    await makeDisks()
    return beginBoot({ lab: name, machine, baseDir, disks: await diskNumbers(name, machine) })
  }
  const [hosts, switches] = await Promise.all([
    Promise.all(
      plan.hosts.map((host) =>
        boot(host.name, async () => {
          await makeHostDisk(name, plan, host)
          await attachDisks(name, host.name)
        }),
      ),
    ),
    Promise.all(switchNames.map((switchName) => boot(switchName, () => makeSwitchDisk(name, plan.switches[switchName])))),
  ])
  plan.hosts.forEach((host, index) => (hostState(state, host.name).init = hosts[index]?.init ?? null))
  switchNames.forEach((switchName, index) => (state.switches[switchName] = switches[index]?.init ?? null))
  await writeState(state)
  const wired = plan.hosts.map((host, index) => ({ plan: host, pid: hosts[index]?.init.pid ?? 0 }))
  await wireSwitches(plan, switchPids(state), wired)
  for (const booting of [...switches, ...hosts]) booting.go()
  await Promise.all(plan.hosts.map((host) => sshAnswers(name, host)))
  state.phase = 'up'
  await writeState(state)
  return state
}

/** Gives a new lab its addresses and its directory: a file system in memory that holds all that is the lab's. */
async function claim(name: string, hostCount: number, baseDir: string): Promise<LabState> {
  return withLock('slots', async () => {
    const slot = freeSlot(await machineNetworks(), await slotsOfOthers(name))
    if (slot === null) {
      throw new HoldfastError(
        'busy',
        'No addresses are left for another lab in 10.83.0.0/16',
        'Take a lab down, or remove the route that covers that range.',
      )
    }
    await mkdir(labDir(name), { recursive: true, mode: 0o700 })
    await raiseBacklog()
    await run(['mount', '-t', 'tmpfs', '-o', 'mode=700,size=75%', `holdfast-lab-${name}`, labDir(name)])
    const hosts = planLab(slot, hostCount).hosts.map((host): [string, HostState] => [
      host.name,
      { power: 'on', init: null, downPlanes: [], environment: [] },
    ])
    const state: LabState = {
      ...{ name, slot, phase: 'starting', baseDir },
      hosts: Object.fromEntries(hosts),
      switches: { tor1: null, tor2: null },
      added: {},
      vlans: [],
    }
    await writeState(state)
    return state
  })
}

/** What the process 1 of an added machine makes when the machine is set up. */
function bootedMark(pid: number): string {
  return `/proc/${pid}/root/run/holdfast-lab-booted`
}

/** Boots a host or an added machine that is off, on the disks it had, and returns when it is set up; a host answers SSH then. Links that were cut stay cut. */
export async function bootMachine(state: LabState, machine: string): Promise<void> {
  const { nics, cut } = nicsOf(state, machine)
  // What a machine that ended by itself left behind.
  await killCgroup(await cgroupOf(state.name, machine))
  const booting = await beginBoot({ lab: state.name, machine, baseDir: state.baseDir, disks: await diskNumbers(state.name, machine) })
  await plugNics(switchPids(state), nics, booting.init.pid, cut)
  await takeTags(state, nics, Object.hasOwn(state.hosts, machine))
  booting.go()
  Object.assign(machineState(state, machine), { power: 'on', init: booting.init })
  await writeState(state)
  if (Object.hasOwn(state.added, machine)) await until(() => existsSync(bootedMark(booting.init.pid)), bootWaitMs, `${machine} to boot`)
  else if (!cut.includes('mgmt')) await sshAnswers(state.name, hostPlanOf(state, machine))
}

/** Boots every machine that is meant to be on and is not; answers their names. */
export async function bootEnded(state: LabState): Promise<string[]> {
  const ended = Object.entries({ ...state.hosts, ...state.added }).filter(([, kept]) => kept.power !== 'off' && !isAlive(kept.init))
  for (const [machine] of ended) await bootMachine(state, machine)
  return ended.map(([machine]) => machine)
}

/**
 * Cuts a machine's NICs at the switches, kills it, and returns when its NICs exist no more and its ports are without a cable.
 * A connection that waits to be acknowledged can hold the dead network namespace while its timer runs: with no NIC left in it, nothing passes.
 */
export async function powerOffMachine(state: LabState, machine: string): Promise<void> {
  const { nics } = nicsOf(state, machine)
  const pids = switchPids(state)
  await setPorts(pids, nics, 'down')
  await killCgroup(await cgroupOf(state.name, machine))
  await removePorts(pids, nics)
  await until(async () => (await portsLeft(pids, nics)) === 0, 20_000, `the NICs of ${machine} to go`)
  await unplugNics(pids, nics)
  Object.assign(machineState(state, machine), { power: 'off', init: null })
  await writeState(state)
}

/** Throws `timeout`, with what the host said last: soon after, nothing of it may be left to look at. */
async function sshAnswers(lab: string, { name, nics }: HostPlan): Promise<void> {
  try {
    await until(() => greets(nics.mgmt.address, 22), bootWaitMs, `sshd on ${name}`)
  } catch (cause) {
    const lastWords = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' | ')
    const said = [await lastWords(join(machineDir(lab, name), 'console.log')), await lastWords(diskPath(lab, name, 'var/log/sshd.log'))]
    throw new HoldfastError(
      'timeout',
      `${(cause as Error).message}. It said last: ${said.filter(Boolean).join(' | ')}`,
      'Take the lab down and up again.',
    )
  }
}

/** Whether an SSH server greets there in time. */
function greets(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: greetingMs })
    const end = (result: boolean): void => {
      socket.destroy()
      resolve(result)
    }
    socket.once('data', (data) => end(data.toString('latin1').startsWith('SSH-')))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => resolve(false))
  })
}
