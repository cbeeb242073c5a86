import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { createCa, createCsr, csrCommonName, signHost, signPerson } from '../../core/pki/index.ts'
import { agentConfigSchema, type AgentPaths } from '../runtime/config.ts'
import { certificateAddresses, readEnrolment, refuseOther, writeEnrolment } from './enrolment.ts'

const inputSchema = z.object({ config: agentConfigSchema, adminCsrPem: z.string().max(16_384) })

/** Answer of `init`. */
export interface InitAnswer {
  clusterId: string
  caPem: string
  /** Certificate of the first administrator, role admin. */
  adminCertificatePem: string
}

/**
 * Makes a cluster with this host as its first: both CAs, the host's keys and certificates, the key of the heartbeats.
 * Again on the same host while the CA's key still lies here, it signs the request given and changes nothing else.
 * Throws `already-exists` or `bad-input`.
 */
export async function init(paths: AgentPaths, input: unknown): Promise<InitAnswer> {
  const parsed = inputSchema.safeParse(input)
  if (!parsed.success)
    throw new HoldfastError('bad-input', `The document for init is not right: ${z.prettifyError(parsed.error)}`, 'Give {config, adminCsrPem}.')
  const { config, adminCsrPem } = parsed.data
  const nowMs = Date.now()
  const name = (await csrCommonName(adminCsrPem)) || 'admin'
  const signAdmin = (ca: { certificatePem: string; keyPem: string }, clusterId: string) =>
    signPerson(ca, { csrPem: adminCsrPem, name, role: 'admin', clusterId, nowMs })

  const present = readEnrolment(paths)
  if (present) {
    refuseOther(present, config)
    const keyPath = join(paths.pki, 'bootstrap-ca.key')
    if (!existsSync(keyPath)) {
      throw new HoldfastError(
        'already-exists',
        `${config.host} made the cluster ${config.cluster} already`,
        'Ask an administrator of the cluster for a certificate, or remove the host first.',
      )
    }
    const ca = { certificatePem: present.caPem, keyPem: readFileSync(keyPath, 'utf8') }
    return { clusterId: present.clusterId, caPem: present.caPem, adminCertificatePem: await signAdmin(ca, present.clusterId) }
  }

  const clusterId = randomUUID()
  const addresses = certificateAddresses(config)
  const ca = await createCa({ commonName: `${config.cluster} cluster`, clusterId, nowMs })
  const storeCa = await createCa({ commonName: `${config.cluster} store`, clusterId, nowMs })
  const host = await createCsr({ commonName: config.host })
  const store = await createCsr({ commonName: config.host })
  const certify = { host: config.host, clusterId, addresses, nowMs }
  const adminCertificatePem = await signAdmin(ca, clusterId)
  writeEnrolment(
    paths,
    config,
    {
      'ca.crt': ca.certificatePem,
      'host.key': host.keyPem,
      'host.crt': await signHost(ca, { ...certify, csrPem: host.csrPem }),
      'store-ca.crt': storeCa.certificatePem,
      'store.key': store.keyPem,
      'store.crt': await signHost(storeCa, { ...certify, csrPem: store.csrPem }),
      'heartbeat.key': `${randomBytes(32).toString('base64')}\n`,
      'bootstrap-ca.key': ca.keyPem,
      'bootstrap-store-ca.key': storeCa.keyPem,
    },
    {
      clusterId,
      role: 'voter',
      initialCluster: [`${config.host}=https://${config.addresses.mgmt}:${config.storePeerPort}`],
      initialClusterState: 'new',
      storeEndpoints: [`https://${config.addresses.mgmt}:${config.storeClientPort}`],
    },
  )
  return { clusterId, caPem: ca.certificatePem, adminCertificatePem }
}
