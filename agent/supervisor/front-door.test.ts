import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { createCa, createCsr, signHost, signPerson, type Ca } from '../../core/pki/index.ts'
import { TestHost, until, type Credentials } from './fixtures/test-host.ts'

let host: TestHost
let ca: Ca
let clusterId: string

beforeAll(async () => {
  host = await TestHost.make()
  await host.init()
  ca = { certificatePem: host.admin.ca!, keyPem: readFileSync(join(host.paths.pki, 'bootstrap-ca.key'), 'utf8') }
  clusterId = (JSON.parse(readFileSync(host.paths.join, 'utf8')) as { clusterId: string }).clusterId
  await host.startSupervisor()
  await host.running()
}, 60_000)

afterAll(async () => host.dispose())

/** A person's certificate of this cluster's CA, or of another. */
async function person(
  options: { name?: string; role?: 'viewer' | 'operator' | 'admin'; ttlMs?: number; nowMs?: number; ca?: Ca } = {},
): Promise<Credentials> {
  const { csrPem, keyPem } = await createCsr({ commonName: 'x' })
  const cert = await signPerson(options.ca ?? ca, {
    csrPem,
    name: options.name ?? 'bob',
    role: options.role ?? 'viewer',
    clusterId,
    nowMs: options.nowMs ?? Date.now(),
    ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }),
  })
  return { cert, key: keyPem }
}

/** What a WebSocket is refused with. */
async function refusal(socket: WebSocket): Promise<{ status: number; body: Record<string, unknown> }> {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> }
}

