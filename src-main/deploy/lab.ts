import { setTimeout as sleep } from 'node:timers/promises'
import type { SshTarget } from '../../core/contract/desktop/host.ts'
import type { Status } from '../../core/contract/desktop/inventory.ts'
import { votersWanted } from '../../core/cluster/membership.ts'
import { HoldfastError, type ErrorCode } from '../../core/errors.ts'
import { planes } from '../../core/model/common.ts'
import type { Task } from '../../core/model/task.ts'
import { labFault, labStatus, labUp, type LabDescription, type LabHostDescription } from '../../lab/lab.ts'
import type { SshPool } from '../ssh/pool.ts'
import type { TaskCentre } from '../tasks/task-centre.ts'
import type { Clusters } from './clusters.ts'
import type { HostService } from './host-service.ts'
import { apiPort } from './places.ts'

/** What bringing up a lab needs of the laptop's services. */
export interface LabServices {
  hosts: HostService
  tasks: TaskCentre
  clusters: Clusters
  pool: SshPool
  /** Makes a context current and answers its cluster's status. */
  status(context: string): Promise<Status>
}

export interface LabUpOptions {
  name: string
  hosts?: number
  onStep(line: string): void
}

/** How long a formed cluster may take until every host is up on the laptop's own view. */
const upTimeoutMs = 90_000

/**
 * Brings up a lab with everything on it: hosts, agents installed over SSH as on any real host, the cluster, and a context of the lab's
 * name, which is made current. Answers the status in which every host is up. Up already, it is only checked.
 */
export async function labUpFull(services: LabServices, { name, hosts, onStep }: LabUpOptions): Promise<Status> {
  // Packed while the hosts boot; an error of it comes up in the installs.
  const isUp = (await labStatus({ name })).state === 'up'
  if (!isUp) services.hosts.agentPackage().catch(() => undefined)
  const lab = await labUp({ name, ...(hosts === undefined ? {} : { hosts }), onStep })
  await wake(name, onStep)
  // We have made these hosts: their keys are known from the inside, whatever was pinned for another lab at the same addresses.
  for (const host of lab.hosts)
    services.pool.hostKeys.pin(host.addresses.mgmt, 22, { algorithm: 'ssh-ed25519', fingerprint: host.hostKeyFingerprint })
  let present = await agentsThatAnswer(services.clusters, lab)
  if (isUp && present.size === 0) {
    await admitToLab(services, lab)
    present = await agentsThatAnswer(services.clusters, lab)
  }
  const missing = lab.hosts.filter((host) => !present.has(host.name))
  if (missing.length > 0) await install(services, lab, missing, present.size === 0, onStep)
  services.clusters.connectFrom(lab.clusterName, lab.laptopAddress)
  return await untilUp(services, lab, onStep)
}

/** Machines that a fault has switched off or frozen are brought back: up means up. */
async function wake(name: string, onStep: (line: string) => void): Promise<void> {
  const { hosts, added } = await labStatus({ name })
  for (const { name: host, power } of [...hosts, ...added]) {
    if (power === 'on') continue
    onStep(power === 'paused' ? `Resuming ${host}` : `Powering ${host} on`)
    await labFault({ name, host, fault: power === 'paused' ? 'resume' : 'power-on' })
  }
}

/** Hosts whose agents let this laptop in. */
async function agentsThatAnswer(clusters: Clusters, lab: LabDescription): Promise<Set<string>> {
  if (clusters.caPem(lab.clusterName) === null) return new Set()
  const asked = lab.hosts.map(async (host) => {
    const { host: answers } = await clusters.ask(lab.clusterName, [endpointOf(host)], (agent) => agent.supervisor.hello())
    return answers
  })
  return new Set((await Promise.allSettled(asked)).flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])))
}

/** Where another laptop installed the lab's agents, or this one has forgotten its context: has the first host that can let this one in. */
async function admitToLab({ hosts, clusters }: LabServices, lab: LabDescription): Promise<void> {
  for (const host of lab.hosts) {
    const admitted = await hosts.admit(sshTarget(lab, host), undefined, 'file', true).catch(() => null)
    if (admitted === null) continue
    clusters.connectFrom(lab.clusterName, lab.laptopAddress)
    return
  }
}

