import type { z } from 'zod'
import type { hostContract, SshTarget } from '../../core/contract/desktop/host.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Task } from '../../core/model/task.ts'
import type { AuditLog } from '../audit/audit.ts'
import { joinTarget, splitTarget, type SshSecrets } from '../ssh/identities.ts'
import type { SshLease } from '../ssh/pool.ts'
import type { TaskCentre } from '../tasks/task-centre.ts'
import { admitLaptop } from './admission.ts'
import type { KeyPlace } from './clusters.ts'
import type { AgentPackage } from './files.ts'
import { installParamsSchema, installPlan, type InstallParams } from './install.ts'
import { removeParamsSchema, removePlan, type RemoveParams } from './remove.ts'
import type { DeployServices } from './services.ts'
import { upgradeParamsSchema, upgradePlan, type UpgradeParams } from './upgrade.ts'

type Input<Name extends keyof typeof hostContract> = z.output<NonNullable<(typeof hostContract)[Name]['~orpc']['inputSchema']>>

/** Hosts as a person manages them: their keys, and installing, upgrading and removing their agents as tasks. */
export class HostService {
  readonly #deploy: DeployServices
  readonly #tasks: TaskCentre
  readonly #audit: AuditLog
  readonly #pack: () => Promise<AgentPackage>
  #packing: Promise<AgentPackage> | undefined

  /** Makes its types of tasks known to the task centre. */
  constructor(services: DeployServices, tasks: TaskCentre, audit: AuditLog) {
    const deploy = { ...services, agentPackage: () => this.agentPackage() }
    this.#pack = services.agentPackage
    this.#deploy = deploy
    this.#tasks = tasks
    this.#audit = audit
    tasks.register<InstallParams, SshSecrets>('host-install', (params, secrets) => installPlan(deploy, installParamsSchema.parse(params), secrets))
    tasks.register<UpgradeParams>('host-upgrade', (params) => upgradePlan(deploy, upgradeParamsSchema.parse(params)))
    tasks.register<RemoveParams>('host-remove', (params) => removePlan(deploy, removeParamsSchema.parse(params)))
  }

  /** The agent that belongs to this version of the app. Packing it takes seconds, so those who ask meanwhile share one. */
  agentPackage(): Promise<AgentPackage> {
    this.#packing ??= this.#pack().finally(() => (this.#packing = undefined))
    return this.#packing
  }

  /** The host key that a server shows, before anything is sent to it. */
  async hostKey(input: Input<'hostKey'>) {
    return await this.#deploy.pool.look(input.address, input.port, input.jump)
  }

