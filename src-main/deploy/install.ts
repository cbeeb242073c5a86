import { userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { nameSchema } from '../../core/model/common.ts'
import { sshIdentitySchema, type SshSecrets } from '../ssh/identities.ts'
import type { StepPlan, StepRun, TaskPlan } from '../tasks/plan.ts'
import { inspectAgent, readLogs, runAgentCommand, wipeAgent, type AgentOnHost } from './agent-on-host.ts'
import { checkClock, checkPorts, checkSpace, checkSystem, findNics } from './checks.ts'
import { pointCurrent, spaceNeeded, startService, unpackPackage, uploadPackage, writeRemoteFile, type AgentPackage } from './files.ts'
import { installPackages, missingPackages } from './packages.ts'
import { sameCertificate } from './clusters.ts'
import { apiPort, places } from './places.ts'
import type { DeployServices } from './services.ts'
import { HostSession } from './session.ts'

/** What a `host-install` task is started with; kept with the task, so it holds no secret. */
export const installParamsSchema = z.object({
  /** Name of the host. */
  name: nameSchema,
  /** Cluster that it joins, or that it founds. The context has the same name. */
  cluster: nameSchema,
  /** Given when it is the first host of a new cluster. */
  found: z.object({ clusterIp: z.string().optional(), keyPlace: z.enum(['store', 'file']) }).optional(),
  ssh: sshIdentitySchema,
  /** Host key that the person accepted; the pinned one counts where this is missing. */
  fingerprint: z.string().optional(),
  addresses: z.object({ mgmt: z.string(), storage: z.string().optional(), tenant: z.string().optional() }),
})
export type InstallParams = z.infer<typeof installParamsSchema>

/** How long a freshly started agent may take until it answers and its host's document is there. */
const startTimeoutMs = 60_000

const initAnswer = z.looseObject({ clusterId: z.string(), caPem: z.string(), adminCertificatePem: z.string() })
const joinAnswer = z.looseObject({ clusterId: z.string(), caPem: z.string() })

/**
 * Makes a Linux machine a host of a cluster. Nothing is changed on it before every check has passed. From the first change to the
 * last, a marker file lies on the host: an install that stops on the way takes back all it made, and one that was cut off
 * (the laptop slept, the host lost power) goes on from the marker, or clears what cannot be gone on with.
 */
export function installPlan(services: DeployServices, params: InstallParams, secrets: SshSecrets | undefined): TaskPlan {
  const install = new Install(services, params, secrets)
  return { title: `Install ${params.name}`, about: [`host/${params.name}`], steps: install.steps(), cleanup: (step) => install.cleanUp(step) }
}

class Install {
  readonly #services: DeployServices
  readonly #params: InstallParams
  readonly #session: HostSession
  #package: Promise<AgentPackage> | undefined

  constructor(services: DeployServices, params: InstallParams, secrets: SshSecrets | undefined) {
    this.#services = services
    this.#params = params
    this.#session = new HostSession(services.pool, params.ssh, secrets, params.fingerprint)
  }

  steps(): StepPlan[] {
    return [
      { name: 'connect', run: (step) => this.#connect(step) },
      { name: 'check-system', run: (step) => this.#checkSystem(step) },
      { name: 'packages', run: (step) => this.#packages(step) },
      { name: 'check-network', run: (step) => this.#checkNetwork(step) },
      { name: 'leftovers', run: (step) => this.#leftovers(step) },
      { name: 'upload', run: (step) => this.#upload(step) },
      { name: 'unpack', run: (step) => this.#unpack(step) },
      {
        name: this.#params.found ? 'found-cluster' : 'join-cluster',
        run: (step) => (this.#params.found ? this.#found(step, this.#params.found) : this.#join(step)),
      },
      { name: 'start', run: (step) => this.#start(step) },
      { name: 'wait', run: (step) => this.#wait(step) },
    ]
  }

  async #connect(step: StepRun): Promise<void> {
    const { ssh: identity } = this.#params
    step.detail(`${identity.user}@${identity.address}:${identity.port}`)
    const ssh = await this.#session.ssh()
    await ssh.run(['true'], { signal: step.signal })
  }

  async #checkSystem(step: StepRun): Promise<void> {
    const ssh = await this.#session.ssh()
    const { found } = this.#params
    if (found) await this.#services.clusters.checkKeyPlace(found.keyPlace)
    const { system } = await checkSystem(ssh)
    const offsetMs = await checkClock(ssh, await this.#clusterOffsetMs())
    if (!(await this.#isMember())) await checkSpace(ssh, await spaceNeeded(await this.#agentPackage()))
    step.detail(`${system}, clock ${offsetMs >= 0 ? '+' : ''}${offsetMs} ms`)
  }

  async #packages(step: StepRun): Promise<'skipped' | void> {
    const ssh = await this.#session.ssh()
    const missing = await missingPackages(ssh)
    if (missing.length === 0) return 'skipped'
    step.detail(`apt-get install ${missing.join(' ')}; Debian’s own services etcd and Open vSwitch are kept off, lldpd is started`)
    await installPackages(ssh, missing, step.signal)
  }

  async #checkNetwork(step: StepRun): Promise<void> {
    const ssh = await this.#session.ssh()
    await checkPorts(ssh)
    const nics = await findNics(ssh, this.#params.addresses)
    step.detail(
      Object.entries(nics)
        .map(([plane, nic]) => `${plane} on ${nic}`)
        .join(', '),
    )
  }

  async #leftovers(step: StepRun): Promise<'skipped' | void> {
    const ssh = await this.#session.ssh()
    const agent = await inspectAgent(ssh)
    if (agent.absent) return 'skipped'
    const verdict = await this.#judge(agent)
    if (verdict === 'foreign') {
      throw new HoldfastError(
        'already-exists',
        `${ssh.label} is already ${agent.config?.host} of a cluster ${agent.config?.cluster} that is not this laptop’s ${this.#params.cluster}`,
        `Take it out there first (holdfast host remove ${agent.config?.host} --context ${agent.config?.cluster}); if that cluster is gone, run on the host: ${places.current}/bin/node ${places.current}/supervisor.mjs leave`,
        { cluster: agent.config?.cluster, host: agent.config?.host },
      )
    }
    if (verdict === 'member') step.detail('the agent is installed already')
    if (verdict === 'resume') step.detail('goes on where an earlier install stopped')
    if (verdict === 'wipe') {
      step.detail('removes a half-installed agent')
      await wipeAgent(ssh)
      step.detail('removed a half-installed agent')
    }
  }

  async #upload(step: StepRun): Promise<'skipped' | void> {
    if (await this.#isMember()) return 'skipped'
    const ssh = await this.#session.ssh()
    await writeRemoteFile(ssh, places.marker, `${this.#params.cluster}/${this.#params.name}\n`)
    const agent = await this.#agentPackage()
    step.detail(agent.version)
    return await uploadPackage(ssh, agent, (fraction) => step.progress(fraction), step.signal)
  }

  async #unpack(step: StepRun): Promise<'skipped' | void> {
    if (await this.#isMember()) return 'skipped'
    const ssh = await this.#session.ssh()
    const { version } = await this.#agentPackage()
    const outcome = await unpackPackage(ssh, version, step.signal)
    await pointCurrent(ssh, version)
    return outcome
  }

  /** The laptop keeps its certificate at once, so that a founding that is cut off after this can go on. */
  async #found(step: StepRun, found: NonNullable<InstallParams['found']>): Promise<'skipped' | void> {
    const { cluster, name } = this.#params
    const { clusters } = this.#services
    const ssh = await this.#session.ssh()
    const agent = await inspectAgent(ssh)
    if (agent.certified && sameCertificate(agent.caPem, clusters.caPem(cluster))) return 'skipped'
    step.detail(`${name} founds ${cluster}`)
    const config = await this.#configure()
    // Loaded here because it is large and every command starts by loading this file.
    const { createCsr } = await import('../../core/pki/index.ts')
    const { csrPem, keyPem } = await createCsr({ commonName: userInfo().username })
    const { clusterId, caPem, adminCertificatePem } = await runAgentCommand(ssh, 'init', { config, adminCsrPem: csrPem }, initAnswer, step.signal)
    await clusters.create(
      { name: cluster, clusterId, caPem, certificatePem: adminCertificatePem, keyPem, endpoints: [this.#endpoint] },
      found.keyPlace,
    )
  }

  async #join(step: StepRun): Promise<'skipped' | void> {
    const { cluster, name } = this.#params
    const { clusters } = this.#services
    await this.#untilFounded(step)
    if (await this.#isMember()) return 'skipped'
    const ssh = await this.#session.ssh()
    await checkClock(ssh, await this.#clusterOffsetMs())
    const agent = await inspectAgent(ssh)
    if (!(agent.config && agent.certified)) {
      step.detail(`asks ${cluster} for a token`)
      await untilReady(step, async () => {
        const { token, caFingerprint, endpoints } = await clusters.ask(cluster, null, (any) => any.cluster.createJoinToken({ host: name }))
        step.detail(`${name} joins ${cluster}`)
        await runAgentCommand(ssh, 'join', { config: await this.#configure(), token, caFingerprint, endpoints }, joinAnswer, step.signal)
      })
    }
  }

  async #start(_step: StepRun): Promise<void> {
    await startService(await this.#session.ssh())
  }

  async #wait(step: StepRun): Promise<void> {
    const { cluster, name, ssh: identity } = this.#params
    step.detail('waits for the agent to answer')
    const version = await this.#untilWell(step)
    this.#services.clusters.addEndpoint(cluster, this.#endpoint)
    this.#services.identities.put(cluster, name, identity)
    await (await this.#session.ssh()).run(['rm', '-f', places.marker])
    this.#session.close()
    step.detail(`agent ${version} answers`)
  }

  /** Waits until the agent answers this laptop's certificate and the cluster has the host's document; answers the agent's version. */
  async #untilWell(step: StepRun): Promise<string> {
    const { cluster, name } = this.#params
    const { clusters } = this.#services
    let last = 'its document does not appear in the cluster'
    for (const deadline = Date.now() + startTimeoutMs; Date.now() < deadline; await sleep(200, undefined, { signal: step.signal })) {
      try {
        const { agentVersion } = await clusters.ask(cluster, [this.#endpoint], (agent) => agent.supervisor.hello())
        const { hosts } = await clusters.ask(cluster, [this.#endpoint], (agent) => agent.cluster.status())
        if (hosts.some((host) => host.name === name)) return agentVersion
      } catch (error) {
        last = asHoldfastError(error).message
      }
    }
    throw new HoldfastError(
      'timeout',
      `The agent on ${name} was started and is not well after ${startTimeoutMs / 1000} s: ${last}`,
      `What its logs said last is kept with this error. Look also whether TCP port ${apiPort} of the host can be reached from here.`,
      { log: await readLogs(await this.#session.ssh()) },
    )
  }

  /** Takes back what this install made, if it made anything: the marker says so. A whole member is never touched. */
  async cleanUp(step: StepRun): Promise<void> {
    const { cluster, name, found } = this.#params
    try {
      const ssh = await this.#session.ssh()
      const agent = await inspectAgent(ssh)
      if (!agent.unfinished) return
      step.detail(`takes the agent off ${name} again`)
      if (found) await this.#services.clusters.discard(cluster, agent.caPem)
      else if (agent.certified) {
        await this.#services.clusters
          .ask(cluster, null, (any) => any.cluster.removeHost({ name }))
          .catch((error: unknown) => {
            if (asHoldfastError(error).code !== 'not-found') throw error
          })
        this.#services.clusters.removeEndpoint(cluster, this.#endpoint)
      }
      await wipeAgent(ssh)
      step.detail(`nothing of this install is left on ${name}`)
    } finally {
      this.#session.close()
    }
  }

  /** What to do with the agent that lies on the host. */
  async #judge(agent: AgentOnHost): Promise<'member' | 'resume' | 'wipe' | 'foreign'> {
    const { cluster, name, found } = this.#params
    const sameName = agent.config?.cluster === cluster && agent.config.host === name
    const caPem = found ? this.#services.clusters.caPem(cluster) : this.#caPem()
    if (sameName && sameCertificate(agent.caPem, caPem)) {
      // The cluster may have taken it out while it was away: then what lies here is of no use any more.
      if (!found && !(await this.#isListed())) return 'wipe'
      return agent.whole && !agent.unfinished ? 'member' : 'resume'
    }
    if (agent.unfinished) return sameName && !agent.certified ? 'resume' : 'wipe'
    return agent.certified ? 'foreign' : 'wipe'
  }

  async #isListed(): Promise<boolean> {
    const { hosts } = await this.#services.clusters.ask(this.#params.cluster, null, (any) => any.cluster.status())
    return hosts.some((host) => host.name === this.#params.name)
  }

  async #isMember(): Promise<boolean> {
    const agent = await inspectAgent(await this.#session.ssh())
    return agent.certified && (await this.#judge(agent)) === 'member'
  }

  /** Writes `agent.json` and answers what it holds. */
  async #configure(): Promise<Record<string, unknown>> {
    const { cluster, name, addresses, found } = this.#params
    const ssh = await this.#session.ssh()
    const nics = await findNics(ssh, addresses)
    const config = { cluster, host: name, addresses, nics, ...(found?.clusterIp === undefined ? {} : { clusterIp: found.clusterIp }) }
    await writeRemoteFile(ssh, places.config, `${JSON.stringify(config, null, 2)}\n`)
    return config
  }

  /** The cluster's clock against the laptop's in ms; null where no agent can be asked yet. */
  async #clusterOffsetMs(): Promise<number | null> {
    if (this.#caPem() === null) return null
    try {
      const askedMs = Date.now()
      const { nowMs } = await this.#services.clusters.ask(this.#params.cluster, null, (any) => any.supervisor.hello())
      return nowMs - (askedMs + Date.now()) / 2
    } catch {
      return null
    }
  }

  /** Certificate of the cluster's CA, or null while the cluster is not there yet; that of an earlier cluster of the same name does not count. */
  #caPem(): string | null {
    const { cluster, found } = this.#params
    return found || this.#services.founding.has(cluster) ? null : this.#services.clusters.caPem(cluster)
  }

  /** A host may be installed beside the one that founds its cluster; here it waits for that. */
  async #untilFounded(step: StepRun): Promise<void> {
    const { cluster } = this.#params
    step.detail(`waits for ${cluster} to be founded`)
    while (this.#services.founding.has(cluster)) await sleep(100, undefined, { signal: step.signal })
    if (this.#services.clusters.caPem(cluster) !== null) return
    throw new HoldfastError(
      'no-context',
      `This laptop knows no cluster ${cluster}`,
      `Found it with its first host: holdfast host add NAME --new-cluster ${cluster} …`,
    )
  }

  #agentPackage(): Promise<AgentPackage> {
    this.#package ??= this.#services.agentPackage()
    return this.#package
  }

  get #endpoint(): string {
    return `${this.#params.addresses.mgmt}:${apiPort}`
  }
}

/** A cluster that has just been founded, or whose leader has just died, is not ready for a moment. */
const passing: readonly string[] = ['no-leader', 'quorum-lost', 'module-unhealthy', 'busy']
const readyTimeoutMs = 20_000

async function untilReady(step: StepRun, work: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + readyTimeoutMs; ; await sleep(300, undefined, { signal: step.signal })) {
    try {
      return await work()
    } catch (error) {
      if (!passing.includes(asHoldfastError(error).code) || Date.now() > deadline) throw error
      step.detail(`waits: ${asHoldfastError(error).message}`)
    }
  }
}
