import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { csrCommonName } from '../../core/pki/index.ts'
import { readConfig, type AgentPaths } from '../runtime/config.ts'
import { readEnrolment } from './enrolment.ts'
import { Journal } from './journal.ts'
import { askModule, socketPath } from './module-process.ts'
import { serving } from './swap.ts'

const inputSchema = z.object({ csrPem: z.string().max(16_384) })
const signedSchema = z.object({ certificatePem: z.string() })
const certificateMs = 365 * 86_400_000
const answerMs = 10_000

/** Answer of `admit`. */
export interface AdmitAnswer {
  cluster: string
  host: string
  clusterId: string
  caPem: string
  certificatePem: string
  /** `address:port` of this host's agent. */
  endpoint: string
}

/**
 * A certificate of role admin for whoever root of this host asks for: a new administrator's laptop, or one that lost its keys. It gives
 * nothing away: root of a member can read the CA's key in the store. Throws `not-found`, `module-unhealthy`, `quorum-lost`, `bad-input`.
 */
export async function admit(paths: AgentPaths, input: unknown): Promise<AdmitAnswer> {
  const parsed = inputSchema.safeParse(input)
  if (!parsed.success) throw new HoldfastError('bad-input', `The document for admit is not right: ${z.prettifyError(parsed.error)}`, 'Give {csrPem}.')
  const { csrPem } = parsed.data
  const enrolment = readEnrolment(paths)
  const record = new Journal(join(paths.state, 'modules.json')).get('cluster')
  if (!enrolment || !record) throw new HoldfastError('not-found', 'This host belongs to no cluster', 'Name a host that does.')
  const { cluster, host, addresses, apiPort } = readConfig(paths)
  const name = (await csrCommonName(csrPem)) || 'admin'
  const answer = await askModule(socketPath(paths, 'cluster', serving(record)), 'POST', '/v1/cluster/clients', {
    body: { csrPem, name, role: 'admin', ttlMs: certificateMs },
    caller: { identity: `root@${host}`, role: 'admin' },
    timeoutMs: answerMs,
  })
  const { certificatePem } = signedSchema.parse(answer)
  return { cluster, host, clusterId: enrolment.clusterId, caPem: enrolment.caPem, certificatePem, endpoint: `${addresses.mgmt}:${apiPort}` }
}
