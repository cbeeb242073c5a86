import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { agentConfigSchema, type AgentConfig, type AgentPaths } from '../runtime/config.ts'
import { replaceFile, syncDirectory, writeSynced } from './files.ts'

/** `/etc/holdfast/join.json`: how the cluster module finds its place in the store. Written by `init` and `join`. */
export const joinDocSchema = z.looseObject({
  clusterId: z.string(),
  role: z.enum(['voter', 'client']),
  /** Members to start etcd with, `name=https://ip:2380`. */
  initialCluster: z.array(z.string()),
  /** `new` on the host that made the cluster: etcd's `--initial-cluster-state`. */
  initialClusterState: z.enum(['new', 'existing']),
  /** Where etcd answers clients, `https://ip:2379`. */
  storeEndpoints: z.array(z.string()),
})
export type JoinDoc = z.infer<typeof joinDocSchema>

/** The files of `/etc/holdfast/pki`, by name. */
export interface PkiFiles {
  'ca.crt': string
  'host.key': string
  'host.crt': string
  'store-ca.crt': string
  'store.key': string
  'store.crt': string
  /** 32 random bytes, base64: the cluster's secret for heartbeats. */
  'heartbeat.key': string
  /** Only on the host that made the cluster, until the cluster module has put them into the store. */
  'bootstrap-ca.key'?: string
  'bootstrap-store-ca.key'?: string
}

/** What this host already belongs to; null when to nothing. */
export interface Enrolment {
  cluster: string
  host: string
  clusterId: string
  caPem: string
}

/** Reads what this host belongs to. */
export function readEnrolment(paths: AgentPaths): Enrolment | null {
  const certificatePath = join(paths.pki, 'host.crt')
  if (!existsSync(certificatePath) || !existsSync(paths.config)) return null
  const config = agentConfigSchema.parse(JSON.parse(readFileSync(paths.config, 'utf8')))
  const fields = new Map(
    new X509Certificate(readFileSync(certificatePath)).subject.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]),
  )
  return { cluster: config.cluster, host: config.host, clusterId: fields.get('O') ?? '', caPem: readFileSync(join(paths.pki, 'ca.crt'), 'utf8') }
}

/** Throws `already-exists` when the host belongs to another cluster or has another name. */
export function refuseOther(enrolment: Enrolment, config: AgentConfig): void {
  if (enrolment.cluster === config.cluster && enrolment.host === config.host) return
  throw new HoldfastError(
    'already-exists',
    `This host is ${enrolment.host} of the cluster ${enrolment.cluster} already`,
    `Remove it there first: holdfast host remove ${enrolment.host}.`,
    {
      cluster: enrolment.cluster,
      host: enrolment.host,
    },
  )
}

/** Writes everything that makes this host a member. All of `pki/` appears at once, last, so a host that has it is complete. */
export function writeEnrolment(paths: AgentPaths, config: AgentConfig, files: PkiFiles, joinDoc: JoinDoc): void {
  replaceFile(paths.config, `${JSON.stringify(config, null, 2)}\n`, 0o644)
  replaceFile(paths.join, `${JSON.stringify(joinDoc, null, 2)}\n`, 0o600)
  const staging = `${paths.pki}.new`
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true, mode: 0o700 })
  for (const [name, content] of Object.entries(files) as [string, string][])
    writeSynced(join(staging, name), content, name.endsWith('.crt') ? 0o644 : 0o600)
  syncDirectory(staging)
  rmSync(paths.pki, { recursive: true, force: true })
  renameSync(staging, paths.pki)
  syncDirectory(dirname(paths.pki))
}

/** Every address under which this host's certificates are valid. */
export function certificateAddresses(config: AgentConfig): string[] {
  const { mgmt, storage, tenant } = config.addresses
  return [mgmt, storage, tenant, '127.0.0.1'].filter((address) => address !== undefined)
}
