import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCa, createCsr, fingerprint, isSignedBy, readIdentity, signHost, type Ca } from '../../core/pki/index.ts'
import { parseJsonBody, readBody, sendJson } from '../runtime/http.ts'
import { TestHost } from './fixtures/test-host.ts'
import { init } from './init.ts'
import { join as joinCluster } from './join.ts'
import { leave } from './leave.ts'

let host: TestHost

beforeEach(async () => {
  host = await TestHost.make()
})

afterEach(async () => host.dispose())

const pki = (name: string) => readFileSync(join(host.paths.pki, name), 'utf8')

describe('init', { timeout: 60_000 }, () => {
  test('makes both CAs, the host and the first administrator; private keys are for root alone', async () => {
    const { csrPem } = await createCsr({ commonName: 'anna' })
    const answer = await init(host.paths, { config: host.config, adminCsrPem: csrPem })
    expect(answer.caPem).toBe(pki('ca.crt'))
    expect(readIdentity(answer.adminCertificatePem)).toMatchObject({ name: 'anna', role: 'admin', clusterId: answer.clusterId })
    expect(readIdentity(pki('host.crt'))).toMatchObject({ name: 'h1', role: 'host', clusterId: answer.clusterId })
    expect(await isSignedBy(pki('store.crt'), pki('store-ca.crt'), Date.now())).toBe(true)
    expect(await isSignedBy(answer.adminCertificatePem, pki('store-ca.crt'), Date.now())).toBe(false)
    expect(Buffer.from(pki('heartbeat.key'), 'base64')).toHaveLength(32)
    const open = readdirSync(host.paths.pki).filter((name) => !name.endsWith('.crt') && (statSync(join(host.paths.pki, name)).mode & 0o077) !== 0)
    expect(open).toEqual([])
    expect(JSON.parse(readFileSync(host.paths.join, 'utf8'))).toMatchObject({
      role: 'voter',
      initialClusterState: 'new',
      initialCluster: ['h1=https://127.0.0.1:2380'],
    })
  })

  test('again on the same host it signs what is asked and changes nothing else, until the key has gone to the store', async () => {
    const request = async () => ({ config: host.config, adminCsrPem: (await createCsr({ commonName: 'anna' })).csrPem })
    const first = await init(host.paths, await request())
    const before = pki('host.crt')
    const again = await init(host.paths, await request())
    expect(again).toMatchObject({ clusterId: first.clusterId, caPem: first.caPem })
    expect(await isSignedBy(again.adminCertificatePem, first.caPem, Date.now())).toBe(true)
    expect(pki('host.crt')).toBe(before)
    rmSync(join(host.paths.pki, 'bootstrap-ca.key'))
    await expect(init(host.paths, await request())).rejects.toMatchObject({ code: 'already-exists' })
    await expect(init(host.paths, { ...(await request()), config: { ...host.config, cluster: 'other' } })).rejects.toMatchObject({
      code: 'already-exists',
    })
  })

  test('as a program, it prints one answer, or an ErrorDoc as the last line of stderr', async () => {
    const { csrPem } = await createCsr({ commonName: 'anna' })
    expect(host.command('init', { config: { ...host.config, host: 'H 1' }, adminCsrPem: csrPem })).toMatchObject({
      status: 1,
      answer: { code: 'bad-input', message: expect.stringContaining('host') as string },
    })
    expect(host.command('init', { config: host.config, adminCsrPem: 'x' })).toMatchObject({ status: 1, answer: { code: 'bad-input' } })
    expect(existsSync(host.paths.pki)).toBe(false)
    expect(host.command('init', { config: host.config, adminCsrPem: csrPem })).toMatchObject({ status: 0, answer: { caPem: pki('ca.crt') } })
    expect(host.command('nonsense')).toMatchObject({ status: 1, answer: { code: 'bad-input' } })
    expect(host.command('status').answer).toMatchObject({ host: 'h1', cluster: 'test', supervisorPid: null })
  })
})

