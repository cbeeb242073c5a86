import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

const yearsMs = 10 * 365 * 86_400_000

/**
 * A certificate revocation list (RFC 5280, 5) with these serial numbers, in PEM, for etcd's `--client-crl-file` and `--peer-crl-file`.
 * etcd compares serial numbers and looks at neither signature nor dates (pkg/transport/listener_tls.go of 3.4), so each host makes
 * its own from what the store says, signed with a key that is thrown away.
 */
export async function createRevocationList(issuerPem: string, serials: readonly string[]): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
  const { privateKey } = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])
  const now = new Date()
  const list = await x509.X509CrlGenerator.create({
    issuer: new x509.X509Certificate(issuerPem).subjectName,
    thisUpdate: now,
    nextUpdate: new Date(now.getTime() + yearsMs),
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: now })),
    signingAlgorithm: algorithm,
    signingKey: privateKey,
  })
  // RFC 7468, 6: the label that the library gives is another.
  return list.toString('pem').replaceAll(' CRL-----', ' X509 CRL-----')
}
