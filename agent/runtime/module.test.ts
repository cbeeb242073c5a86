import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { monitorContract } from '../../core/contract/agent/monitor.ts'
import { fromOrpcError } from '../../core/contract/errors.ts'
import type { HoldfastError } from '../../core/errors.ts'
import { Replica } from '../../core/sync/replica.ts'
import { maxCallsPerSocket } from './api-server.ts'

type Client = ContractRouterClient<typeof monitorContract>

let directory: string
let socketPath: string
let child: ChildProcess | undefined
const sockets: WebSocket[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-module-'))
  socketPath = join(directory, 'tiny.sock')
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  await stop('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

async function stop(signal: NodeJS.Signals): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
  return child.exitCode
}

async function start(options: { standby?: boolean; env?: Record<string, string> } = {}): Promise<void> {
  const args = [join(import.meta.dirname, 'fixtures/tiny-module.ts'), '--socket', socketPath]
  child = spawn(process.execPath, options.standby ? [...args, '--standby'] : args, {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, ...options.env },
  })
  const started = child
  for (;;) {
    if (started.exitCode !== null) throw new Error(`the module ended with ${started.exitCode}`)
    const answer = await call('GET', '/internal/health').catch(() => null)
    const health = answer?.body as { activity?: string } | undefined
    if (answer?.status === 200 && (options.standby || health?.activity === 'active')) return
    await sleep(10)
  }
}

async function call(method: string, path: string, options: { body?: string | Buffer; headers?: Record<string, string> } = {}) {
  return new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
    const request = http.request({ socketPath, method, path, headers: options.headers ?? {} }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> }),
      )
    })
    request.on('error', reject)
    request.end(options.body)
  })
}

function connect(role: string): { client: Client; socket: WebSocket } {
  const socket = new WebSocket(`ws+unix:${socketPath}:/v1/monitor/rpc`, { headers: { 'x-holdfast-identity': 'anna', 'x-holdfast-role': role } })
  sockets.push(socket)
  return { socket, client: createORPCClient(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket })) }
}

const failure = async (work: Promise<unknown>): Promise<HoldfastError> =>
  work.then(
    () => {
      throw new Error('it was expected to fail')
    },
    (thrown: unknown) => fromOrpcError(thrown),
  )

