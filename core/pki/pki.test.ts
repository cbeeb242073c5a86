import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type TLSSocket } from 'node:tls'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { roles } from '../contract/base.ts'
import { createCa, createCsr, csrCommonName, fingerprint, isSignedBy, readIdentity, signHost, signPerson, type Ca } from './index.ts'

const nowMs = Date.now()
const clusterId = 'c0ffee'
let ca: Ca
let otherCa: Ca
let csr: { csrPem: string; keyPem: string }

beforeAll(async () => {
  ca = await createCa({ commonName: 'lab', clusterId, nowMs })
  otherCa = await createCa({ commonName: 'lab', clusterId, nowMs })
  csr = await createCsr({ commonName: 'asked' })
})

describe('certificates', () => {
  test('Node reads them: a CA that may sign leaves only, on P-256', () => {
    const certificate = new X509Certificate(ca.certificatePem)
    expect(certificate.ca).toBe(true)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    expect(certificate.checkPrivateKey(createPrivateKey(ca.keyPem))).toBe(true)
    expect(new X509Certificate(otherCa.certificatePem).serialNumber).not.toBe(certificate.serialNumber)
  })

  test('any name, role and address comes back as it was signed, and only from this CA', async () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed() && !/^\s|\s$|\0/.test(text))
    await fc.assert(
      fc.asyncProperty(name, fc.constantFrom(...roles), fc.integer({ min: 60_000, max: 10 ** 11 }), async (person, role, ttlMs) => {
        const pem = await signPerson(ca, { csrPem: csr.csrPem, name: person, role, clusterId, nowMs, ttlMs })
        const identity = readIdentity(pem)
        expect(identity).toMatchObject({ name: person, role, clusterId })
        expect(Math.abs(identity.notAfterMs - (nowMs + ttlMs))).toBeLessThan(1_000)
        expect(identity.serial).toBe(new X509Certificate(pem).serialNumber.toLowerCase())
        expect(await isSignedBy(pem, ca.certificatePem, nowMs)).toBe(true)
        expect(await isSignedBy(pem, ca.certificatePem, nowMs + ttlMs + 1_000)).toBe(false)
        expect(await isSignedBy(pem, otherCa.certificatePem, nowMs)).toBe(false)
        const node = new X509Certificate(pem)
        expect(node.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true)
        expect(node.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
      }),
      { numRuns: 25 },
    )
  })

  test('a host is valid for its name and addresses, at both ends', async () => {
    const pem = await signHost(ca, { csrPem: csr.csrPem, host: 'h1', clusterId, addresses: ['10.0.0.1', '10.1.0.1', '10.0.0.1'], nowMs })
    const certificate = new X509Certificate(pem)
    expect(certificate.checkIP('10.0.0.1')).toBe('10.0.0.1')
    expect(certificate.checkIP('10.1.0.1')).toBe('10.1.0.1')
    expect(certificate.checkIP('10.0.0.2')).toBeUndefined()
    expect(certificate.checkHost('h1')).toBe('h1')
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(readIdentity(pem)).toMatchObject({ name: 'h1', role: 'host', clusterId })
    expect(certificate.checkPrivateKey(createPrivateKey(csr.keyPem))).toBe(true)
  })

  test('TLS accepts them, and knows the caller', async () => {
    const host = { key: csr.keyPem, cert: await signHost(ca, { csrPem: csr.csrPem, host: 'h1', clusterId, addresses: ['127.0.0.1'], nowMs }) }
    const person = await createCsr({ commonName: 'anna' })
    const client = { key: person.keyPem, cert: await signPerson(ca, { csrPem: person.csrPem, name: 'anna', role: 'operator', clusterId, nowMs }) }
    const server = createServer({ ...host, ca: ca.certificatePem, requestCert: true, rejectUnauthorized: true })
    try {
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
      const socket = connect({ ...client, ca: ca.certificatePem, host: '127.0.0.1', port: (server.address() as { port: number }).port })
      await once(socket, 'secureConnect')
      expect((await accepted)[0].getPeerCertificate().subject).toMatchObject({ CN: 'anna', OU: 'operator', O: clusterId })
      socket.destroy()
    } finally {
      server.close()
    }
  })

  test('a request that is not PEM, not a request, or altered is refused', async () => {
    const options = { host: 'h1', clusterId, addresses: [], nowMs }
    const body = csr.csrPem.split('\n').slice(1, -2).join('')
    const der = Buffer.from(body, 'base64')
    const altered = Buffer.from(der)
    altered[altered.length - 5]! ^= 1
    const wrap = (bytes: Buffer) => `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    for (const csrPem of ['', 'x', ca.certificatePem, wrap(altered), wrap(der.subarray(0, 40))]) {
      await expect(signHost(ca, { ...options, csrPem })).rejects.toMatchObject({ code: 'bad-input' })
    }
    expect(await csrCommonName(csr.csrPem)).toBe('asked')
  })

  test('a fingerprint is the SHA-256 of the certificate', async () => {
    expect(await fingerprint(ca.certificatePem)).toBe(new X509Certificate(ca.certificatePem).fingerprint256.replaceAll(':', '').toLowerCase())
  })
})
