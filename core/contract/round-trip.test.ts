import { MessageChannel } from 'node:worker_threads'
import { createORPCClient, isDefinedError, safe } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { AnyContractRouter, ContractRouterClient } from '@orpc/contract'
import { ResponseValidationPlugin } from '@orpc/contract/plugins'
import { implement, type Router } from '@orpc/server'
import { RPCHandler } from '@orpc/server/message-port'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { errorCodes, HoldfastError, type ErrorCode } from '../errors.ts'
import { arbitraryOf } from '../model/arbitrary.ts'
import { entityKinds, entitySchemas, sampleSchema, type Cluster, type Host, type Member, type Sample } from '../model/index.ts'
import { agentContract, type SyncFrame } from './agent/index.ts'
import { fromOrpcError, mapErrors } from './errors.ts'

const ports: { close(): void }[] = []
afterEach(() => {
  for (const port of ports.splice(0)) port.close()
})

/** A client that talks to a router through real oRPC over a MessagePort, validated at both ends. */
// oRPC asks for any; what is implemented is type-checked where it is written.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
function connect<C extends AnyContractRouter>(contract: C, router: Router<any, Record<never, never>>): ContractRouterClient<C> {
  const { port1, port2 } = new MessageChannel()
  ports.push(port1, port2)
  new RPCHandler(router, { clientInterceptors: [mapErrors] }).upgrade(port1)
  port1.start()
  const link = new RPCLink({ port: port2, plugins: [new ResponseValidationPlugin(contract)] })
  port2.start()
  return createORPCClient(link)
}

const entity = fc
  .oneof(
    fc.constantFrom(...entityKinds).chain((kind) =>
      fc.record({
        kind: fc.constant<string>(kind),
        id: fc.string(),
        atMs: fc.nat(),
        doc: arbitraryOf(entitySchemas[kind]),
        newerField: fc.jsonValue(),
      }),
    ),
    // A kind that only a newer agent knows.
    fc.record({ kind: fc.constant('vm'), id: fc.string(), atMs: fc.nat(), doc: fc.constant({ guest: { cpus: 2, tags: ['a'] } }) }),
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as Extract<SyncFrame, { type: 'snapshot' }>['items'][number])

const position = { epoch: fc.string(), rev: fc.nat(), nowMs: fc.nat() }
const frame: fc.Arbitrary<SyncFrame> = fc.oneof(
  fc.record({ type: fc.constant('snapshot' as const), ...position, items: fc.array(entity, { maxLength: 5 }) }),
  fc.record({
    type: fc.constant('delta' as const),
    ...position,
    puts: fc.array(entity, { maxLength: 5 }),
    dels: fc.array(fc.record({ kind: fc.string(), id: fc.string() })),
  }),
  fc.record({ type: fc.constant('idle' as const), ...position }),
)

describe('through oRPC, validated at both ends', () => {
  it('frames of a watch arrive whole: unknown fields at any depth, and kinds that only a newer agent knows', async () => {
    let sending: SyncFrame[] = []
    const os = implement(agentContract.monitor)
    const client = connect(
      agentContract.monitor.sync,
      os.sync.router({
        watch: os.sync.watch.handler(async function* () {
          yield* sending
        }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 3 }), async (frames) => {
        sending = frames
        const received: SyncFrame[] = []
        for await (const one of await client.watch({})) received.push(one)
        expect(received).toEqual(frames)
      }),
    )
  })

  it('documents inside other answers keep unknown fields: samples, and the status of a cluster', async () => {
    let samples: Sample[] = []
    const os = implement(agentContract)
    const cluster = {
      id: 'cluster',
      name: 'lab',
      leader: null,
      leaderEpoch: 1,
      quorum: true,
      elections: 1,
      raftElections: 1,
      newer: { a: 1 },
    } as Cluster
    const member = { host: 'h1', memberId: '1', state: 'up', raftLeader: true, newer: [1] } as Member
    const host = { name: 'h1', addresses: { mgmt: '10.0.0.1', backup: '10.9.0.1' }, role: 'voter', joinedAtMs: 1, newer: 'x' } as Host
    const client = connect(agentContract, {
      cluster: { status: os.cluster.status.handler(() => ({ cluster, members: [member], hosts: [host] })) },
      monitor: {
        samples: os.monitor.samples.handler(async function* () {
          yield { gap: false, samples }
        }),
      },
    })
    expect(await client.cluster.status()).toEqual({ cluster, members: [member], hosts: [host] })
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryOf(sampleSchema) as fc.Arbitrary<Sample>), async (some) => {
        samples = some
        for await (const batch of await client.monitor.samples({})) expect(batch).toEqual({ gap: false, samples: some })
      }),
    )
  })
})

describe('an error', () => {
  const os = implement(agentContract.cluster)
  const thrower = (thrown: unknown) =>
    connect(agentContract.cluster, {
      status: os.status.handler(() => {
        throw thrown
      }),
      moveLeader: os.moveLeader.handler(({ input }) => ({ leader: input.to })),
    })

  it.each(Object.keys(errorCodes) as ErrorCode[])('%s arrives as it was thrown, as a typed error', async (code) => {
    const thrown = new HoldfastError(code, 'The store lost 2 of 3 members', 'Start h2 or h3.', { members: ['h2', 'h3'] })
    const { error } = await safe(thrower(thrown).status())
    expect(error && isDefinedError(error)).toBe(true)
    expect(fromOrpcError(error).toDoc()).toEqual(thrown.toDoc())
  })

  it('that nobody foresaw arrives as internal, without its stack', async () => {
    const { error } = await safe(thrower(new TypeError('x is not a function')).status())
    expect(fromOrpcError(error).toDoc()).toMatchObject({ code: 'internal', message: 'x is not a function', data: {} })
    expect(JSON.stringify(error)).not.toContain('.test.ts')
  })

  it('of the caller names the field that was refused', async () => {
    const { error } = await safe(thrower(null).moveLeader({ to: 'Not A Name' }))
    const { code, message, hint } = fromOrpcError(error)
    expect(code).toBe('bad-input')
    expect(message).toContain('to: ')
    expect(hint).not.toBe('')
  })

  it('in the middle of a stream arrives there, after what was sent before it', async () => {
    const monitor = implement(agentContract.monitor)
    const client = connect(agentContract.monitor, {
      samples: monitor.samples.handler(async function* () {
        yield { gap: true, samples: [] }
        throw new HoldfastError('timeout', 'h2 did not answer in 5 s', 'Try again.')
      }),
    })
    const batches: unknown[] = []
    const failed = await (async () => {
      for await (const batch of await client.samples({})) batches.push(batch)
    })().catch(fromOrpcError)
    expect(batches).toEqual([{ gap: true, samples: [] }])
    expect(failed).toMatchObject({ code: 'timeout', hint: 'Try again.' })
  })
})
