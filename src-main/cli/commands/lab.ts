import { HoldfastError } from '../../../core/errors.ts'
import { planeSchema, type Plane } from '../../../core/model/common.ts'
import {
  addPhysical,
  addPlain,
  labDown,
  labExec,
  labFault,
  labFaults,
  labStatus,
  removeAdded,
  type LabAdded,
  type LabFault,
} from '../../../lab/lab.ts'
import { switchNames, type SwitchName } from '../../../lab/plan.ts'
import { table } from '../output.ts'
import { option, wholeNumber } from '../options.ts'
import { UsageError } from '../parse.ts'
import type { Call } from '../table.ts'

const labName = (call: Call) => option(call, 'name') ?? 'lab'

/** `lab up`: hosts, agents, cluster, context; prints the cluster's status. */
export async function up(call: Call): Promise<void> {
  const [{ labUpFull }, { withServices }, { statusText }] = await Promise.all([
    import('../../deploy/lab.ts'),
    import('../services.ts'),
    import('../status-text.ts'),
  ])
  const hosts = wholeNumber(call, 'hosts')
  await withServices(call, async (services) => {
    const status = await labUpFull(services, {
      name: labName(call),
      ...(hosts === undefined ? {} : { hosts }),
      onStep: (line) => call.out.note(line),
    })
    call.out.answer(status, () => statusText(status))
  })
}

export async function down(call: Call): Promise<void> {
  const name = labName(call)
  await labDown({ name })
  call.out.answer(
    { name, state: 'down', hosts: [], added: [] },
    () => `Lab ${name} is down. Its context and inventory are kept: holdfast inventory list hosts --offline --context ${name}`,
  )
}

export async function status(call: Call): Promise<void> {
  const lab = await labStatus({ name: labName(call) })
  call.out.answer(lab, () => {
    const rows = lab.hosts.map((host) => [host.name, host.power, host.downPlanes.join(', ')])
    const tables = [
      ...(rows.length > 0 ? [table(['HOST', 'POWER', 'LINKS DOWN'], rows)] : []),
      ...(lab.added.length > 0 ? [addedTable(lab.added)] : []),
    ]
    return [`Lab ${lab.name} is ${lab.state}.`, ...tables].join('\n')
  })
}

function addedTable(added: readonly LabAdded[]): string {
  const rows = added.map(({ name, switch: at, port, vlan, mac, address, power, link }) => [
    name,
    vlan === null ? 'plain host' : `physical, VLAN ${vlan}`,
    `${at} ${port}`,
    mac,
    address ?? '',
    power,
    link === 'down' ? 'its link' : '',
  ])
  return table(['MACHINE', 'KIND', 'PORT', 'MAC', 'ADDRESS', 'POWER', 'LINKS DOWN'], rows)
}

export async function physicalAdd(call: Call): Promise<void> {
  const vlan = wholeNumber(call, 'vlan')
  const [address, mac] = [option(call, 'address'), option(call, 'mac')]
  if (vlan === undefined) throw new UsageError('--vlan is missing', 'For example: holdfast lab physical add phys-1 --switch tor2 --vlan 100')
  const added = await addPhysical({
    ...{ name: labName(call), machine: call.args[0] ?? '', switchName: switchOf(call), vlan },
    ...(address === undefined ? {} : { address }),
    ...(mac === undefined ? {} : { mac }),
  })
  call.out.answer(added, () => addedTable([added]))
}

export async function plainAdd(call: Call): Promise<void> {
  const added = await addPlain({ name: labName(call), machine: call.args[0] ?? '', switchName: switchOf(call) })
  call.out.answer(added, () => addedTable([added]))
}

export const physicalRemove = (call: Call): Promise<void> => remove(call, 'physical')
export const plainRemove = (call: Call): Promise<void> => remove(call, 'plain')

async function remove(call: Call, kind: 'physical' | 'plain'): Promise<void> {
  const request = { name: labName(call), machine: call.args[0] ?? '', kind }
  await removeAdded(request)
  call.out.answer(request, () => `${request.machine} is gone`)
}

function switchOf(call: Call): SwitchName {
  const wanted = option(call, 'switch') ?? 'tor1'
  const found = switchNames.find((name) => name === wanted)
  if (found) return found
  throw new UsageError(`There is no switch ${JSON.stringify(wanted)}`, `Switches are ${switchNames.join(' and ')}.`)
}

/** The program's stdout, stderr and exit status are ours. */
export async function exec(call: Call): Promise<number> {
  const [host = '', ...argv] = call.args
  return await labExec({ name: labName(call), host, argv, stdio: 'inherit' })
}

export async function fault(call: Call): Promise<void> {
  const [host = '', wanted = '', planeText] = call.args
  if (!(labFaults as readonly string[]).includes(wanted))
    throw new UsageError(`There is no fault ${JSON.stringify(wanted)}`, `Faults are ${labFaults.join(', ')}.`)
  const plane = planeText === undefined ? undefined : planeOf(planeText)
  const offsetSeconds = wholeNumber(call, 'offset-seconds')
  const request = {
    name: labName(call),
    host,
    fault: wanted as LabFault,
    ...(plane ? { plane } : {}),
    ...(offsetSeconds === undefined ? {} : { offsetSeconds }),
  }
  await labFault(request)
  call.out.answer(request, () => `${host}: ${wanted}${plane ? ` ${plane}` : ''} done`)
}

function planeOf(text: string): Plane {
  const plane = planeSchema.safeParse(text)
  if (plane.success) return plane.data
  throw new HoldfastError('bad-input', `There is no plane ${JSON.stringify(text)}`, 'Planes are mgmt, storage and tenant.')
}
