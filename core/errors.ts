/**
 * Every failure that crosses a boundary (agent to main, main to window, command line) is a HoldfastError:
 * what happened (`code`, `message`), what to do (`hint`), and the facts (`data`). Codes are kebab-case, stable, and listed here.
 */
export const errorCodes = {
  // Asked for something that cannot be.
  'bad-input': 400,
  'not-found': 404,
  'already-exists': 409,
  'busy': 409,
  'not-supported': 501,
  'read-only': 403,
  // Who you are.
  'certificate-missing': 401,
  'certificate-expired': 401,
  'wrong-cluster': 401,
  'token-invalid': 401,
  'role-insufficient': 403,
  // SSH and installing.
  'ssh-auth-failed': 401,
  'host-key-changed': 409,
  'host-key-unknown': 409,
  'host-unreachable': 503,
  'system-unsupported': 501,
  'disk-full': 507,
  'port-taken': 409,
  'clock-skew': 409,
  'step-failed': 500,
  // The cluster.
  'quorum-lost': 503,
  'no-leader': 503,
  'module-unhealthy': 503,
  'upgrade-rolled-back': 409,
  'timeout': 504,
  // The laptop.
  'vault-locked': 401,
  'passphrase-wrong': 401,
  'inventory-corrupt': 500,
  'no-context': 404,
  'offline': 503,
  'internal': 500,
} as const

export type ErrorCode = keyof typeof errorCodes

/** The plain-data form of a HoldfastError, as it is sent and stored. */
export interface ErrorDoc {
  code: ErrorCode
  message: string
  hint: string
  data?: Record<string, unknown>
}

/** A failure with a remedy. `message` says what happened, to what; `hint` says what to do about it. */
export class HoldfastError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  readonly data: Record<string, unknown>

  constructor(code: ErrorCode, message: string, hint: string, data: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HoldfastError'
    this.code = code
    this.hint = hint
    this.data = data
  }

  toDoc(): ErrorDoc {
    return { code: this.code, message: this.message, hint: this.hint, data: this.data }
  }
}

/** Turns anything thrown into a HoldfastError; one that already is stays the same object. */
export function asHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown))
  return new HoldfastError('internal', cause.message, 'This is a defect: report it with the log of the program that printed it.', {}, { cause })
}
