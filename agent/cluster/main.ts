/** The module `cluster`: membership, leadership, heartbeats and certificates of its host. Started by the supervisor, see `runModule`. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { implement } from '@orpc/server'
import { agentContract } from '../../core/contract/agent/index.ts'
import { HoldfastError } from '../../core/errors.ts'
import { ObjectLog } from '../../core/sync/object-log.ts'
import { agentPaths, readConfig } from '../runtime/config.ts'
import { requireRole, type CallerContext } from '../runtime/context.ts'
import { realEnv as env } from '../runtime/env.ts'
import { EventLog } from '../runtime/events.ts'
import { createLogger } from '../runtime/logger.ts'
import { runModule } from '../runtime/module.ts'
import { agentVersion } from '../runtime/version.ts'
import { ClusterModule } from './cluster-module.ts'
import { hostDocSchema, keys } from './documents.ts'
import { Joining } from './joining.ts'
import { readCa } from './pki-store.ts'

const name = 'cluster'
/** A host leaves in a few seconds: a replacement catches up first where one is needed. */
const leaveMs = 60_000
const moveMs = 10_000

const logger = createLogger(name)
const paths = agentPaths()
const config = readConfig(paths)
const log = new ObjectLog({ env })
const events = new EventLog({ env, log, logger, host: config.host, module: name, path: join(paths.state, 'cluster-events.jsonl') })
const cluster = new ClusterModule({ env, logger, log, events, config, paths })
const { store, view, heartbeats, reports } = cluster
const joining = new Joining({
  store,
  view,
  config,
  paths,
  clusterId: cluster.clusterId,
  storeEndpoints: () => cluster.member.members.filter(({ learner }) => !learner).flatMap(({ clientUrls }) => clientUrls),
  heard: (host) => heartbeats.heard(host),
  nowMs: () => env.wallMs(),
})

// Before runModule's own, so that its release knows that no other version follows.
process.once('SIGTERM', () => (cluster.ending = true))
process.once('SIGINT', () => (cluster.ending = true))

const os = implement(agentContract.cluster).$context<CallerContext>()
const viewer = requireRole('viewer')
const admin = requireRole('admin')

async function removeHost(host: string): Promise<void> {
  const stored = await store.get(keys.host(host))
  const doc = hostDocSchema.safeParse(stored?.value).data
  if (!stored || !doc)
    throw new HoldfastError('not-found', `There is no host ${host} in the cluster ${config.cluster}`, 'See: holdfast status.', { host })
  if (view.hosts.size < 2)
    throw new HoldfastError('bad-input', `${host} is the last host of the cluster`, 'End the cluster on the host itself: holdfast-agent leave.', {
      host,
    })
  if (!doc.leaving) await store.change([{ key: stored.key, revision: stored.revision }], [{ put: stored.key, value: { ...doc, leaving: true } }])
  const endMs = env.monotonicMs() + leaveMs
  while (view.hosts.has(host)) {
    if (env.monotonicMs() > endMs)
      throw new HoldfastError(
        'timeout',
        `${host} is still leaving: its part in the store has not been handed on`,
        'It goes on by itself; look again later, and bring the other hosts up.',
        { host },
      )
    await sleep(100)
  }
}

async function moveLeader(to: string): Promise<void> {
  const member = reports.members().find((each) => each.host === to)
  if (!member) throw new HoldfastError('bad-input', `${to} runs no member of the store, so it cannot lead`, 'Name one of the voters.', { to })
  if (member.state === 'down') throw new HoldfastError('host-unreachable', `${to} does not answer`, 'Name a voter that is up.', { to })
  const endMs = env.monotonicMs() + moveMs
  let asked = -1
  while (view.election?.key?.holder !== to) {
    if (env.monotonicMs() > endMs) throw new HoldfastError('timeout', `Leadership did not come to ${to}`, 'Look at the events of both hosts.', { to })
    const epoch = view.election?.epoch ?? 0
    if (epoch !== asked) {
      asked = epoch
      await store.change([], [{ put: keys.moveLeader, value: { to, epoch } }])
    }
    await sleep(50)
  }
}

await runModule({
  name,
  version: agentVersion(),
  logger,
  log,
  events,
  router: os.router({
    sync: { watch: os.sync.watch.use(viewer).handler(({ input, signal }) => log.watch(input.from, signal)) },
    status: os.status.use(viewer).handler(() => ({ cluster: reports.cluster(), members: reports.members(), hosts: reports.hosts() })),
    createJoinToken: os.createJoinToken.use(admin).handler(async ({ input }) => {
      await cluster.requireQuorum()
      return joining.createToken(input.host, input.ttlMs)
    }),
    // The one call without a certificate: the token is checked inside.
    join: os.join.handler(async ({ input }) => {
      await cluster.requireQuorum()
      return joining.join(input)
    }),
    removeHost: os.removeHost.use(admin).handler(async ({ input }) => {
      await cluster.requireQuorum()
      await removeHost(input.name)
      return {}
    }),
    signClient: os.signClient.use(admin).handler(async ({ input }) => {
      await cluster.requireQuorum()
      const { signPerson } = await import('../../core/pki/certificates.ts')
      const ca = await readCa(store, keys.clusterCa)
      const certificatePem = await signPerson(ca, { ...input, clusterId: cluster.clusterId, nowMs: env.wallMs() })
      return { certificatePem, caPem: ca.certificatePem }
    }),
    rotateCertificates: os.rotateCertificates.use(admin).handler(async () => {
      await cluster.requireQuorum()
      return { notAfterMs: await cluster.rotate() }
    }),
    moveLeader: os.moveLeader.use(admin).handler(async ({ input }) => {
      await cluster.requireQuorum()
      await moveLeader(input.to)
      return { leader: input.to }
    }),
  }),
  health: () => cluster.health(),
  release: async () => ({ ...(await cluster.release()) }),
  activate(handover) {
    cluster.activate(handover)
    return Promise.resolve()
  },
})
