import { userInfo } from 'node:os'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import type { SshTarget } from '../../core/contract/desktop/host.ts'
import { splitTarget } from '../ssh/identities.ts'
import { inspectAgent, runAgentCommand } from './agent-on-host.ts'
import { sameCertificate, type KeyPlace } from './clusters.ts'
import type { DeployServices } from './services.ts'
import { HostSession } from './session.ts'

const admitAnswer = z.object({
  cluster: z.string(),
  host: z.string(),
  clusterId: z.string(),
  caPem: z.string(),
  certificatePem: z.string(),
  endpoint: z.string(),
})

/**
 * Has a key made here certified by root of a host, and keeps the host's cluster as the current context. Answers its name. SSH, with its
 * pinned host key, is what vouches for the CA. With `replace` a context of that name and another CA is replaced.
 * Errors: as `connectSsh`; `not-found` (no agent there), `already-exists`, `vault-locked`, and what the agent says (`quorum-lost`).
 */
export async function admitLaptop(
  { pool, identities, clusters }: DeployServices,
  { target, fingerprint, keyPlace, replace }: { target: SshTarget; fingerprint?: string | undefined; keyPlace: KeyPlace; replace: boolean },
): Promise<string> {
  const { identity, secrets } = splitTarget(target)
  const session = new HostSession(pool, identity, secrets, fingerprint)
  try {
    const ssh = await session.ssh()
    const agent = await inspectAgent(ssh)
    if (!agent.config || !agent.certified)
      throw new HoldfastError('not-found', `${ssh.label} is no host of a cluster`, 'Name a host that is, or install it: holdfast host add.')
    const name = agent.config.cluster
    const known = clusters.caPem(name)
    if (known !== null && !sameCertificate(known, agent.caPem) && !replace) {
      throw new HoldfastError(
        'already-exists',
        `This laptop knows another cluster named ${name}`,
        `Forget that one first, with its inventory: holdfast context remove ${name}.`,
      )
    }
    await clusters.checkKeyPlace(keyPlace)
    // Loaded here because it is large and every command starts by loading this file.
    const { createCsr } = await import('../../core/pki/index.ts')
    const { csrPem, keyPem } = await createCsr({ commonName: userInfo().username })
    const { cluster, host, clusterId, caPem, certificatePem, endpoint } = await runAgentCommand(ssh, 'admit', { csrPem }, admitAnswer)
    await clusters.create({ name: cluster, clusterId, caPem, certificatePem, keyPem, endpoints: [endpoint] }, keyPlace)
    identities.put(cluster, host, identity)
    return cluster
  } finally {
    session.close()
  }
}