describe('a module', { timeout: 60_000 }, () => {
  test('is for root alone', async () => {
    await start()
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
  })

  test('serves its contract over WebSocket: a watch fills a replica and goes on from a position', async () => {
    await start()
    const { client } = connect('viewer')
    const replica = new Replica()
    for await (const frame of await client.sync.watch({})) {
      replica.apply(frame)
      if (frame.type === 'idle') break
    }
    expect([...replica.items.keys()].sort()).toEqual([expect.stringMatching(/^event\/h1\/monitor-\d+$/), 'facts/h1'])
    for await (const frame of await client.sync.watch({ from: replica.position! })) {
      expect(frame.type).toBe('idle')
      break
    }
  })

  test('serves the same contract over HTTP', async () => {
    await start()
    const text = await new Promise<string>((resolve, reject) => {
      const request = http.request(
        { socketPath, method: 'POST', path: '/v1/monitor/sync/watch', headers: { 'x-holdfast-role': 'viewer', 'x-holdfast-identity': 'anna' } },
        (response) => response.once('data', (chunk: Buffer) => (resolve(chunk.toString()), response.destroy())),
      )
      request.on('error', reject).end()
    })
    expect(text).toMatch(/event: message|^: /)
  })

  test('typed errors keep code, message, hint and facts on the way', async () => {
    await start()
    const { client } = connect('viewer')
    const refused = await failure(client.samples({}))
    expect(refused).toMatchObject({ code: 'role-insufficient', data: { role: 'viewer', needed: 'operator' } })
    expect(refused.message).toContain('anna')
    expect(refused.hint).not.toBe('')

    const http = await call('POST', '/v1/monitor/samples', { headers: { 'x-holdfast-role': 'viewer', 'x-holdfast-identity': 'anna' } })
    expect(http).toMatchObject({ status: 403, body: { code: 'role-insufficient', message: refused.message, hint: refused.hint } })

    const malformed = await failure(connect('admin').client.samples({ sinceMs: 'x' as unknown as number }))
    expect(malformed).toMatchObject({ code: 'bad-input' })
    expect(malformed.message).toContain('sinceMs')
  })

  test('hands over and goes on: standby, activate, release, activate back', async () => {
    await start({ standby: true })
    expect((await call('GET', '/internal/health')).body).toMatchObject({ healthy: true, activity: 'standby', version: '1' })
    expect((await call('POST', '/internal/release')).body).toEqual({ handover: {} })
    expect((await call('POST', '/internal/activate', { body: JSON.stringify({ handover: { count: 41 } }) })).status).toBe(200)
    expect((await call('POST', '/internal/activate')).status).toBe(200)
    expect((await call('POST', '/internal/release')).body).toEqual({ handover: { count: 42 } })
    expect((await call('POST', '/internal/release')).body).toEqual({ handover: { count: 42 } })
    expect((await call('GET', '/internal/health')).body).toMatchObject({ activity: 'released' })
    expect((await call('POST', '/internal/activate')).status).toBe(200)
    expect(await stop('SIGTERM')).toBe(0)
  })

  test('numbers of events rise across restarts and never repeat', async () => {
    for (let life = 0; life < 3; life++) {
      await start()
      await stop(life % 2 ? 'SIGKILL' : 'SIGTERM')
    }
    const numbers = readFileSync(join(directory, 'monitor-events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { number: number }).number)
    expect(numbers).toHaveLength(3)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
  })

  test('refuses what is too large, malformed or too much, and stays up', async () => {
    await start()
    const admin = { 'x-holdfast-role': 'admin', 'x-holdfast-identity': 'anna' }
    const big = await call('POST', '/v1/monitor/samples', {
      headers: { ...admin, 'content-length': String(5_000_000) },
      body: Buffer.alloc(1024),
    }).catch((error: unknown) => error)
    expect(big).toMatchObject({ status: 400, body: { code: 'bad-input' } })
    expect(await call('POST', '/v1/monitor/samples', { headers: { ...admin, 'content-type': 'application/json' }, body: '{' })).toMatchObject({
      status: 400,
      body: { code: 'bad-input' },
    })
    expect(await call('POST', '/v1/monitor/samples', { headers: { ...admin, 'content-type': 'text/plain' }, body: '{}' })).toMatchObject({
      status: 400,
    })
    expect(await call('GET', '/v1/monitor/../../internal/release', { headers: admin })).toMatchObject({ status: 404 })
    expect(await call('GET', '/internal/nothing')).toMatchObject({ status: 404 })

    for (const [message, code] of [
      ['x'.repeat(2_000_000), 1009],
      ['{', 1008],
      [Buffer.from('{}'), 1008],
      [JSON.stringify({ i: '1', p: { u: '/sync/watch', h: { 'content-type': 'text/event-stream' } } }), 1008],
      [JSON.stringify({ i: '1', t: 3, p: {} }), 1008],
    ] as const) {
      const { socket } = connect('admin')
      await once(socket, 'open')
      socket.send(message)
      expect((await once(socket, 'close'))[0]).toBe(code)
    }

    const { socket } = connect('admin')
    await once(socket, 'open')
    for (let call = 0; call <= maxCallsPerSocket; call++) socket.send(JSON.stringify({ i: String(call), p: { u: '/sync/watch', b: { json: {} } } }))
    expect((await once(socket, 'close'))[0]).toBe(1013)
    expect((await call('GET', '/internal/health')).body).toMatchObject({ healthy: true })
  })

  test('any text on its WebSocket leaves it up', async () => {
    await start()
    const json = fc.json({ maxDepth: 4 })
    const call_ = fc.record(
      {
        i: fc.oneof(fc.string(), fc.integer()),
        t: fc.integer({ min: 0, max: 5 }),
        p: fc.oneof(fc.jsonValue(), fc.record({ u: fc.string(), b: fc.jsonValue(), h: fc.dictionary(fc.string(), fc.jsonValue()), m: fc.string() })),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            json,
            call_.map((value) => JSON.stringify(value)),
            fc.string(),
          ),
          { maxLength: 8 },
        ),
        async (messages) => {
          const { socket } = connect('viewer')
          await once(socket, 'open')
          for (const message of messages) socket.send(message)
          socket.close()
          await once(socket, 'close')
        },
      ),
      { numRuns: 60 },
    )
    expect((await call('GET', '/internal/health')).body).toMatchObject({ healthy: true })
    expect(child!.exitCode).toBeNull()
  })
})
