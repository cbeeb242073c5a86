import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../core/errors.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import { replaceFile } from '../supervisor/files.ts'
import { caDocSchema, keys, type CaDoc, type HostDoc } from './documents.ts'
import type { Store } from '../store/store.ts'

const bootstrapFiles = [
  { file: 'bootstrap-ca.key', certificate: 'ca.crt', key: keys.clusterCa },
  { file: 'bootstrap-store-ca.key', certificate: 'store-ca.crt', key: keys.storeCa },
] as const

/** A CA as the store has it. Throws `not-found` before the first host has put it there. */
export async function readCa(store: Store, key: typeof keys.clusterCa | typeof keys.storeCa): Promise<CaDoc> {
  const stored = await store.get(key)
  const doc = caDocSchema.safeParse(stored?.value)
  if (doc.success) return doc.data
  throw new HoldfastError('not-found', 'The store holds no CA yet', 'Wait a moment: the first host of the cluster puts it there.')
}

/** Moves the CAs' keys from the files that `init` wrote into the store; the files go when the store has them. Again after a crash anywhere it goes on. */
async function moveBootstrapKeys(store: Store, paths: AgentPaths): Promise<void> {
  for (const { file, certificate, key } of bootstrapFiles) {
    const path = join(paths.pki, file)
    if (!existsSync(path)) continue
    const ca: CaDoc = { certificatePem: readFileSync(join(paths.pki, certificate), 'utf8'), keyPem: readFileSync(path, 'utf8') }
    await store.change([{ key, revision: 0 }], [{ put: key, value: ca }])
    const kept = await readCa(store, key)
    if (kept.keyPem !== ca.keyPem)
      throw new HoldfastError('internal', `The store holds another key than ${path}`, 'This host was initialised twice; install it again.')
    rmSync(path)
  }
}

/** Whether keys of CAs lie on this host that the store is to have. */
export function hasBootstrapKeys(paths: AgentPaths): boolean {
  return bootstrapFiles.some(({ file }) => existsSync(join(paths.pki, file)))
}

/** Makes the store this cluster's: the document of its first host, and the CAs. Answers whether the document was new. */
export async function found(options: { store: Store; config: AgentConfig; paths: AgentPaths; clusterId: string; nowMs: number }): Promise<boolean> {
  const { store, config, paths, clusterId, nowMs } = options
  const { apiPort, heartbeatPort, storePeerPort, storeClientPort } = config
  const value: HostDoc = {
    name: config.host,
    addresses: config.addresses,
    role: 'voter',
    joinedAtMs: nowMs,
    leaving: false,
    incarnation: clusterId,
    ...{ apiPort, heartbeatPort, storePeerPort, storeClientPort },
    certificates: ['host.crt', 'store.crt'].map((file) => {
      const { serialNumber, validTo } = new X509Certificate(readFileSync(join(paths.pki, file)))
      return { serial: serialNumber.toLowerCase(), notAfterMs: Date.parse(validTo) }
    }),
  }
  const key = keys.host(config.host)
  const { done } = await store.change([{ key, revision: 0 }], [{ put: key, value }])
  await moveBootstrapKeys(store, paths)
  return done
}

/** When this host's certificate ends, in ms since the epoch. */
export function certificateEndMs(paths: AgentPaths): number {
  return Date.parse(new X509Certificate(readFileSync(join(paths.pki, 'host.crt'))).validTo)
}

/**
 * Makes new keys and certificates for this host, signed with the CAs in the store, and puts them in place; supervisor and etcd read
 * them from there. Answers their serial numbers and ends.
 */
export async function renewCertificates(options: {
  store: Store
  paths: AgentPaths
  config: AgentConfig
  clusterId: string
  nowMs: number
}): Promise<HostDoc['certificates']> {
  const { store, paths, config, clusterId, nowMs } = options
  const { createCsr, signHost, readIdentity } = await import('../../core/pki/certificates.ts')
  const { mgmt, storage, tenant } = config.addresses
  const addresses = [mgmt, storage, tenant, '127.0.0.1'].filter((address) => address !== undefined)
  const renewed: { name: string; keyPem: string; certificatePem: string }[] = []
  for (const [name, key] of [
    ['host', keys.clusterCa],
    ['store', keys.storeCa],
  ] as const) {
    const ca = await readCa(store, key)
    const { csrPem, keyPem } = await createCsr({ commonName: config.host })
    const certificatePem = await signHost(ca, { csrPem, host: config.host, clusterId, addresses, nowMs })
    renewed.push({ name, keyPem, certificatePem })
  }
  for (const { name, keyPem, certificatePem } of renewed) {
    replaceFile(join(paths.pki, `${name}.key`), keyPem, 0o600)
    replaceFile(join(paths.pki, `${name}.crt`), certificatePem, 0o644)
  }
  return renewed.map(({ certificatePem }) => {
    const { serial, notAfterMs } = readIdentity(certificatePem)
    return { serial, notAfterMs }
  })
}
