import { readFileSync } from 'node:fs'
import { readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../core/errors.ts'
import { nameSchema, type Plane } from '../core/model/common.ts'
import type { SwitchPids } from './network.ts'
import { addedNic, planLab, switchNames, type AddedPlan, type HostPlan, type LabPlan, type NicPlan, type SwitchName } from './plan.ts'

/** Where running labs live, one directory a lab; /run is empty after the machine itself restarts. */
export const labsDir = '/run/holdfast-lab'

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessRef {
  pid: number
  /** Start time in clock ticks since boot: field 22 of /proc/PID/stat, proc(5). */
  startTicks: number
}

/** `paused`: every process frozen and the NICs cut, as a hung machine. */
export type Power = 'on' | 'off' | 'paused'

/** What is kept of any machine but switches. */
export interface MachineState {
  power: Power
  /** Process 1 of the machine, while its power is not off. */
  init: ProcessRef | null
  /** NAME=VALUE lines for every program started on it: a wrong clock, see `fault.ts`. */
  environment: string[]
}

export interface HostState extends MachineState {
  /** Planes whose link was cut by `link-down`; they stay cut over a power cycle. */
  downPlanes: Plane[]
}

/** A physical server or a plain host: a machine with one NIC and nothing of ours on it. */
export interface AddedState extends MachineState, AddedPlan {
  /** With prefix length, set on its NIC at boot; null for none. */
  address: string | null
  /** Whether its link was cut by `link-down`; it stays cut over a power cycle. */
  linkDown: boolean
}

/** What is kept of a running lab, in `state.json` of its directory. */
export interface LabState {
  name: string
  slot: number
  /** `starting` until every host answers: a lab found in it was killed on its way. */
  phase: 'starting' | 'up'
  baseDir: string
  hosts: Record<string, HostState>
  switches: Record<SwitchName, ProcessRef | null>
  /** Machines that were added since, by name. */
  added: Record<string, AddedState>
  /** VLANs that the switches know. */
  vlans: number[]
}

export function labDir(name: string): string {
  return join(labsDir, name)
}

/** Directory of one host or switch: its system disk, its other disks, its console. */
export function machineDir(lab: string, machine: string): string {
  return join(labDir(lab), 'machines', machine)
}

/** Throws `bad-input` unless `name` may name a lab. */
export function checkLabName(name: string): void {
  if (!nameSchema.safeParse(name).success || name.length > 32) {
    throw new HoldfastError('bad-input', `"${name}" cannot name a lab`, 'Use lower-case letters, digits and dashes, at most 32.')
  }
}

/** Start time of a process in ticks out of its /proc/PID/stat, whose second field may hold blanks and parentheses. */
export function parseStartTicks(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

/** The process with this number now, or null. */
export function processRef(pid: number): ProcessRef | null {
  try {
    return { pid, startTicks: parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8')) }
  } catch {
    return null
  }
}

/** Whether this very process still exists and is no zombie. */
export function isAlive(ref: ProcessRef | null): boolean {
  if (!ref) return false
  try {
    const stat = readFileSync(`/proc/${ref.pid}/stat`, 'utf8')
    return parseStartTicks(stat) === ref.startTicks && !/\) [ZX] /.test(stat)
  } catch {
    return false
  }
}

/** The lab's state, or null if there is none that can be read. */
export async function readState(name: string): Promise<LabState | null> {
  try {
    // A lab that was brought up before there were machines to add has none.
    const state = JSON.parse(await readFile(join(labDir(name), 'state.json'), 'utf8')) as Omit<LabState, 'added' | 'vlans'> & Partial<LabState>
    return { added: {}, vlans: [], ...state }
  } catch {
    return null
  }
}

export async function writeState(state: LabState): Promise<void> {
  const path = join(labDir(state.name), 'state.json')
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`)
  await rename(`${path}.new`, path)
}

/** Names of labs that have a directory, running or left over. */
export async function labNames(): Promise<string[]> {
  return (await readdir(labsDir).catch(() => [])).filter((name) => nameSchema.safeParse(name).success)
}

/** State of a lab that is up. Throws `not-found` otherwise. */
export async function runningLab(name: string): Promise<LabState> {
  checkLabName(name)
  const state = await readState(name)
  if (state && isRunning(state)) return state
  throw new HoldfastError('not-found', `Lab ${name} is not up`, `Run \`lab up --name ${name}\`.`)
}

/** What is kept of a host. Throws `not-found` for one that the lab does not have. */
export function hostState(state: LabState, host: string): HostState {
  const found = Object.hasOwn(state.hosts, host) ? state.hosts[host] : undefined
  if (found) return found
  throw new HoldfastError(
    'not-found',
    `Lab ${state.name} has no host ${host}`,
    `It has ${[...Object.keys(state.hosts), ...Object.keys(state.added)].join(', ')}.`,
  )
}

/** What is kept of a host or an added machine. Throws `not-found` for one that the lab does not have. */
export function machineState(state: LabState, machine: string): MachineState {
  return addedState(state, machine) ?? hostState(state, machine)
}

/** What is kept of an added machine; null for one that the lab does not have. */
export function addedState(state: LabState, machine: string): AddedState | null {
  return Object.hasOwn(state.added, machine) ? (state.added[machine] ?? null) : null
}

/** The NICs of a host or an added machine, and the devices whose link was cut. */
export function nicsOf(state: LabState, machine: string): { nics: NicPlan[]; cut: string[] } {
  const added = addedState(state, machine)
  if (!added) return { nics: Object.values(hostPlanOf(state, machine).nics), cut: hostState(state, machine).downPlanes }
  const nic = addedNic(state.slot, added)
  return { nics: [nic], cut: added.linkDown ? [nic.device] : [] }
}

/** Power of a machine now; one whose process 1 ended by itself is off. */
export function powerOf(state: LabState, machine: string): Power {
  const found = machineState(state, machine)
  return isAlive(found.init) ? found.power : 'off'
}

/** Whether a lab is up: it was once complete, and both switches still run. */
export function isRunning(state: LabState): boolean {
  return state.phase === 'up' && switchNames.every((name) => isAlive(state.switches[name]))
}

/** Process 1 of each switch of a running lab, seen from the machine. */
export function switchPids(state: LabState): SwitchPids {
  const pid = (name: SwitchName): number => {
    const ref = state.switches[name]
    if (!ref) throw new HoldfastError('internal', `${name} of lab ${state.name} was never booted`, 'Run `lab down` and `lab up`.')
    return ref.pid
  }
  return { tor1: pid('tor1'), tor2: pid('tor2') }
}

/** The plan that a lab was made by. */
export function planOf(state: LabState): LabPlan {
  return planLab(state.slot, Object.keys(state.hosts).length)
}

/** The plan of one host. Throws `not-found` for a host that the lab does not have. */
export function hostPlanOf(state: LabState, host: string): HostPlan {
  hostState(state, host)
  return planOf(state).hosts.find(({ name }) => name === host) as HostPlan
}
