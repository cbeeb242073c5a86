import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { nameSchema } from '../../core/model/common.ts'
import { moduleNames, type Module } from '../../core/model/module.ts'
import { joinTarget } from '../ssh/identities.ts'
import type { StepPlan, TaskPlan } from '../tasks/plan.ts'
import { checkSpace } from './checks.ts'
import { removeVersions, spaceNeeded, unpackPackage, uploadPackage, type AgentPackage } from './files.ts'
import { apiPort } from './places.ts'
import type { DeployServices } from './services.ts'

/** What a `host-upgrade` task is started with. `package` is the tarball on the laptop that it brings to the host. */
export const upgradeParamsSchema = z.object({
  name: nameSchema,
  cluster: nameSchema,
  mgmt: z.string(),
  package: z.object({ path: z.string(), version: z.string(), sha256: z.string() }),
})
export type UpgradeParams = z.infer<typeof upgradeParamsSchema>

/** How long a module that was replaced may take to report itself running, and a supervisor to answer again. */
const wellTimeoutMs = 30_000

/**
 * Replaces a host's agent module by module, each behind its own health gate, then the supervisor. A module that is rolled back
 * stops the task there: those before it keep the new version, those after it the old, and all of them run.
 */
export function upgradePlan(services: DeployServices, params: UpgradeParams): TaskPlan {
  const { name, cluster, mgmt } = params
  const agent: AgentPackage = params.package
  const { version } = agent
  const identity = services.identities.get(cluster, name)
  if (!identity) {
    throw new HoldfastError(
      'host-unreachable',
      `This laptop has never reached ${name} by SSH, which is how new versions are brought there`,
      `Add it again from this laptop: holdfast host add ${name} --address ${mgmt}`,
    )
  }
  const target = joinTarget(identity)
  const modules = () => services.clusters.ask(cluster, [`${mgmt}:${apiPort}`], (host) => host.supervisor.modules())

  const upgradeModule = (module: (typeof moduleNames)[number]): StepPlan => ({
    name: `upgrade-${module}`,
    run: async (step) => {
      const before = (await modules()).find((one) => one.name === module)
      if (before?.version === version) return 'skipped'
      step.detail(`${before?.version ?? 'none'} → ${version}`)
      await services.clusters.ask(cluster, [`${mgmt}:${apiPort}`], (host) => host.supervisor.upgradeModule({ name: module, version }))
      await untilRunning(modules, module, version, step.signal)
    },
  })

  return {
    title: `Upgrade ${name} to ${version}`,
    about: [`host/${name}`],
    steps: [
      {
        name: 'check',
        run: async (step) => {
          const running = await modules()
          const unwell = running.find((one) => one.state !== 'running')
          if (unwell) {
            throw new HoldfastError('module-unhealthy', `${unwell.name} on ${name} is ${unwell.state}`, 'Upgrade when all of its modules run.', {
              module: unwell.name,
            })
          }
          using lease = await services.pool.acquire(target)
          await checkSpace(lease.connection, await spaceNeeded(agent))
          step.detail([...new Set(running.map((one) => one.version))].join(', '))
        },
      },
      {
        name: 'upload',
        run: async (step) => {
          using lease = await services.pool.acquire(target)
          return await uploadPackage(lease.connection, agent, (fraction) => step.progress(fraction), step.signal)
        },
      },
      {
        name: 'unpack',
        run: async (step) => {
          using lease = await services.pool.acquire(target)
          return await unpackPackage(lease.connection, version, step.signal)
        },
      },
      ...moduleNames.map(upgradeModule),
      {
        name: 'upgrade-supervisor',
        run: async (step) => {
          const hello = () => services.clusters.ask(cluster, [`${mgmt}:${apiPort}`], (host) => host.supervisor.hello())
          const before = (await hello()).agentVersion
          if (before === version) return 'skipped'
          step.detail(`${before} → ${version}`)
          await services.clusters.ask(cluster, [`${mgmt}:${apiPort}`], (host) => host.supervisor.upgradeSupervisor({ version }))
          await until(async () => (await hello()).agentVersion === version, step.signal, `the supervisor on ${name} does not answer as ${version}`)
        },
      },
      {
        name: 'remove-old-versions',
        run: async (step) => {
          const old = await oldVersions(services, params, await modules())
          if (old.length === 0) return 'skipped'
          using lease = await services.pool.acquire(target)
          await removeVersions(lease.connection, old)
          step.detail(old.join(', '))
        },
      },
    ],
  }
}

/** Versions that no module runs or could be rolled back to: all but the newest two and those in use. */
async function oldVersions(
  services: DeployServices,
  { cluster, mgmt, package: agent }: UpgradeParams,
  modules: readonly Module[],
): Promise<string[]> {
  const versions = await services.clusters.ask(cluster, [`${mgmt}:${apiPort}`], (host) => host.supervisor.versions())
  const kept = new Set([
    agent.version,
    ...modules.flatMap((module) => [module.version, ...(module.previousVersion === undefined ? [] : [module.previousVersion])]),
  ])
  const newest = versions.filter((version) => !kept.has(version)).slice(0, Math.max(0, 2 - kept.size))
  return versions.filter((version) => !kept.has(version) && !newest.includes(version))
}

async function untilRunning(modules: () => Promise<Module[]>, name: string, version: string, signal: AbortSignal): Promise<void> {
  const running = async () => (await modules()).some((module) => module.name === name && module.version === version && module.state === 'running')
  await until(running, signal, `${name} ${version} does not report itself running`)
}

/** Asks until the answer is yes; failures to answer count as no, because a supervisor that replaces itself is away for a moment. */
async function until(question: () => Promise<boolean>, signal: AbortSignal, complaint: string): Promise<void> {
  let last = ''
  for (const deadline = Date.now() + wellTimeoutMs; Date.now() < deadline; await sleep(200, undefined, { signal })) {
    try {
      if (await question()) return
    } catch (error) {
      last = ` (${asHoldfastError(error).message})`
    }
  }
  throw new HoldfastError(
    'module-unhealthy',
    `After ${wellTimeoutMs / 1000} s ${complaint}${last}`,
    'Look at the host’s events and at /var/log/holdfast there.',
  )
}
