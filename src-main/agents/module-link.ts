import { createORPCClient } from '@orpc/client'
import type { ContractRouterClient } from '@orpc/contract'
import type { Position, SyncFrame } from '../../core/contract/agent/index.ts'
import { syncFrameSchema, type AgentContract } from '../../core/contract/agent/index.ts'
import { fromOrpcError } from '../../core/contract/errors.ts'
import { HoldfastError } from '../../core/errors.ts'
import { sampleSchema, type Sample } from '../../core/model/sample.ts'
import type { Credentials } from '../contexts/contexts.ts'
import { AgentConnection } from './connection.ts'

/** Where a module of a host answers. */
export interface ModuleAddress {
  /** `host:port`. */
  endpoint: string
  /** Null: whichever host of the cluster answers there. */
  host: string | null
  module: string
}

/** What synchronising needs of a module; an agent over the network, or a simulated one. */
export interface ModuleLink extends Disposable {
  /** Who answers. */
  readonly host: string
  watch(from: Position | undefined, signal: AbortSignal): AsyncIterable<SyncFrame>
  /** Samples later than a time, then live ones. Of the monitor module alone. */
  samples(sinceMs: number, signal: AbortSignal): AsyncIterable<Sample[]>
}

/** Opens a link. Throws as AgentConnection.connect does. */
export type Dial = (address: ModuleAddress, signal: AbortSignal) => Promise<ModuleLink>

type ModuleClient = ContractRouterClient<AgentContract['monitor']>

/** Dials agents over mutual TLS. `credentials` is asked each time, since a certificate may have been renewed. */
export function dialAgents(credentials: () => Promise<Credentials>): Dial {
  return async (address, signal) => {
    const connection = await AgentConnection.connect({ ...address, credentials: await credentials(), signal })
    // All modules have `sync`; only the monitor has `samples`, and only it is asked.
    const client = createORPCClient<ModuleClient>(connection.link)
    return {
      host: connection.host,
      watch: (from, signal) => parsed(client.sync.watch({ from }, { signal }), connection, parseFrame),
      samples: (sinceMs, signal) => parsed(client.samples({ sinceMs }, { signal }), connection, parseSamples),
      [Symbol.dispose]: () => connection[Symbol.dispose](),
    }
  }
}

async function* parsed<Raw, T>(
  stream: Promise<AsyncIterable<Raw>>,
  connection: AgentConnection,
  parse: (raw: Raw) => T,
): AsyncGenerator<T, void, undefined> {
  try {
    for await (const raw of await stream) yield parse(raw)
  } catch (error) {
    throw connection.failure ?? fromOrpcError(error)
  }
}

function parseFrame(raw: unknown): SyncFrame {
  const frame = syncFrameSchema.safeParse(raw)
  if (frame.success) return frame.data
  throw new HoldfastError('bad-input', 'An agent sent what this version does not understand', 'Update Holdfast on this laptop, or the agent.', {
    issues: frame.error.issues.slice(0, 3),
  })
}

/** A sample that this version does not understand is left out; the others count. */
function parseSamples(raw: { samples?: unknown }): Sample[] {
  const samples = Array.isArray(raw.samples) ? raw.samples : []
  return samples.flatMap((sample) => sampleSchema.safeParse(sample).data ?? [])
}