describe('join', { timeout: 60_000 }, () => {
  /** An agent of a cluster, as far as a host that joins can see. */
  async function agent(ca: Ca, storeCa: Ca, shown: string = ca.certificatePem) {
    const { csrPem, keyPem } = await createCsr({ commonName: 'h0' })
    const cert = await signHost(ca, { csrPem, host: 'h0', clusterId: 'c', addresses: ['127.0.0.1'], nowMs: Date.now() })
    const tokens: string[] = []
    const server = https.createServer({ key: keyPem, cert }, (request, response) => {
      void (async () => {
        const body = parseJsonBody(await readBody(request)) as { token: string; csrPem: string; storeCsrPem: string } | undefined
        if (request.url === '/v1/ca') return sendJson(response, 200, { caPem: shown })
        tokens.push(body!.token)
        if (body!.token !== 'right')
          return sendJson(response, 401, { code: 'token-invalid', message: 'The token was used or is too old', hint: 'Make a new one.' })
        const sign = (by: Ca, csr: string) => signHost(by, { csrPem: csr, host: 'h1', clusterId: 'c', addresses: ['127.0.0.1'], nowMs: Date.now() })
        sendJson(response, 200, {
          clusterId: 'c',
          clusterName: 'test',
          clusterIp: '10.0.0.100/24',
          caPem: ca.certificatePem,
          certificatePem: await sign(ca, body!.csrPem),
          storeCaPem: storeCa.certificatePem,
          storeCertificatePem: await sign(storeCa, body!.storeCsrPem),
          heartbeatKey: Buffer.alloc(32, 7).toString('base64'),
          role: 'client',
          initialCluster: ['h0=https://10.0.0.1:2380'],
          storeEndpoints: ['https://10.0.0.1:2379'],
        })
      })()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return { endpoint: `127.0.0.1:${(server.address() as { port: number }).port}`, tokens, close: () => server.close() }
  }

  test('pins the CA before it shows its token, stores what it gets, and is done when asked again', async () => {
    const [ca, storeCa, other] = await Promise.all(['a', 'b', 'c'].map((commonName) => createCa({ commonName, clusterId: 'c', nowMs: Date.now() })))
    const right = await agent(ca!, storeCa!)
    // One that has another CA, and one that shows the right CA without having its key.
    const [foreign, liar] = [await agent(other!, storeCa!), await agent(other!, storeCa!, ca!.certificatePem)]
    try {
      const caFingerprint = await fingerprint(ca!.certificatePem)
      const input = { config: host.config, token: 'right', caFingerprint, endpoints: ['127.0.0.1:1', right.endpoint] }
      await expect(joinCluster(host.paths, { ...input, endpoints: [foreign.endpoint] })).rejects.toMatchObject({ code: 'wrong-cluster' })
      await expect(joinCluster(host.paths, { ...input, endpoints: [liar.endpoint] })).rejects.toMatchObject({ code: 'host-unreachable' })
      expect([...foreign.tokens, ...liar.tokens]).toEqual([])
      await expect(joinCluster(host.paths, { ...input, token: 'wrong' })).rejects.toMatchObject({ code: 'token-invalid', hint: 'Make a new one.' })
      expect(existsSync(host.paths.pki)).toBe(false)

      const answer = await joinCluster(host.paths, input)
      expect(answer).toEqual({ clusterId: 'c', caPem: ca!.certificatePem })
      expect(new X509Certificate(pki('host.crt')).checkIP('127.0.0.1')).toBeTruthy()
      expect(JSON.parse(readFileSync(host.paths.join, 'utf8'))).toMatchObject({
        role: 'client',
        initialClusterState: 'existing',
        storeEndpoints: ['https://10.0.0.1:2379'],
      })
      expect(JSON.parse(readFileSync(host.paths.config, 'utf8'))).toMatchObject({ cluster: 'test', clusterIp: '10.0.0.100/24' })
      right.tokens.length = 0
      expect(await joinCluster(host.paths, input)).toEqual(answer)
      expect(right.tokens).toEqual([])
      await expect(joinCluster(host.paths, { ...input, caFingerprint: await fingerprint(other!.certificatePem) })).rejects.toMatchObject({
        code: 'already-exists',
      })
    } finally {
      for (const server of [right, foreign, liar]) server.close()
    }
  })
})

test('leave ends the launcher, the supervisor, the modules and what they started', async () => {
  await host.init()
  await host.startLauncher()
  await host.running()
  const { ended } = await leave(host.paths)
  expect(ended).toEqual(expect.arrayContaining(['launcher']))
  expect(host.modulePids('cluster')).toEqual([])
  expect(host.modulePids('monitor')).toEqual([])
  expect(readdirSync(host.paths.run)).toEqual([])
  await expect(host.get('/v1/supervisor/hello')).rejects.toThrow()
}, 60_000)
