import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCsr, signPerson } from '../../core/pki/index.ts'
import { TestHost, until, type Credentials } from './fixtures/test-host.ts'

/** What the supervisor may grow by, in KiB, under any of these streams. */
const maxGrowthKib = 64 * 1024
let host: TestHost
let viewer: Credentials

beforeAll(async () => {
  host = await TestHost.make()
  await host.init()
  const ca = { certificatePem: host.admin.ca!, keyPem: readFileSync(`${host.paths.pki}/bootstrap-ca.key`, 'utf8') }
  const { csrPem, keyPem } = await createCsr({ commonName: 'eve' })
  viewer = { key: keyPem, cert: await signPerson(ca, { csrPem, name: 'eve', role: 'viewer', clusterId: 'c', nowMs: Date.now() }) }
  await host.startSupervisor()
  await host.running()
}, 60_000)

afterAll(async () => host.dispose())

const residentKib = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${host.child!.pid}/status`, 'utf8'))![1])

/** Runs streams against the port; then the same supervisor and modules must answer, having grown no more than allowed. */
async function survives(attack: () => Promise<void>): Promise<void> {
  const before = await host.modules()
  const startKib = residentKib()
  await attack()
  expect(host.child!.exitCode).toBeNull()
  expect(residentKib() - startKib).toBeLessThan(maxGrowthKib)
  expect((await host.modules()).map(({ pid, state }) => ({ pid, state }))).toEqual(before.map(({ pid, state }) => ({ pid, state })))
  expect((await host.get('/v1/monitor/whoami')).body).toMatchObject({ identity: 'anna', role: 'admin' })
}

/** Writes chunks to the port, as a caller with these credentials or below TLS, and waits until the connection is over. With `opening`, that is sent first and an answer awaited. */
async function throwAt(chunks: Uint8Array[], as: Credentials | 'no TLS', opening?: Uint8Array): Promise<string> {
  const at = { host: '127.0.0.1', port: host.config.apiPort }
  const socket = as === 'no TLS' ? connectTcp(at) : connectTls({ ...at, ...as, ca: host.admin.ca! })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  let answer = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  await once(socket, as === 'no TLS' ? 'connect' : 'secureConnect')
  if (opening) {
    socket.write(opening)
    await once(socket, 'data')
  }
  for (const chunk of chunks) if (!socket.destroyed) socket.write(chunk)
  socket.end()
  const patience = setTimeout(() => socket.destroy(), 300)
  await closed
  clearTimeout(patience)
  return answer
}

const bytes = fc.uint8Array({ maxLength: 4_000 })
const text = (value: string) => new TextEncoder().encode(value)
const token = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_/.%:?&= \t\0é'), maxLength: 40 })

/** Requests that look like ours until they do not. */
const request = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'BREW'),
    path: fc.oneof(
      fc.constantFrom('/v1/supervisor/hello', '/v1/monitor/samples', '/v1/cluster/join', '/v1/supervisor/modules/monitor/upgrade', '/v1/ca', '*'),
      token.map((part) => `/v1/${part}`),
    ),
    headers: fc.array(
      fc.tuple(
        fc.oneof(
          fc.constantFrom(
            'host',
            'content-length',
            'transfer-encoding',
            'connection',
            'upgrade',
            'expect',
            'x-holdfast-role',
            'sec-websocket-key',
            'sec-websocket-version',
          ),
          token,
        ),
        fc.oneof(fc.constantFrom('x', 'chunked', 'upgrade', 'websocket', '100-continue', '-1', '99999999999', 'admin', '13'), token),
      ),
      { maxLength: 12 },
    ),
    body: fc.oneof(bytes, fc.json().map(text)),
  })
  .map(({ method, path, headers, body }) => {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    return [text(`${method} ${path} HTTP/1.1\r\nhost: x\r\n${lines}\r\n`), body]
  })

const upgradeText = (part: string) =>
  text(
    `GET /v1/${part}/rpc HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n`,
  )

describe('the port of the agent stays up, in bounded memory, whatever comes', { timeout: 60_000 }, () => {
  test('below TLS', async () => {
    await survives(() =>
      fc.assert(
        fc.asyncProperty(fc.array(bytes, { maxLength: 6 }), async (chunks) => void (await throwAt(chunks, 'no TLS'))),
        { numRuns: 60 },
      ),
    )
  })

  test('as HTTP, from nobody and from a viewer', async () => {
    await survives(() =>
      fc.assert(
        fc.asyncProperty(fc.oneof(fc.array(bytes, { maxLength: 6 }), request), fc.boolean(), async (chunks, known) => {
          const answer = await throwAt(chunks, known ? viewer : {})
          // Nobody but an admin may upgrade, whatever headers say.
          expect(answer).not.toContain('"previousVersion"')
          if (!known) expect(answer).not.toMatch(/"agentVersion"|"identity"/)
        }),
        { numRuns: 120 },
      ),
    )
    expect((await host.module('monitor')).version).toBe('1')
  })

  test('as frames of a WebSocket, to the supervisor and to a module', async () => {
    await survives(() =>
      fc.assert(
        fc.asyncProperty(fc.constantFrom('supervisor', 'monitor'), fc.array(bytes, { minLength: 1, maxLength: 6 }), async (part, frames) => {
          const answer = await throwAt(frames, viewer, upgradeText(part))
          expect(answer).toMatch(/^HTTP\/1.1 101 /)
        }),
        { numRuns: 60 },
      ),
    )
  })

  test('many callers that never finish: others are still let in', async () => {
    await survives(async () => {
      const at = { host: '127.0.0.1', port: host.config.apiPort }
      const idle = Array.from({ length: 60 }, () => connectTcp(at).on('error', () => undefined))
      const strangers = Array.from({ length: 60 }, () => {
        const socket = connectTls({ ...at, ca: host.admin.ca! })
        socket.on('error', () => undefined)
        socket.on('secureConnect', () => socket.write('POST /v1/cluster/join HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{'))
        return socket
      })
      await until('all but 32 are cut off', () => strangers.filter((socket) => !socket.destroyed).length === 32)
      expect((await host.get('/v1/supervisor/hello')).status).toBe(200)
      for (const socket of [...idle, ...strangers]) socket.destroy()
    })
  })

  test('a reader that does not read costs no more than what is under way', async () => {
    await survives(async () => {
      const socket = connectTls({ ...viewer, host: '127.0.0.1', port: host.config.apiPort, ca: host.admin.ca! })
      socket.on('error', () => undefined)
      await once(socket, 'secureConnect')
      socket.pause()
      const call = `GET /v1/monitor/whoami HTTP/1.1\r\nhost: x\r\nx-filler: ${'x'.repeat(8_000)}\r\n\r\n`
      // 24 MB of questions, and as much of answers that are not read.
      for (let index = 0; index < 3_000 && !socket.destroyed; index++) {
        if (socket.write(call)) continue
        await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), sleep(5)])
        socket.removeAllListeners('drain')
      }
      socket.destroy()
    })
  })
})
