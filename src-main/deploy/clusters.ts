import { createORPCClient, type ClientLink } from '@orpc/client'
import type { ContractRouterClient } from '@orpc/contract'
import type { AgentContract } from '../../core/contract/agent/index.ts'
import { HoldfastError } from '../../core/errors.ts'
import { AgentConnection } from '../agents/connection.ts'
import type { Contexts } from '../contexts/contexts.ts'
import type { SecretStore } from '../vault/secret-store.ts'

/** Typed calls to one agent. */
export type AgentClient = ContractRouterClient<AgentContract>

/** What the first host's `init` made, and what the laptop keeps to be its administrator. */
export interface NewCluster {
  name: string
  clusterId: string
  caPem: string
  certificatePem: string
  keyPem: string
  endpoints: string[]
}

/** Where the administrator's key of a new cluster is kept: keychain or vault, or a 0600 file for a lab. */
export type KeyPlace = 'store' | 'file'

/** The clusters that this laptop knows, as far as installing needs them: their contexts, and single questions to their agents. */
export class Clusters {
  readonly #contexts: Contexts
  readonly #secrets: SecretStore

  constructor(contexts: Contexts, secrets: SecretStore) {
    this.#contexts = contexts
    this.#secrets = secrets
  }

  /** Certificate of a cluster's CA; null for a context that there is not. */
  caPem(context: string): string | null {
    return this.#contexts.list().some(({ name }) => name === context) ? this.#contexts.get(context).caPem : null
  }

  /** `host:port` of its agents; none for a context that there is not. */
  endpoints(context: string): string[] {
    return this.caPem(context) === null ? [] : this.#contexts.get(context).endpoints
  }

  /** Makes sure, before a cluster is made, that its key can be kept afterwards: `vault-locked`, `passphrase-wrong`. */
  async checkKeyPlace(place: KeyPlace): Promise<void> {
    if (place === 'file') return
    await this.#secrets.set('probe', 'probe')
    await this.#secrets.delete('probe')
  }

  /** Keeps a new cluster under its name and makes it current; in place of one of that name, if there is one. */
  async create(cluster: NewCluster, place: KeyPlace): Promise<void> {
    const { keyPem, ...context } = cluster
    await this.#contexts.save({ ...context, clusterName: cluster.name }, keyPem, place)
    this.#contexts.use(cluster.name)
  }

  /** Forgets a cluster whose founding failed, if it is still the one with this CA. */
  async discard(context: string, caPem: string | null): Promise<void> {
    if (sameCertificate(this.caPem(context), caPem)) await this.#contexts.remove(context)
  }

  /** Connects to a cluster's agents from this address of the laptop alone. */
  connectFrom(context: string, localAddress: string): void {
    this.#contexts.setLocalAddress(context, localAddress)
  }

  addEndpoint(context: string, endpoint: string): void {
    this.#contexts.setEndpoints(context, [...this.#contexts.get(context).endpoints, endpoint])
  }

  removeEndpoint(context: string, endpoint: string): void {
    if (this.caPem(context) === null) return
    this.#contexts.setEndpoints(
      context,
      this.#contexts.get(context).endpoints.filter((one) => one !== endpoint),
    )
  }

  /** Asks the agent that answers first: of those named, or of all. Errors: the agent's own; `offline` when none answers. */
  async ask<T>(context: string, endpoints: readonly string[] | null, question: (agent: AgentClient) => Promise<T>): Promise<T> {
    const credentials = await this.#contexts.credentials(context)
    const asked = endpoints ?? this.#contexts.get(context).endpoints
    const stop = new AbortController()
    const connect = (endpoint: string, module: string) => AgentConnection.connect({ module, endpoint, host: null, credentials, signal: stop.signal })
    const open = new Map<string, Promise<AgentConnection>>()
    try {
      const { endpoint, connection } = await firstOf(asked, async (one) => ({ endpoint: one, connection: await connect(one, 'supervisor') }), context)
      open.set('supervisor', Promise.resolve(connection))
      const link: ClientLink<Record<never, never>> = {
        call: async ([module = '', ...path], input, options) => {
          if (!open.has(module)) open.set(module, connect(endpoint, module))
          return (await open.get(module)!).link.call(path, input, options)
        },
      }
      return await question(createORPCClient(link))
    } finally {
      stop.abort()
      for (const connection of open.values()) {
        void connection.then(
          (one) => one[Symbol.dispose](),
          () => undefined,
        )
      }
    }
  }
}

/** The first that connects; others that connect later are closed. The one endpoint's own error, or `offline` naming all. */
async function firstOf<T extends { connection: Disposable }>(
  endpoints: readonly string[],
  connect: (endpoint: string) => Promise<T>,
  context: string,
): Promise<T> {
  const attempts = endpoints.map(connect)
  try {
    const first = await Promise.any(attempts)
    for (const attempt of attempts) {
      void attempt.then(
        (other) => {
          if (other !== first) other.connection[Symbol.dispose]()
        },
        () => undefined,
      )
    }
    return first
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error]
    if (errors.length === 1) throw errors[0]
    throw new HoldfastError('offline', `No agent of ${context} answers`, 'Check the network of this laptop and that the hosts have power.', {
      reasons: Object.fromEntries(endpoints.map((endpoint, index) => [endpoint, (errors[index] as Error | undefined)?.message])),
    })
  }
}

/** Whether two PEM texts are the same certificate. */
export function sameCertificate(one: string | null, other: string | null): boolean {
  return one !== null && other !== null && one.trim() === other.trim()
}
