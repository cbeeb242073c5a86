import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { clusterContract } from '../../core/contract/agent/cluster.ts'
import { HoldfastError } from '../../core/errors.ts'
import { planes } from '../../core/model/common.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import { hostDocSchema, joinTokenDocSchema, keys, type HostDoc } from './documents.ts'
import { readCa } from './pki-store.ts'
import type { Store } from '../store/store.ts'
import type { StoreView } from './store-view.ts'

export interface JoiningOptions {
  store: Store
  view: StoreView
  config: AgentConfig
  paths: AgentPaths
  clusterId: string
  /** Endpoints of the store, for the host that joins. */
  storeEndpoints(): readonly string[]
  /** Whether a host's agent is heard. */
  heard(host: string): boolean
  nowMs(): number
}

type Contract = typeof clusterContract
type Output<K extends keyof Contract> = Contract[K] extends { '~orpc': { outputSchema?: infer S extends z.ZodType } }
  ? z.output<NonNullable<S>>
  : never

export interface JoinRequest {
  token: string
  host: { name: string; addresses: HostDoc['addresses'] }
  csrPem: string
  storeCsrPem: string
}

/** Calls that need no certificate are answered this many at once, so that nobody outside can load the store. */
const joinsAtOnce = 4
const tokenPattern = /^[A-Za-z0-9_-]{43}$/

/** How hosts come into the cluster: a token, then certificates for it. */
export class Joining {
  readonly #options: JoiningOptions
  #joins = 0

  constructor(options: JoiningOptions) {
    this.#options = options
  }

  /** Makes a token for a host. Throws `already-exists` when a host of that name is in the cluster and heard. */
  async createToken(host: string, ttlMs: number): Promise<Output<'createJoinToken'>> {
    const { store, view, config, heard, nowMs } = this.#options
    const present = view.hosts.get(host)
    if (present && !present.leaving && (host === config.host || heard(host)))
      throw new HoldfastError(
        'already-exists',
        `${host} is in the cluster ${config.cluster} already, and up`,
        'Choose another name, or remove that host first.',
        { host },
      )
    const { fingerprint } = await import('../../core/pki/pem.ts')
    const { certificatePem } = await readCa(store, keys.clusterCa)
    const token = randomBytes(32).toString('base64url')
    const expiresAtMs = nowMs() + ttlMs
    const key = keys.joinToken(sha256(token))
    const leaseId = await store.grantLease(Math.ceil(ttlMs / 1000))
    await store.change([{ key, revision: 0 }], [{ put: key, value: { host, expiresAtMs, usedBy: null }, leaseId }])
    const endpoints = [...view.hosts.values()].map((doc) => `${doc.addresses.mgmt}:${doc.apiPort}`)
    return { token, caFingerprint: await fingerprint(certificatePem), endpoints, expiresAtMs }
  }

  /**
   * Lets a host in that shows its token. The same requests may come again with the same token while it lasts, in case the answer was lost.
   * Throws `token-invalid`, `bad-input` (an address that another host has), `busy`.
   */
  async join(request: JoinRequest): Promise<Output<'join'>> {
    if (this.#joins >= joinsAtOnce) throw new HoldfastError('busy', 'Other hosts are joining through this one', 'Try again in a moment.')
    this.#joins++
    try {
      return await this.#join(request)
    } finally {
      this.#joins--
    }
  }

  async #join({ token, host, csrPem, storeCsrPem }: JoinRequest): Promise<Output<'join'>> {
    const { store, config, paths, clusterId, storeEndpoints, nowMs } = this.#options
    const invalid = () =>
      new HoldfastError('token-invalid', `The token of ${host.name} is wrong, used or too old`, 'Make a new one: holdfast host add.', {
        host: host.name,
      })
    if (!tokenPattern.test(token)) throw invalid()
    const tokenKey = keys.joinToken(sha256(token))
    const stored = await store.get(tokenKey)
    const doc = joinTokenDocSchema.safeParse(stored?.value)
    if (!stored || !doc.success || doc.data.host !== host.name || doc.data.expiresAtMs < nowMs()) throw invalid()
    const usedBy = sha256(`${csrPem}\0${storeCsrPem}`)
    if (doc.data.usedBy !== null && doc.data.usedBy !== usedBy) throw invalid()
    this.#refuseTakenAddress(host)

    const { signHost, readIdentity } = await import('../../core/pki/certificates.ts')
    const [ca, storeCa] = [await readCa(store, keys.clusterCa), await readCa(store, keys.storeCa)]
    const addresses = [...planes.map((plane) => host.addresses[plane]), '127.0.0.1'].filter((address) => address !== undefined)
    const certify = { host: host.name, clusterId, addresses, nowMs: nowMs() }
    const certificatePem = await signHost(ca, { ...certify, csrPem })
    const storeCertificatePem = await signHost(storeCa, { ...certify, csrPem: storeCsrPem })
    const issued = [certificatePem, storeCertificatePem].map((pem) => {
      const { serial, notAfterMs } = readIdentity(pem)
      return { serial, notAfterMs }
    })

    const hostKey = keys.host(host.name)
    const present = await store.get(hostKey)
    const earlier = hostDocSchema.safeParse(present?.value).data
    const again = doc.data.usedBy === usedBy && earlier !== undefined
    const { apiPort, heartbeatPort, storePeerPort, storeClientPort } = config
    const value: HostDoc = {
      ...(again ? earlier : { role: 'client' as const, joinedAtMs: nowMs(), incarnation: sha256(token).slice(0, 16), leaving: false }),
      name: host.name,
      addresses: host.addresses,
      ...{ apiPort, heartbeatPort, storePeerPort, storeClientPort },
      certificates: [...(earlier?.certificates ?? []).filter((each) => each.notAfterMs > nowMs()), ...issued],
    }
    // A write without a lease would keep the token for ever.
    const { done } = await store.change(
      [
        { key: tokenKey, revision: stored.revision },
        { key: hostKey, revision: present?.revision ?? 0 },
      ],
      [
        { put: hostKey, value },
        ...(again
          ? []
          : [
              {
                put: tokenKey,
                value: { ...doc.data, usedBy },
                leaseId: await store.grantLease(Math.max(1, Math.ceil((doc.data.expiresAtMs - nowMs()) / 1000))),
              },
            ]),
      ],
    )
    if (!done) throw new HoldfastError('busy', `${host.name} is joining twice at the same time`, 'Try again.')
    return {
      clusterId,
      clusterName: config.cluster,
      ...(config.clusterIp && { clusterIp: config.clusterIp }),
      caPem: ca.certificatePem,
      certificatePem,
      storeCaPem: storeCa.certificatePem,
      storeCertificatePem,
      heartbeatKey: readFileSync(join(paths.pki, 'heartbeat.key'), 'utf8').trim(),
      // The leader makes it a voter once it is heard, if one is wanted.
      role: 'client',
      initialCluster: [],
      storeEndpoints: [...storeEndpoints()],
    }
  }

  #refuseTakenAddress(host: JoinRequest['host']): void {
    for (const other of this.#options.view.hosts.values()) {
      if (other.name === host.name) continue
      const taken = planes.find((plane) => host.addresses[plane] !== undefined && host.addresses[plane] === other.addresses[plane])
      if (taken)
        throw new HoldfastError(
          'bad-input',
          `${host.addresses[taken]} is the ${taken} address of ${other.name} already`,
          'Give the host addresses of its own.',
          { host: host.name, other: other.name },
        )
    }
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