  /** Pins a host key that a person compared. It is looked at once more, so that only a key that the server really has is pinned. */
  async acceptKey(input: Input<'acceptKey'>): Promise<void> {
    const { address, port, fingerprint } = input
    const shown = await this.#deploy.pool.look(address, port, input.jump)
    if (shown.fingerprint !== fingerprint) {
      throw new HoldfastError(
        'host-key-changed',
        `${address}:${port} shows ${shown.fingerprint}, not ${fingerprint}`,
        'Compare again with the key on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
        { shown: shown.fingerprint, pinned: fingerprint },
      )
    }
    this.#deploy.pool.hostKeys.pin(address, port, shown)
    await this.#audit.append({
      action: 'host-key-accept',
      about: [],
      outcome: 'done',
      detail: { address, port, algorithm: shown.algorithm, fingerprint, before: shown.pinned },
    })
  }

  /** Starts a `host-install` task: the host founds a new cluster, whose key is then kept at `keyPlace`, or it joins `cluster`. */
  async add(cluster: string | null, input: Input<'add'>, keyPlace: KeyPlace = 'store'): Promise<Task> {
    const joined = input.newCluster?.name ?? cluster
    if (joined === null) {
      throw new HoldfastError('no-context', 'This laptop knows no cluster that the host could join', 'Make a new cluster with it as the first host.')
    }
    if (!input.newCluster && !this.#deploy.founding.has(joined)) await this.#refuseTaken(joined, input.name, input.addresses.mgmt)
    const { identity, secrets } = splitTarget(input.target)
    const params: InstallParams = {
      name: input.name,
      cluster: joined,
      ssh: identity,
      addresses: input.addresses,
      ...(input.newCluster
        ? { found: { keyPlace, ...(input.newCluster.clusterIp === undefined ? {} : { clusterIp: input.newCluster.clusterIp }) } }
        : {}),
      ...(input.fingerprint === undefined ? {} : { fingerprint: input.fingerprint }),
    }
    if (!input.newCluster) return await this.#tasks.start<InstallParams, SshSecrets>('host-install', params, secrets)
    const { founding } = this.#deploy
    if (founding.has(joined)) throw new HoldfastError('busy', `${joined} is being founded already`, 'Wait for that, then add the host to it.')
    founding.add(joined)
    try {
      const task = await this.#tasks.start<InstallParams, SshSecrets>('host-install', params, secrets)
      void this.#tasks.finished(task.id).finally(() => founding.delete(joined))
      return task
    } catch (error) {
      founding.delete(joined)
      throw error
    }
  }

  /** Starts a `host-remove` task. */
  async remove(cluster: string, name: string): Promise<Task> {
    return await this.#tasks.start<RemoveParams>('host-remove', { name, cluster, mgmt: await this.#mgmtAddress(cluster, name) })
  }

  /** Starts a `host-upgrade` task to this laptop's version of the agent, or to the package given. */
  async upgrade(cluster: string, input: Input<'upgrade'>, agent?: AgentPackage): Promise<Task> {
    const chosen = agent ?? (await this.agentPackage())
    if (input.version !== undefined && input.version !== chosen.version) {
      throw new HoldfastError(
        'not-found',
        `This laptop has no agent ${input.version}, only ${chosen.version}`,
        'Leave the version out, or use the Holdfast that brought it.',
      )
    }
    return await this.#tasks.start<UpgradeParams>('host-upgrade', {
      name: input.name,
      cluster,
      mgmt: await this.#mgmtAddress(cluster, input.name),
      package: chosen,
    })
  }

  /** Makes the cluster of a host known to this laptop, see `admitLaptop`. Answers the context's name. */
  async admit(target: SshTarget, fingerprint: string | undefined, keyPlace: KeyPlace = 'store', replace = false): Promise<string> {
    const { address, port } = target
    return await this.#audit.around('context-add', [], { address, port }, () => admitLaptop(this.#deploy, { target, fingerprint, keyPlace, replace }))
  }

  /** A share in the SSH connection to a host of a cluster, as it was reached when it was added. For terminals. */
  async reach(cluster: string, name: string): Promise<SshLease> {
    const identity = this.#deploy.identities.get(cluster, name)
    if (!identity) {
      throw new HoldfastError(
        'host-unreachable',
        `This laptop has never reached ${name} by SSH`,
        `Add it from here (holdfast host add ${name} …): a host that is a member already is only made known.`,
      )
    }
    return await this.#deploy.pool.acquire(joinTarget(identity))
  }

  /** A second host of a name that is taken would push the first one out. */
  async #refuseTaken(cluster: string, name: string, mgmt: string): Promise<void> {
    const { hosts } = await this.#deploy.clusters.ask(cluster, null, (any) => any.cluster.status())
    const taken = hosts.find((host) => host.name === name && host.addresses.mgmt !== mgmt)
    if (taken) {
      throw new HoldfastError(
        'already-exists',
        `${cluster} has a host ${name} already, at ${taken.addresses.mgmt}`,
        'Choose another name, or remove that host first.',
      )
    }
  }

  async #mgmtAddress(cluster: string, name: string): Promise<string> {
    const { hosts } = await this.#deploy.clusters.ask(cluster, null, (any) => any.cluster.status())
    const host = hosts.find((one) => one.name === name)
    if (host) return host.addresses.mgmt
    throw new HoldfastError('not-found', `${cluster} has no host ${name}`, `It has ${hosts.map((one) => one.name).join(', ') || 'none'}.`)
  }
}
