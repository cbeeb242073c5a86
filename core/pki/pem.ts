import { HoldfastError } from '../errors.ts'

/** The bytes of the first block of a PEM text (RFC 7468). Throws `bad-input`. */
export function pemToDer(pem: string): Uint8Array<ArrayBuffer> {
  const body = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/.exec(pem)?.[2]
  try {
    if (body) return Uint8Array.from(atob(body.replace(/\s+/g, '')), (char) => char.charCodeAt(0))
  } catch {
    // Not base64: refused below.
  }
  throw new HoldfastError('bad-input', 'A text is not PEM', 'Give a certificate, request or key in PEM (-----BEGIN …-----).')
}

/** PEM text (RFC 7468) of DER bytes. */
export function derToPem(label: 'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'PRIVATE KEY', der: ArrayBuffer): string {
  const base64 = btoa(Array.from(new Uint8Array(der), (byte) => String.fromCharCode(byte)).join(''))
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

/** Lower-case hex. */
export function toHex(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** SHA-256 over a certificate's DER, 64 hex digits: by this a CA is pinned. */
export async function fingerprint(certificatePem: string): Promise<string> {
  return toHex(await crypto.subtle.digest('SHA-256', pemToDer(certificatePem)))
}
