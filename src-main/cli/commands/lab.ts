import { HoldfastError } from '../../../core/errors.ts'
import { planeSchema, type Plane } from '../../../core/model/common.ts'
import { labDown, labExec, labFault, labFaults, labStatus, type LabFault } from '../../../lab/lab.ts'
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
    { name, state: 'down', hosts: [] },
    () => `Lab ${name} is down. Its context and inventory are kept: holdfast inventory list hosts --offline --context ${name}`,
  )
}

export async function status(call: Call): Promise<void> {
  const lab = await labStatus({ name: labName(call) })
  call.out.answer(lab, () => {
    const rows = lab.hosts.map((host) => [host.name, host.power, host.downPlanes.join(', ')])
    return `Lab ${lab.name} is ${lab.state}.${rows.length > 0 ? `\n${table(['HOST', 'POWER', 'LINKS DOWN'], rows)}` : ''}`
  })
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
