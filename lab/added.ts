import { rm } from 'node:fs/promises'
import { z } from 'zod'
import { HoldfastError } from '../core/errors.ts'
import { macSchema, nameSchema } from '../core/model/common.ts'
import { makeAddedDisk } from './files.ts'
import { bootMachine } from './lifecycle.ts'
import { withLock } from './lock.ts'
import { cgroupOf, killCgroup } from './machine.ts'
import { removePorts } from './network.ts'
import { addedMac, addedNic, maxAdded, plainAddress, switchNames, type SwitchName } from './plan.ts'
import { machineDir, nicsOf, planOf, powerOf, runningLab, switchPids, writeState, type AddedState, type LabState, type Power } from './state.ts'
import { makeVlan } from './vlan.ts'

/** A machine that was added to a lab: a physical server, with a NIC `eth0`, or a plain host, with a NIC `tenant`. */
export interface LabAdded {
  name: string
  switch: SwitchName
  /** Port of the switch that its NIC is plugged into. */
  port: string
  /** The VLAN whose access port that is, for a physical server; null for a plain host, which is on the tenant plane. */
  vlan: number | null
  /** Of its NIC, over power cycles. */
  mac: string
  /** With prefix length, set at boot; null for none. */
  address: string | null
  power: Power
  /** `down` while a fault has cut it. */
  link: 'up' | 'down'
}

const addressSchema = z.union([z.cidrv4(), z.cidrv6()])

/**
 * Adds a physical server to a running lab and boots it. VLANs are 2 to 4094; hosts get their frames tagged at their NIC `tenant`. `mac`: one
 * of the lab's own where none is given. Errors: `bad-input`, `already-exists`, and `not-found` where the lab is not up.
 */
export async function addPhysical(options: {
  name?: string
  machine: string
  switchName: SwitchName
  vlan: number
  address?: string
  mac?: string
}): Promise<LabAdded> {
  const { name, machine, switchName, vlan, address, mac } = options
  if (!Number.isInteger(vlan) || vlan < 2 || vlan > 4094) {
    throw new HoldfastError('bad-input', `${vlan} is no VLAN of an access port`, 'Name one from 2 to 4094; 1 is that of frames without a tag.')
  }
  if (address !== undefined && !addressSchema.safeParse(address).success) {
    throw new HoldfastError('bad-input', `"${address}" is no address with a prefix length`, 'For example 10.20.1.31/24.')
  }
  if (mac !== undefined && (!macSchema.safeParse(mac).success || parseInt(mac.slice(0, 2), 16) % 2 === 1)) {
    throw new HoldfastError('bad-input', `"${mac}" is no MAC of a NIC`, 'For example 02:00:00:00:01:1f.')
  }
  return add(name, machine, switchName, async (state, number) => {
    await makeVlan(state, vlan)
    const its = { number, switchName, vlan, mac: mac ?? addedMac(state.slot, number), address: address ?? null }
    await makeAddedDisk(state.name, machine, bootLines('eth0 mtu 1500', its.address))
    return its
  })
}

/** Adds a host without virtual switch and agent to a running lab, and boots it: its one NIC, `tenant`, is on the tenant plane, with an address there. Errors as of `addPhysical`. */
export async function addPlain(options: { name?: string; machine: string; switchName: SwitchName }): Promise<LabAdded> {
  const { name, machine, switchName } = options
  return add(name, machine, switchName, async (state, number) => {
    const address = `${plainAddress(planOf(state), number)}/24`
    await makeAddedDisk(state.name, machine, bootLines('tenant', address))
    return { number, switchName, vlan: null, mac: addedMac(state.slot, number), address }
  })
}

/** Lines of ip(8) by which an added machine sets up its NIC. */
function bootLines(device: string, address: string | null): string[] {
  const name = device.split(' ')[0]
  return ['link set dev lo up', `link set dev ${device} up`, ...(address === null ? [] : [`address add ${address} dev ${name}`])]
}

async function add(
  lab = 'lab',
  machine: string,
  switchName: SwitchName,
  make: (state: LabState, number: number) => Promise<Omit<AddedState, 'power' | 'init' | 'environment' | 'linkDown'>>,
): Promise<LabAdded> {
  if (!nameSchema.safeParse(machine).success) {
    throw new HoldfastError('bad-input', `"${machine}" cannot name a machine`, 'Use lower-case letters, digits and dashes, at most 63.')
  }
  if (!switchNames.includes(switchName)) {
    throw new HoldfastError('bad-input', `There is no switch ${String(switchName)}`, `Switches are ${switchNames.join(' and ')}.`)
  }
  await runningLab(lab)
  return withLock(`lab/${lab}`, async () => {
    const state = await runningLab(lab)
    if ([...Object.keys(state.hosts), ...switchNames, ...Object.keys(state.added)].includes(machine)) {
      throw new HoldfastError('already-exists', `Lab ${lab} has a machine ${machine} already`, 'Choose another name, or remove that one first.')
    }
    const taken = Object.values(state.added).map(({ number }) => number)
    const number = Array.from({ length: maxAdded }, (_, index) => index + 1).find((one) => !taken.includes(one))
    if (number === undefined) {
      throw new HoldfastError('busy', `Lab ${lab} has ${maxAdded} added machines, which is all that its switches have ports for`, 'Remove one first.')
    }
    // What a command that was killed on its way left behind.
    await clear(state, machine)
    // Not meant to be on before it is: `lab up` would boot what has no disk yet.
    state.added[machine] = { ...(await make(state, number)), power: 'off', init: null, environment: [], linkDown: false }
    await writeState(state)
    await bootMachine(state, machine)
    return describeAdded(state, machine)
  })
}

/** Ends an added machine and removes all of it; its VLAN stays. Throws `not-found` for one that is none of this kind. */
export async function removeAdded(options: { name?: string; machine: string; kind: 'physical' | 'plain' }): Promise<void> {
  const { name = 'lab', machine, kind } = options
  await runningLab(name)
  await withLock(`lab/${name}`, async () => {
    const state = await runningLab(name)
    const names = addedOf(state).flatMap((one) => ((one.vlan === null) === (kind === 'plain') ? [one.name] : []))
    if (!names.includes(machine)) {
      throw new HoldfastError(
        'not-found',
        `Lab ${name} has no ${kind === 'physical' ? 'physical server' : 'plain host'} ${machine}`,
        names.length > 0 ? `It has ${names.join(', ')}.` : 'It has none.',
      )
    }
    await removePorts(switchPids(state), nicsOf(state, machine).nics)
    await clear(state, machine)
    delete state.added[machine]
    await writeState(state)
  })
}

async function clear(state: LabState, machine: string): Promise<void> {
  await killCgroup(await cgroupOf(state.name, machine))
  await rm(machineDir(state.name, machine), { recursive: true, force: true })
}

/** The machines that were added to a lab and are still there. */
export function addedOf(state: LabState): LabAdded[] {
  return Object.keys(state.added).map((name) => describeAdded(state, name))
}

function describeAdded(state: LabState, machine: string): LabAdded {
  const { linkDown, ...added } = state.added[machine] as AddedState
  const { switchName, vlan, mac, address } = added
  const { port } = addedNic(state.slot, added)
  return { name: machine, switch: switchName, port, vlan, mac, address, power: powerOf(state, machine), link: linkDown ? 'down' : 'up' }
}
