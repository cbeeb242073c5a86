import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import type { Role } from '../contract/base.ts'
import { HoldfastError } from '../errors.ts'
import { derToPem, pemToDer, toHex } from './pem.ts'

/** ECDSA on P-256 with SHA-256, everywhere. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 86_400_000
/** How far a certificate's start lies before its making, so that a clock that is behind still accepts it. */
const backdateMs = 3_600_000

/** How long certificates last, in milliseconds, unless the caller says otherwise. */
export const lifetimeMs = { ca: 3_650 * dayMs, host: 90 * dayMs, person: 365 * dayMs } as const

/** A certificate authority: its certificate and the key that signs for it, both PEM. */
export interface Ca {
  certificatePem: string
  keyPem: string
}

/** Makes a self-signed CA that signs leaves only. */
export async function createCa(options: { commonName: string; clusterId: string; nowMs: number; ttlMs?: number }): Promise<Ca> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: subject(options.commonName, 'ca', options.clusterId),
    ...validity(options.nowMs, options.ttlMs ?? lifetimeMs.ca),
    keys: keys as never,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  })
  return { certificatePem: derToPem('CERTIFICATE', certificate.rawData), keyPem: await exportKey(keys.privateKey) }
}

/** Makes a key and a request to sign it. The key is PKCS #8 PEM and stays where it was made. */
export async function createCsr(options: { commonName: string }): Promise<{ csrPem: string; keyPem: string }> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.Name([{ CN: [{ utf8String: options.commonName }] }]),
    keys: keys as never,
    signingAlgorithm: algorithm,
  })
  return { csrPem: derToPem('CERTIFICATE REQUEST', request.rawData), keyPem: await exportKey(keys.privateKey) }
}

/** The common name that a request asks for, after its signature was checked. Throws `bad-input`. */
export async function csrCommonName(csrPem: string): Promise<string> {
  const request = await readCsr(csrPem)
  return request.subjectName.getField('CN')[0] ?? ''
}

/** Signs a host's key: CN its name, OU `host`, O the cluster's id; for both ends of TLS, valid for its name and addresses. The name in the request does not count. */
export async function signHost(
  ca: Ca,
  options: { csrPem: string; host: string; clusterId: string; addresses: readonly string[]; nowMs: number; ttlMs?: number },
): Promise<string> {
  return signLeaf(ca, options.csrPem, subject(options.host, 'host', options.clusterId), validity(options.nowMs, options.ttlMs ?? lifetimeMs.host), [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension([
      { type: 'dns', value: options.host },
      ...[...new Set(options.addresses)].map((value) => ({ type: 'ip' as const, value })),
    ]),
  ])
}

/** Signs a person's key: CN the name, OU the role, O the cluster's id; for the client's end of TLS alone. The name in the request does not count. */
export async function signPerson(
  ca: Ca,
  options: { csrPem: string; name: string; role: Role; clusterId: string; nowMs: number; ttlMs?: number },
): Promise<string> {
  return signLeaf(
    ca,
    options.csrPem,
    subject(options.name, options.role, options.clusterId),
    validity(options.nowMs, options.ttlMs ?? lifetimeMs.person),
    [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
  )
}

/** Who a certificate is for, as its issuer wrote it. */
export interface CertificateIdentity {
  /** Name of a person or host. */
  name: string
  /** A person's role, `host`, or `ca`. */
  role: string
  clusterId: string
  /** Hex, as `refused.json` lists it. */
  serial: string
  notBeforeMs: number
  notAfterMs: number
}

/** Reads who a certificate is for; proves nothing about who signed it. Throws `bad-input`. */
export function readIdentity(certificatePem: string): CertificateIdentity {
  const certificate = readCertificate(certificatePem)
  const field = (name: string) => certificate.subjectName.getField(name)[0] ?? ''
  return {
    name: field('CN'),
    role: field('OU'),
    clusterId: field('O'),
    serial: certificate.serialNumber.toLowerCase(),
    notBeforeMs: certificate.notBefore.getTime(),
    notAfterMs: certificate.notAfter.getTime(),
  }
}

/** Whether a certificate is in force at `nowMs` and was signed by this CA. */
export async function isSignedBy(certificatePem: string, caPem: string, nowMs: number): Promise<boolean> {
  const certificate = readCertificate(certificatePem)
  const publicKey = await readCertificate(caPem).publicKey.export()
  return certificate.verify({ publicKey, date: new Date(nowMs) })
}

async function signLeaf(
  ca: Ca,
  csrPem: string,
  name: x509.Name,
  times: { notBefore: Date; notAfter: Date },
  extensions: x509.Extension[],
): Promise<string> {
  const request = await readCsr(csrPem)
  const caCertificate = readCertificate(ca.certificatePem)
  const signingKey = await crypto.subtle.importKey('pkcs8', pemToDer(ca.keyPem), algorithm, false, ['sign'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: name,
    issuer: caCertificate.subjectName,
    ...times,
    publicKey: request.publicKey,
    signingKey: signingKey as never,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.AuthorityKeyIdentifierExtension.create(caCertificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
      ...extensions,
    ],
  })
  return derToPem('CERTIFICATE', certificate.rawData)
}

/** Reads a request and checks that its sender holds the key, and that the key is on P-256. Throws `bad-input`. */
async function readCsr(csrPem: string): Promise<x509.Pkcs10CertificateRequest> {
  const refuse = (cause?: unknown) =>
    new HoldfastError(
      'bad-input',
      'A certificate request cannot be read or is not signed by its own key',
      'Make a new request with an ECDSA P-256 key.',
      {},
      { cause },
    )
  try {
    const request = new x509.Pkcs10CertificateRequest(pemToDer(csrPem))
    const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string }
    if (name !== algorithm.name || namedCurve !== algorithm.namedCurve || !(await request.verify())) throw refuse()
    return request
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : refuse(cause)
  }
}

function readCertificate(pem: string): x509.X509Certificate {
  try {
    return new x509.X509Certificate(pemToDer(pem))
  } catch (cause) {
    throw new HoldfastError('bad-input', 'A certificate cannot be read', 'Give an X.509 certificate in PEM.', {}, { cause })
  }
}

async function exportKey(key: Parameters<typeof crypto.subtle.exportKey>[1]): Promise<string> {
  return derToPem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', key))
}

/** Given as values, never as text to parse, so that a name cannot add fields of its own. */
function subject(commonName: string, unit: string, organization: string): x509.Name {
  return new x509.Name([{ CN: [{ utf8String: commonName }] }, { OU: [{ utf8String: unit }] }, { O: [{ utf8String: organization }] }])
}

function validity(nowMs: number, ttlMs: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - backdateMs), notAfter: new Date(nowMs + ttlMs) }
}

/** 127 random bits, positive and not zero (RFC 5280, 4.1.2.2). */
function newSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return toHex(bytes)
}
