import { spawn, type StdioOptions } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { findGuest } from './guests.ts'
import { HoldfastError } from '../core/errors.ts'
import type { Plane } from '../core/model/common.ts'
import { addedOf, type LabAdded } from './added.ts'
import { ensureBaseLayer, type OnStep } from './base.ts'
import { hostPublicKey, rootPasswordPath, sshFingerprint, sshKeyPath } from './files.ts'
import { removeLab } from './leftovers.ts'
import { bootEnded, createLab } from './lifecycle.ts'
import { withLock } from './lock.ts'
import { enterArgv } from './machine.ts'
import { maxHosts } from './plan.ts'
import { capture, exitStatus, type RunResult } from './run.ts'
import { checkLabName, isRunning, labDir, planOf, powerOf, readState, runningLab, type LabState, type Power } from './state.ts'

export { addPhysical, addPlain, removeAdded, type LabAdded } from './added.ts'
export { labFault, labFaults, type LabFault, type LabFaultRequest } from './fault.ts'

/** What the rest of the project knows of a running lab. */
export interface LabDescription {
  name: string
  /** Its directory under /run; it goes with the lab. */
  dir: string
  clusterName: string
  /** Address meant for the cluster, as CIDR on the mgmt plane. */
  clusterIp: string
  /** The laptop's own address on the mgmt plane; it goes with the lab. */
  laptopAddress: string
  sshKeyPath: string
  sshPublicKey: string
  /** File (0600) with the root password of every host. */
  rootPasswordPath: string
  hosts: LabHostDescription[]
}

export interface LabHostDescription {
  name: string
  addresses: Record<Plane, string>
  /** Interface of each plane. */
  nics: Record<Plane, string>
  /** `SHA256:…`, as ssh-keygen -l prints it. */
  hostKeyFingerprint: string
}

/** What of a lab runs. */
export interface LabStatus {
  name: string
  /** `down`: no such lab; `broken`: leftovers of one that was killed, which `labUp` or `labDown` removes. */
  state: 'up' | 'down' | 'broken'
  hosts: { name: string; power: Power; downPlanes: Plane[] }[]
  added: LabAdded[]
}

function checkMachine(): void {
  if (process.platform !== 'linux') throw new HoldfastError('not-supported', 'The lab needs Linux', 'Run it on a Linux machine, as root.')
  if (process.geteuid?.() !== 0)
    throw new HoldfastError('not-supported', 'The lab needs root: it makes namespaces, mounts and network devices', 'Run it as root.')
}

/**
 * Brings up a lab of `hosts` hosts (1 to 7, 3 if not said) and two switches, and returns when every host answers SSH.
 * A lab of that name that runs already is left as it is and described; hosts of it that ended by themselves are booted again.
 * Leftovers of a killed one are removed first. Errors: `already-exists` if it runs with another number of hosts,
 * `not-supported` without Linux or root, `busy` while another command works on it.
 */
export async function labUp(options: { name?: string; hosts?: number; onStep?: OnStep } = {}): Promise<LabDescription> {
  const { name = 'lab', hosts, onStep = () => undefined } = options
  checkMachine()
  checkLabName(name)
  if (hosts !== undefined && !(Number.isInteger(hosts) && hosts >= 1 && hosts <= maxHosts)) {
    throw new HoldfastError('bad-input', `A lab cannot have ${hosts} hosts`, `Ask for 1 to ${maxHosts}.`)
  }
  return withLock(`lab/${name}`, async () => {
    const old = await readState(name)
    if (old && isRunning(old)) {
      const count = Object.keys(old.hosts).length
      if (hosts !== undefined && hosts !== count) {
        throw new HoldfastError(
          'already-exists',
          `Lab ${name} is up with ${count} hosts, not ${hosts}`,
          `Run \`lab down --name ${name}\` first, or choose another name.`,
        )
      }
      for (const host of await bootEnded(old)) onStep(`Booted ${host}, which had ended`)
      onStep(`Lab ${name} is up already`)
      return describe(old)
    }
    if (await removeLab(name)) onStep(`Removed what was left of a killed lab ${name}`)
    const baseDir = await ensureBaseLayer(onStep)
    onStep(`Booting ${hosts ?? 3} hosts and 2 switches`)
    try {
      return await describe(await createLab(name, hosts ?? 3, baseDir))
    } catch (error) {
      await removeLab(name)
      throw error
    }
  })
}

