import https from 'node:https'
import { z } from 'zod'
import { clusterContract } from '../../core/contract/agent/cluster.ts'
import { errorCodes, HoldfastError, type ErrorCode } from '../../core/errors.ts'
import { errorDocSchema } from '../../core/model/task.ts'
import { createCsr, fingerprint } from '../../core/pki/index.ts'
import { agentConfigSchema, type AgentConfig, type AgentPaths } from '../runtime/config.ts'
import { readEnrolment, refuseOther, writeEnrolment } from './enrolment.ts'

const inputSchema = z.object({
  config: agentConfigSchema,
  token: z.string().min(1).max(512),
  /** SHA-256 of the cluster CA's certificate, hex. */
  caFingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** `address:port` of agents of the cluster, tried in turn. */
  endpoints: z
    .array(z.string().regex(/^[^/\s]+:\d{1,5}$/))
    .min(1)
    .max(64),
})

const answerSchema = clusterContract.join['~orpc'].outputSchema!
const answerMs = 30_000

/** Answer of `join`. */
export interface JoinAnswer {
  clusterId: string
  caPem: string
}

/**
 * Makes this host a member of a cluster: keys made here, certificates fetched with the token from an agent whose CA has the
 * fingerprint given. Again on a host that joined this cluster, it answers the same and uses no token.
 * Throws `already-exists`, `bad-input`, `wrong-cluster`, `host-unreachable`, or what the cluster says (`token-invalid`, `quorum-lost`).
 */
export async function join(paths: AgentPaths, input: unknown): Promise<JoinAnswer> {
  const parsed = inputSchema.safeParse(input)
  if (!parsed.success)
    throw new HoldfastError(
      'bad-input',
      `The document for join is not right: ${z.prettifyError(parsed.error)}`,
      'Give {config, token, caFingerprint, endpoints}.',
    )
  const { config, token, caFingerprint, endpoints } = parsed.data

  const present = readEnrolment(paths)
  if (present) {
    refuseOther(present, config)
    if ((await fingerprint(present.caPem)) === caFingerprint) return { clusterId: present.clusterId, caPem: present.caPem }
    throw new HoldfastError(
      'already-exists',
      `This host belongs to another cluster that is named ${config.cluster} too`,
      `Remove it there first: holdfast host remove ${config.host}.`,
    )
  }

  const host = await createCsr({ commonName: config.host })
  const store = await createCsr({ commonName: config.host })
  const body = JSON.stringify({ token, host: { name: config.host, addresses: config.addresses }, csrPem: host.csrPem, storeCsrPem: store.csrPem })
  const answer = await ask(endpoints, caFingerprint, body)
  writeEnrolment(
    paths,
    adopt(config, answer),
    {
      'ca.crt': answer.caPem,
      'host.key': host.keyPem,
      'host.crt': answer.certificatePem,
      'store-ca.crt': answer.storeCaPem,
      'store.key': store.keyPem,
      'store.crt': answer.storeCertificatePem,
      'heartbeat.key': `${answer.heartbeatKey.trim()}\n`,
    },
    {
      clusterId: answer.clusterId,
      role: answer.role,
      initialCluster: answer.initialCluster,
      initialClusterState: 'existing',
      storeEndpoints: answer.storeEndpoints,
    },
  )
  return { clusterId: answer.clusterId, caPem: answer.caPem }
}

type Answer = z.infer<typeof answerSchema>

/** The cluster's own facts win over what the host was told. */
function adopt(config: AgentConfig, answer: Answer): AgentConfig {
  return { ...config, cluster: answer.clusterName, ...(answer.clusterIp === undefined ? {} : { clusterIp: answer.clusterIp }) }
}

/** Asks one endpoint after the other; the next one only when one cannot be reached. */
async function ask(endpoints: string[], caFingerprint: string, body: string): Promise<Answer> {
  const reasons: Record<string, string> = {}
  for (const endpoint of endpoints) {
    const { hostname, port } = new URL(`https://${endpoint}`)
    const at = { host: hostname, port: Number(port || 443) }
    try {
      // Nothing is sent but this question before the CA's fingerprint was compared.
      const { caPem } = z.object({ caPem: z.string() }).parse(await call({ ...at, method: 'GET', path: '/v1/ca', rejectUnauthorized: false }))
      if ((await fingerprint(caPem)) !== caFingerprint) {
        throw new HoldfastError(
          'wrong-cluster',
          `${endpoint} does not belong to the cluster that the token is for`,
          'Check the address; if it is right, somebody sits in between.',
          { endpoint },
        )
      }
      return answerSchema.parse(await call({ ...at, method: 'POST', path: '/v1/cluster/join', ca: caPem }, body))
    } catch (thrown) {
      if (thrown instanceof HoldfastError) throw thrown
      reasons[endpoint] = thrown instanceof Error ? thrown.message : String(thrown)
    }
  }
  throw new HoldfastError(
    'host-unreachable',
    `No agent of the cluster could be reached: ${endpoints.join(', ')}`,
    'Check that this host reaches them on the mgmt plane.',
    { reasons },
  )
}

/** One HTTPS request with JSON both ways. Throws the ErrorDoc that was answered as a HoldfastError, and plain errors for the network's. */
function call(options: https.RequestOptions, body?: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const request = https.request(
      { ...options, agent: false, minVersion: 'TLSv1.3', servername: '', headers, signal: AbortSignal.timeout(answerMs) },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > 1024 * 1024) request.destroy(new Error('the answer is too large'))
          chunks.push(chunk)
        })
        response.on('error', reject)
        response.on('end', () => {
          try {
            const answer: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
            if (response.statusCode === 200) return resolve(answer)
            const error = errorDocSchema.parse(answer)
            reject(
              new HoldfastError(
                Object.hasOwn(errorCodes, error.code) ? (error.code as ErrorCode) : 'internal',
                error.message,
                error.hint,
                error.data ?? {},
              ),
            )
          } catch (cause) {
            reject(cause as Error)
          }
        })
      },
    )
    request.on('error', (error: NodeJS.ErrnoException) => {
      const skewed = error.code === 'CERT_NOT_YET_VALID' || error.code === 'CERT_HAS_EXPIRED'
      reject(
        skewed
          ? new HoldfastError(
              'clock-skew',
              `The cluster's certificates are not valid by this host's clock, which says ${new Date().toISOString()}`,
              "Correct this host's clock.",
              {},
              { cause: error },
            )
          : error,
      )
    })
    request.end(body)
  })
}
