import { HoldfastError, type ErrorCode } from '../../core/errors.ts'

interface Rule {
  /** Matches the code of the system, of TLS or of OpenSSL. */
  pattern: RegExp
  code: ErrorCode
  what: string
  hint: string
}

/** What goes wrong on the way to an agent, by the code that Node gives it; the first rule that matches counts. */
const rules: Rule[] = [
  {
    pattern: /^CERT_HAS_EXPIRED$/,
    code: 'certificate-expired',
    what: 'shows a certificate that has expired',
    hint: 'Compare the clocks of this laptop and the host; if both are right, rotate the certificates of the host.',
  },
  {
    pattern: /^CERT_NOT_YET_VALID$/,
    code: 'clock-skew',
    what: 'shows a certificate from the future',
    hint: 'Set the clock of this laptop, or that of the host.',
  },
  {
    pattern: /ALERT_CERTIFICATE_EXPIRED/,
    code: 'certificate-expired',
    what: 'says that your certificate has expired',
    hint: 'Compare the clocks of this laptop and the host; if both are right, have a new certificate signed.',
  },
  {
    pattern: /^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|CERT_SIGNATURE_FAILURE)/,
    code: 'wrong-cluster',
    what: 'belongs to another cluster: its certificate is not signed by the CA of this one',
    hint: 'Use the context of that cluster, or correct the address.',
  },
  {
    pattern: /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|DECRYPT_ERROR)/,
    code: 'wrong-cluster',
    what: 'does not know the CA of your certificate',
    hint: 'It belongs to another cluster, or the cluster was made anew: add one of its hosts again.',
  },
  {
    pattern: /ALERT_(CERTIFICATE_REVOKED|ACCESS_DENIED)/,
    code: 'role-insufficient',
    what: 'refuses your certificate',
    hint: 'Have an administrator of the cluster sign a new one.',
  },
  { pattern: /ALERT_CERTIFICATE_REQUIRED/, code: 'certificate-missing', what: 'wants a certificate', hint: 'Use a context that has one.' },
  {
    pattern: /^ECONNREFUSED$/,
    code: 'host-unreachable',
    what: 'refuses connections: no agent listens there',
    hint: 'Look whether the agent runs on the host, or power the host on.',
  },
  {
    pattern: /^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN)$/,
    code: 'host-unreachable',
    what: 'cannot be reached',
    hint: 'Check the network of this laptop and that the host has power.',
  },
  {
    pattern: /^(ECONNRESET|EPIPE|ECONNABORTED)$/,
    code: 'host-unreachable',
    what: 'closed the connection',
    hint: 'It is made again by itself as soon as the host answers.',
  },
  {
    pattern: /^(ETIMEDOUT|ERR_SOCKET_CONNECTION_TIMEOUT)$/,
    code: 'timeout',
    what: 'does not answer',
    hint: 'Check the network of this laptop and that the host has power.',
  },
]

/** Gives a failure to reach or keep an agent its code and its remedy. */
export function describeFailure(error: Error, endpoint: string): HoldfastError {
  if (error instanceof HoldfastError) return error
  const code = codeOf(error)
  const rule = rules.find(({ pattern }) => pattern.test(code))
  if (rule) return new HoldfastError(rule.code, `${endpoint} ${rule.what}`, rule.hint, {}, { cause: error })
  if (/handshake has timed out/.test(error.message))
    return new HoldfastError(
      'timeout',
      `${endpoint} does not answer`,
      'Check the network of this laptop and that the host has power.',
      {},
      { cause: error },
    )
  return new HoldfastError(
    'host-unreachable',
    `${endpoint} cannot be talked to: ${error.message}`,
    'Look at the state of the agent on that host.',
    {},
    { cause: error },
  )
}

/** Connecting to a name with several addresses fails with one error for each. */
function codeOf(error: Error & { code?: unknown }): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0] as Error)
  return typeof error.code === 'string' ? error.code : ''
}
