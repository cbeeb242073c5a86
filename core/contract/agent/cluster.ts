import { z } from 'zod'
import { clusterSchema, memberSchema } from '../../model/cluster.ts'
import { nameSchema } from '../../model/common.ts'
import { hostSchema } from '../../model/host.ts'
import { procedure, roleSchema } from '../base.ts'
import { syncContract } from './sync.ts'

/** PEM texts. */
const pem = z.string().max(16_384)

/** `/v1/cluster`: membership, leadership, certificates. */
export const clusterContract = {
  sync: syncContract,
  status: procedure
    .route({ method: 'GET', path: '/status' })
    .output(z.object({ cluster: clusterSchema, members: z.array(memberSchema), hosts: z.array(hostSchema) })),
  /** Registers a host that is about to join and makes a token for it, valid once and for `ttlMs` (at most an hour). Role admin. */
  createJoinToken: procedure
    .route({ method: 'POST', path: '/join-tokens' })
    .input(z.object({ host: nameSchema, ttlMs: z.number().int().min(1000).max(3_600_000).default(600_000) }))
    .output(z.object({ token: z.string(), caFingerprint: z.string(), endpoints: z.array(z.string()), expiresAtMs: z.number() })),
  /** A new host proves itself with its token and gets its certificates. The only call that needs no client certificate. */
  join: procedure
    .route({ method: 'POST', path: '/join' })
    .input(z.object({ token: z.string().max(512), host: hostSchema.pick({ name: true, addresses: true }), csrPem: pem, storeCsrPem: pem }))
    .output(
      z.looseObject({
        clusterId: z.string(),
        clusterName: z.string(),
        clusterIp: z.string().optional(),
        caPem: pem,
        certificatePem: pem,
        storeCaPem: pem,
        storeCertificatePem: pem,
        heartbeatKey: z.string(),
        /** Whether it is to run an etcd member, and the peers to start it with (`name=https://ip:2380`). */
        role: z.enum(['voter', 'client']),
        initialCluster: z.array(z.string()),
        storeEndpoints: z.array(z.string()),
      }),
    ),
  /** Takes a host out: its member first, then its document; its certificate is refused from then on. Role admin. */
  removeHost: procedure
    .route({ method: 'DELETE', path: '/hosts/{name}' })
    .input(z.object({ name: nameSchema }))
    .output(z.object({})),
  /** Signs a new client certificate for a person's key. Role admin. */
  signClient: procedure
    .route({ method: 'POST', path: '/clients' })
    .input(
      z.object({
        csrPem: pem,
        name: z.string().max(64),
        role: roleSchema,
        ttlMs: z
          .number()
          .int()
          .positive()
          .max(366 * 86_400_000),
      }),
    )
    .output(z.object({ certificatePem: pem, caPem: pem })),
  /** Makes the host that answers renew its own certificates now. Role admin. */
  rotateCertificates: procedure.route({ method: 'POST', path: '/rotate' }).output(z.object({ notAfterMs: z.number() })),
  /** Hands leadership to another voter. Role admin. */
  moveLeader: procedure
    .route({ method: 'POST', path: '/leader' })
    .input(z.object({ to: nameSchema }))
    .output(z.object({ leader: nameSchema })),
}