/** All hosts at once; those that join wait for the first where it founds the cluster. */
async function install(
  services: LabServices,
  lab: LabDescription,
  hosts: LabHostDescription[],
  founding: boolean,
  onStep: (line: string) => void,
): Promise<void> {
  const tasks: Task[] = []
  let refused: unknown
  using _watch = services.tasks.onChange(showSteps(tasks, onStep))
  for (const [index, host] of hosts.entries()) {
    const target = sshTarget(lab, host)
    const first = founding && index === 0
    const newCluster = first ? { newCluster: { name: lab.clusterName, clusterIp: lab.clusterIp } } : {}
    try {
      tasks.push(await services.hosts.add(lab.clusterName, { name: host.name, target, addresses: host.addresses, ...newCluster }, 'file'))
    } catch (thrown) {
      if (tasks.length === 0) throw thrown
      // Where nobody answers to take this one in, the founding host's task knows why.
      refused = thrown
      break
    }
  }
  const ended = await Promise.all(tasks.map((task) => services.tasks.finished(task.id)))
  const failed = ended.find((task) => task.state !== 'done')
  if (!failed && refused !== undefined) throw refused
  if (!failed) return
  const { code, message, hint, data } = failed.error ?? {
    code: 'step-failed',
    message: `${failed.title} was ${failed.state}.`,
    hint: 'Bring the lab up again.',
  }
  throw new HoldfastError(code as ErrorCode, `${failed.title}: ${message}`, hint, data)
}

async function untilUp(services: LabServices, lab: LabDescription, onStep: (line: string) => void): Promise<Status> {
  onStep(`Waiting until ${lab.hosts.map((host) => host.name).join(', ')} are up`)
  const cut = new Set((await labStatus({ name: lab.name })).hosts.flatMap((host) => host.downPlanes.map((plane) => `${host.name} ${plane}`)))
  for (const deadline = Date.now() + upTimeoutMs; ; await sleep(250)) {
    const status = await services.status(lab.clusterName)
    const down = lab.hosts.filter((host) => !status.hosts.some(({ name, state }) => name === host.name && state === 'up'))
    // Before all of them vote, the loss of one host could take quorum along.
    const voters = await votersThatAreWell(services.clusters, lab.clusterName)
    const wanted = votersWanted(lab.hosts.length)
    const silent = silentPaths(status, cut)
    if (down.length === 0 && status.cluster.leader !== null && voters >= wanted && silent.length === 0) return status
    if (Date.now() < deadline) continue
    const what =
      down.length > 0
        ? `${down.map((host) => host.name).join(', ')} are not up`
        : status.cluster.leader === null
          ? 'the cluster has no leader'
          : voters < wanted
            ? `${voters} of ${wanted} voters are well`
            : `hosts do not hear each other: ${silent.slice(0, 5).join(', ')}`
    throw new HoldfastError(
      'timeout',
      `After ${upTimeoutMs / 1000} s ${what}`,
      `Look at holdfast status and at /var/log/holdfast on the hosts (holdfast lab exec ${lab.hosts[0]?.name} --name ${lab.name} -- ls /var/log/holdfast).`,
    )
  }
}

/** Paths between hosts that are watched and not up, but for links that a fault has cut (`host plane`). */
function silentPaths(status: Status, cut: ReadonlySet<string>): string[] {
  return status.hosts.flatMap(({ name, planes: cells }) =>
    planes.flatMap((plane) =>
      Object.entries(cells[plane] ?? {})
        .filter(([peer, state]) => state !== 'up' && !cut.has(`${name} ${plane}`) && !cut.has(`${peer} ${plane}`))
        .map(([peer]) => `${name} and ${peer} on ${plane}`),
    ),
  )
}

/** How many members of the store vote and are up, by whichever agent answers; 0 while none does. */
async function votersThatAreWell(clusters: Clusters, context: string): Promise<number> {
  const { members } = await clusters.ask(context, null, (agent) => agent.cluster.status()).catch(() => ({ members: [] }))
  return members.filter((member) => member.state === 'up' && member['learner'] !== true).length
}

/** One line for each step of these tasks, when it has ended with something to say. */
function showSteps(tasks: readonly Task[], onStep: (line: string) => void): (task: Task) => void {
  const shown = new Set<string>()
  return (task) => {
    if (!tasks.some(({ id }) => id === task.id)) return
    for (const step of task.steps) {
      const line =
        step.state === 'done' && step.detail !== undefined ? `${step.name}: ${step.detail}` : step.state === 'failed' ? `${step.name}: failed` : null
      const key = `${task.id} ${step.name} ${step.state}`
      if (line === null || shown.has(key)) continue
      shown.add(key)
      onStep(`${task.title}: ${line}`)
    }
  }
}

function sshTarget(lab: LabDescription, host: LabHostDescription): SshTarget {
  return { address: host.addresses.mgmt, port: 22, user: 'root', auth: { type: 'key', path: lab.sshKeyPath } }
}

function endpointOf(host: LabHostDescription): string {
  return `${host.addresses.mgmt}:${apiPort}`
}
