import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCsr, signHost } from '../../core/pki/index.ts'
import type { AgentPaths } from '../runtime/config.ts'
import { TestHost, until } from '../supervisor/fixtures/test-host.ts'
import { isDismissed } from './dismissal.ts'
import { hostDocSchema } from './documents.ts'

let host: TestHost
/** The files of another host of the same cluster. */
let other: AgentPaths
const pki = mkdtempSync(join(tmpdir(), 'holdfast-dismissal-'))
let serial: string

beforeAll(async () => {
  host = await TestHost.make()
  await host.init()
  const ca = { certificatePem: host.admin.ca!, keyPem: readFileSync(join(host.paths.pki, 'bootstrap-ca.key'), 'utf8') }
  const { clusterId } = JSON.parse(readFileSync(host.paths.join, 'utf8')) as { clusterId: string }
  const { csrPem, keyPem } = await createCsr({ commonName: 'h2' })
  const certificatePem = await signHost(ca, { csrPem, host: 'h2', clusterId, addresses: ['127.0.0.2'], nowMs: Date.now() })
  serial = new X509Certificate(certificatePem).serialNumber
  for (const [name, pem] of Object.entries({ 'ca.crt': ca.certificatePem, 'host.crt': certificatePem, 'host.key': keyPem }))
    writeFileSync(join(pki, name), pem, { mode: 0o600 })
  other = { ...host.paths, pki }
  await host.startSupervisor()
  await host.running()
}, 60_000)

afterAll(async () => {
  await host.dispose()
  rmSync(pki, { recursive: true, force: true })
})

const at = (apiPort: number) =>
  hostDocSchema.parse({
    ...{ name: 'h1', addresses: { mgmt: '127.0.0.1' }, role: 'voter', joinedAtMs: 0, incarnation: '0', certificates: [] },
    ...{ apiPort, storePeerPort: 2380, storeClientPort: 2379, heartbeatPort: 7444 },
  })

test('a host whose certificate was withdrawn is dismissed; one that is welcome, or that nobody answers, is not', async () => {
  const { apiPort } = host.config
  expect(await isDismissed(other, [at(apiPort)])).toBe(false)
  expect(await isDismissed(other, [at(1)])).toBe(false)
  expect(await isDismissed(other, [])).toBe(false)
  writeFileSync(host.paths.refused, JSON.stringify({ hosts: [], serials: [serial] }))
  await until('the withdrawal is known', () => isDismissed(other, [at(1), at(apiPort)]))
}, 30_000)