describe('the front door', { timeout: 60_000 }, () => {
  test('knows a caller by the certificate, and greets', async () => {
    expect((await host.get('/v1/supervisor/hello')).body).toMatchObject({ host: 'h1', cluster: 'test', role: 'admin' })
    expect((await host.get('/v1/supervisor/hello', { as: await person() })).body).toMatchObject({ role: 'viewer' })
    expect((await host.get('/v1/monitor/whoami')).body).toMatchObject({ identity: 'anna', role: 'admin' })
  })

  test('strips every header of ours that a caller sends, whatever its spelling', async () => {
    const viewer = await person({ name: 'bob, the üser' })
    const headers = { 'X-Holdfast-Role': 'admin', 'x-holdfast-identity': 'anna', 'x-holdfast-other': '1', 'connection': 'x-holdfast-role' }
    const { body } = await host.get('/v1/monitor/whoami', { as: viewer, headers })
    expect(body).toMatchObject({ identity: 'bob, the üser', role: 'viewer' })
    expect(Object.keys(body.headers as object).filter((name) => name.startsWith('x-holdfast'))).toEqual(['x-holdfast-identity', 'x-holdfast-role'])
    expect(await host.request('POST', '/v1/supervisor/modules/monitor/upgrade', { as: viewer, headers, body: { version: '2' } })).toMatchObject({
      status: 403,
      body: { code: 'role-insufficient' },
    })
  })

  test('turns away, saying why: no certificate, another cluster, expired, not yet valid, no person or host', async () => {
    const other = await createCa({ commonName: 'other', clusterId, nowMs: Date.now() })
    const past = Date.now() - 10 * 86_400_000
    for (const [as, status, code] of [
      [{}, 401, 'certificate-missing'],
      [await person({ ca: other, role: 'admin' }), 401, 'wrong-cluster'],
      [await person({ nowMs: past, ttlMs: 86_400_000 }), 401, 'certificate-expired'],
      [await person({ nowMs: Date.now() + 86_400_000 }), 409, 'clock-skew'],
      [{ cert: ca.certificatePem, key: ca.keyPem }, 401, 'wrong-cluster'],
    ] as const) {
      const http = await host.get('/v1/supervisor/hello', { as })
      expect(http).toMatchObject({ status, body: { code, data: { hint: http.body.hint } } })
      expect(http.body.hint).toMatch(/\w/)
      for (const part of ['supervisor', 'monitor'])
        expect(await refusal(host.webSocket(`/v1/${part}/rpc`, as))).toMatchObject({ status, body: { code } })
    }
  })

  test('lets a caller without certificate see the CA and ask to join, and nothing else', async () => {
    expect((await host.get('/v1/ca', { as: {} })).body).toEqual({ caPem: host.admin.ca })
    // The tiny module has no such procedure, but it is what answers.
    expect(await host.request('POST', '/v1/cluster/join', { as: {}, body: {} })).toMatchObject({ status: 404, body: { code: 'not-found' } })
    for (const path of [
      '/v1/cluster/join?x',
      '/v1/cluster//join',
      '/v1/cluster/join/',
      '/v1/monitor/../cluster/join',
      '/v1/ca/',
      '/',
      '/v1/cluster/status',
    ]) {
      expect(await host.request('POST', path, { as: {}, body: {} })).toMatchObject({ status: 401, body: { code: 'certificate-missing' } })
    }
  })

  test('passes nothing on to the internal routes of a module', async () => {
    for (const path of [
      '/internal/release',
      '/v1/monitor/../../internal/release',
      '/v1/monitor/%2e%2e/%2e%2e/internal/release',
      '/v1/internal/release',
      '/v1/nothing/x',
    ]) {
      expect(await host.request('POST', path, { body: {} }), path).toMatchObject({ status: 404, body: { code: 'not-found' } })
    }
    expect(host.acting('monitor').pid).toBe((await host.module('monitor')).pid)
  })

  test('refuses what is too large, by its length and by what comes', async () => {
    const big = 'x'.repeat(1_200_000)
    for (const part of ['monitor/samples', 'supervisor/sync/watch'])
      expect(await host.request('POST', `/v1/${part}`, { body: big })).toMatchObject({ status: 400, body: { code: 'bad-input' } })
    const socket = connectTls({ ...host.admin, host: '127.0.0.1', port: host.config.apiPort })
    await once(socket, 'secureConnect')
    const closed = once(socket, 'close')
    socket.on('error', () => undefined)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.write('POST /v1/monitor/samples HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    for (let index = 0; index < 40 && !socket.destroyed; index++) {
      socket.write(chunk)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closed
    expect(text).toMatch(/^HTTP\/1.1 400 /)
    const frame = host.webSocket('/v1/monitor/rpc')
    await once(frame, 'open')
    frame.send('x'.repeat(2_000_000))
    expect((await once(frame, 'close'))[0]).toBe(1009)
  })

  test('answers what is not HTTP with an error', async () => {
    const socket = connectTls({ ...host.admin, host: '127.0.0.1', port: host.config.apiPort })
    await once(socket, 'secureConnect')
    socket.end('hello?\r\n\r\n')
    const chunks: Buffer[] = []
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toMatch(/"code":"bad-input"/)
  })

  test('says that a module is down', async () => {
    const { pid } = await host.module('cluster')
    process.kill(pid, 'SIGSTOP')
    await until('the module is down', async () => (await host.get('/v1/cluster/whoami')).status === 503)
    await host.running()
  })

  test('serves a new certificate without a restart, and cuts off who is withdrawn', async () => {
    const { csrPem, keyPem } = await createCsr({ commonName: 'h1' })
    const cert = await signHost(ca, { csrPem, host: 'h1', clusterId, addresses: ['127.0.0.1'], nowMs: Date.now() })
    const withdrawn = await person({ name: 'carl' })
    const socket = host.webSocket('/v1/monitor/rpc', withdrawn)
    await once(socket, 'open')
    const closed = once(socket, 'close')

    writeFileSync(join(host.paths.pki, 'host.key'), keyPem)
    writeFileSync(join(host.paths.pki, 'host.crt'), cert)
    writeFileSync(host.paths.refused, JSON.stringify({ hosts: [], serials: [new X509Certificate(withdrawn.cert!).serialNumber] }))
    await closed
    expect(await host.get('/v1/supervisor/hello', { as: withdrawn })).toMatchObject({
      status: 401,
      body: { code: 'wrong-cluster', data: { withdrawn: true } },
    })
    expect((await host.get('/v1/supervisor/hello')).status).toBe(200)
    const probe: TLSSocket = connectTls({ ...host.admin, host: '127.0.0.1', port: host.config.apiPort })
    await once(probe, 'secureConnect')
    expect(probe.getPeerX509Certificate()!.serialNumber).toBe(new X509Certificate(cert).serialNumber)
    probe.destroy()
  })
})
