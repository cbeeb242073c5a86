import type { TLSSocket } from 'node:tls'
import { roles } from '../../core/contract/base.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { CallerContext, CallerRole } from '../runtime/context.ts'

/** Decides who calls, from the certificate that the TLS handshake carried. */
export interface CallerPolicy {
  cluster: string
  isRefused(name: string, role: string, serial: string): boolean
  nowMs(): number
}

const anonymous: CallerContext = { identity: '', role: 'none' }

/**
 * Who is at the other end. Nobody (role `none`) without a certificate.
 * Throws `wrong-cluster`, `certificate-expired` or `clock-skew` for a certificate that does not count here.
 */
export function identifyCaller(socket: TLSSocket, policy: CallerPolicy): CallerContext {
  const certificate = socket.getPeerCertificate()
  // Node answers an empty object for none; its types say otherwise.
  if (!certificate || Object.keys(certificate).length === 0) return anonymous
  const { CN: name, OU: role } = certificate.subject as Record<string, unknown>
  const data = { notBefore: certificate.valid_from, notAfter: certificate.valid_to, nowMs: policy.nowMs() }
  const who = typeof name === 'string' ? name : 'a caller'
  const clock = new Date(data.nowMs).toISOString()
  const expired = () =>
    new HoldfastError(
      'certificate-expired',
      `The certificate of ${who} ended ${certificate.valid_to}; this host's clock says ${clock}`,
      'Renew the certificate, or correct the clock of this host.',
      data,
    )
  const early = () =>
    new HoldfastError(
      'clock-skew',
      `The certificate of ${who} begins ${certificate.valid_from}; this host's clock says ${clock}`,
      'Correct the clock of this host.',
      data,
    )

  if (!socket.authorized) {
    const reason = String(socket.authorizationError)
    if (reason === 'CERT_HAS_EXPIRED') throw expired()
    if (reason === 'CERT_NOT_YET_VALID') throw early()
    throw new HoldfastError(
      'wrong-cluster',
      `The certificate of ${who} was not issued by the cluster ${policy.cluster}`,
      'Use the context of this cluster: holdfast context use.',
      { cluster: policy.cluster, reason },
    )
  }
  // A connection may outlive the certificate that it began with.
  if (policy.nowMs() > Date.parse(certificate.valid_to)) throw expired()
  if (typeof name !== 'string' || typeof role !== 'string' || !(role === 'host' || roles.some((known) => known === role))) {
    throw new HoldfastError(
      'wrong-cluster',
      'The certificate names no person or host of this cluster',
      'Use the context of this cluster: holdfast context use.',
      { cluster: policy.cluster },
    )
  }
  if (policy.isRefused(name, role, certificate.serialNumber)) {
    throw new HoldfastError(
      'wrong-cluster',
      `The certificate of ${name} was withdrawn from the cluster ${policy.cluster}`,
      'Ask an administrator of the cluster for a new one; a removed host must be added again.',
      { cluster: policy.cluster, withdrawn: true },
    )
  }
  return { identity: name, role: role as CallerRole }
}