/** Takes a lab down and removes everything of it, also of one that was killed. Nothing to do if there is none. */
export async function labDown(options: { name?: string } = {}): Promise<void> {
  const { name = 'lab' } = options
  checkMachine()
  checkLabName(name)
  await withLock(`lab/${name}`, () => removeLab(name))
}

/** What of the lab runs now. */
export async function labStatus(options: { name?: string } = {}): Promise<LabStatus> {
  const { name = 'lab' } = options
  checkLabName(name)
  const state = await readState(name)
  if (!state) return { name, state: 'down', hosts: [], added: [] }
  const hosts = Object.entries(state.hosts).map(([host, { downPlanes }]) => ({ name: host, power: powerOf(state, host), downPlanes }))
  return { name, state: isRunning(state) ? 'up' : 'broken', hosts, added: addedOf(state) }
}

/** Description of a running lab. Throws `not-found` if it is not up. */
export async function labDescription(options: { name?: string } = {}): Promise<LabDescription> {
  return describe(await runningLab(options.name ?? 'lab'))
}

/**
 * Runs a program inside a host or an added machine, or inside a light guest by the name of its port, and answers its exit status (127 if there is no such program, 128 + n if signal n ended it).
 * `stdio` as for child_process.spawn; the caller's own by default. Errors: `not-found`, and `busy` if the host is off or paused.
 */
export async function labExec(options: { name?: string; host: string; argv: readonly string[]; stdio?: StdioOptions }): Promise<number> {
  const [program = '', ...args] = await execArgv(options)
  const child = spawn(program, args, { stdio: options.stdio ?? 'inherit' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(exitStatus(code, signal)))
  })
}

/** Like `labExec`, with `input` on stdin and the output collected (at most 8 MiB each). */
export async function labCapture(options: { name?: string; host: string; argv: readonly string[]; input?: string }): Promise<RunResult> {
  return capture(await execArgv(options), options.input === undefined ? {} : { input: options.input })
}

async function execArgv(options: { name?: string; host: string; argv: readonly string[] }): Promise<string[]> {
  const { name = 'lab', host, argv } = options
  if (argv.length === 0) throw new HoldfastError('bad-input', 'No program to run', 'Say which, e.g. `lab exec h1 -- hostname`.')
  const state = await runningLab(name)
  if (!Object.hasOwn(state.hosts, host) && !Object.hasOwn(state.added, host)) {
    const guest = findGuest(state, host)
    if (guest) return enterArgv(state, guest.host, ['nsenter', `--target=${guest.pid}`, '--net', '--pid', '--mount', '--uts', '--ipc', '--', ...argv])
  }
  const power = powerOf(state, host)
  if (power !== 'on') {
    throw new HoldfastError(
      'busy',
      `${host} of lab ${name} is ${power}`,
      `Run \`lab fault ${host} ${power === 'paused' ? 'resume' : 'power-on'}\` first.`,
    )
  }
  return enterArgv(state, host, argv)
}

async function describe(state: LabState): Promise<LabDescription> {
  const plan = planOf(state)
  const { name } = state
  const hosts = plan.hosts.map(async (host) => ({
    name: host.name,
    addresses: { mgmt: host.nics.mgmt.address, storage: host.nics.storage.address, tenant: host.nics.tenant.address },
    nics: { mgmt: 'mgmt', storage: 'storage', tenant: 'tenant' },
    hostKeyFingerprint: sshFingerprint(await hostPublicKey(name, host.name)),
  }))
  return {
    name,
    dir: labDir(name),
    clusterName: name,
    clusterIp: plan.clusterIp,
    laptopAddress: plan.laptop.address,
    sshKeyPath: sshKeyPath(name),
    sshPublicKey: (await readFile(`${sshKeyPath(name)}.pub`, 'utf8')).trim(),
    rootPasswordPath: rootPasswordPath(name),
    hosts: await Promise.all(hosts),
  }
}
