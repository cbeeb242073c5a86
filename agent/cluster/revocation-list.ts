import { generateKeyPairSync, sign } from 'node:crypto'

const yearsMs = 10 * 365 * 86_400_000

/**
 * A certificate revocation list (RFC 5280, 5.1) with these serial numbers (hex), in PEM, for etcd's `--client-crl-file` and `--peer-crl-file`.
 * etcd compares serial numbers and looks at neither issuer, signature nor dates (pkg/transport/listener_tls.go of 3.4), so each host makes
 * its own from what the store says, signed with a key that is thrown away. Written out here because the library that signs certificates
 * costs 5 MB once it is loaded, and every host makes such a list at its first start.
 */
export function createRevocationList(serials: readonly string[], nowMs: number): string {
  const ecdsaWithSha256 = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'))
  const now = time(nowMs)
  const revoked = serials.map((serial) => der(0x30, integer(serial), now))
  const list = der(
    0x30,
    // Version 2; no issuer.
    ...[integer('01'), ecdsaWithSha256, der(0x30), now, time(nowMs + yearsMs)],
    // Absent rather than empty.
    ...(revoked.length > 0 ? [der(0x30, ...revoked)] : []),
  )
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', list, privateKey)])
  const base64 = der(0x30, list, ecdsaWithSha256, der(0x03, signature)).toString('base64')
  return `-----BEGIN X509 CRL-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END X509 CRL-----\n`
}

/** Tag, length, content (X.690, 8.1). */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const lengthHex = content.length.toString(16)
  const length =
    content.length < 0x80 ? Buffer.from([content.length]) : Buffer.from(lengthHex.padStart(lengthHex.length + (lengthHex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([tag]), content.length < 0x80 ? length : Buffer.concat([Buffer.from([0x80 | length.length]), length]), content])
}

/** A positive INTEGER. */
function integer(hex: string): Buffer {
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return der(0x02, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

/** GeneralizedTime; UTCTime, which RFC 5280 wants before 2050, by the same digits without the century. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\..*/g, '')
  return digits < '2050' ? der(0x17, Buffer.from(`${digits.slice(2)}Z`)) : der(0x18, Buffer.from(`${digits}Z`))
}
