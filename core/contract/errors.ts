import { mapEventIterator } from '@orpc/client'
import { ORPCError } from '@orpc/contract'
import { asHoldfastError, errorCodes, HoldfastError, type ErrorCode, type ErrorDoc } from '../errors.ts'

/** oRPC's own codes that our callers can meet, and what they are called here. */
const foreignCodes: Record<string, ErrorCode> = {
  BAD_REQUEST: 'bad-input',
  NOT_FOUND: 'not-found',
  METHOD_NOT_SUPPORTED: 'not-supported',
  PAYLOAD_TOO_LARGE: 'bad-input',
  UNSUPPORTED_MEDIA_TYPE: 'bad-input',
  UNAUTHORIZED: 'certificate-missing',
  FORBIDDEN: 'role-insufficient',
  TIMEOUT: 'timeout',
  GATEWAY_TIMEOUT: 'timeout',
  SERVICE_UNAVAILABLE: 'module-unhealthy',
}

interface Issue {
  path?: readonly (PropertyKey | { key: PropertyKey })[]
  message: string
}

/** What of a caller's input was refused, in one line a field. */
function describeIssues(issues: readonly Issue[]): string {
  return issues
    .slice(0, 10)
    .map((issue) => {
      const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
      return path ? `${path}: ${issue.message}` : issue.message
    })
    .join('; ')
}

/** Turns anything thrown into the contract's typed error: code, status, message, and `hint` with the facts in `data`. */
export function toOrpcError(thrown: unknown): ORPCError<string, Record<string, unknown>> {
  const error = fromOrpcError(thrown)
  return new ORPCError(error.code, {
    status: errorCodes[error.code],
    message: error.message,
    data: { ...error.data, hint: error.hint },
    cause: thrown,
  })
}

/** Turns what a call of a contract threw back into the HoldfastError that the other side meant. */
export function fromOrpcError(thrown: unknown): HoldfastError {
  if (!(thrown instanceof ORPCError)) return asHoldfastError(thrown)
  const { hint, ...data } = (thrown.data ?? {}) as Record<string, unknown>
  if (Object.hasOwn(errorCodes, thrown.code)) {
    return new HoldfastError(thrown.code as ErrorCode, thrown.message, typeof hint === 'string' ? hint : '', data, { cause: thrown })
  }
  const code = foreignCodes[thrown.code] ?? 'internal'
  const issues = Array.isArray(data.issues) ? (data.issues as Issue[]) : []
  const message = issues.length > 0 ? `The request was refused: ${describeIssues(issues)}` : thrown.message
  const advice =
    code === 'internal'
      ? 'This is a defect: report it with the log of the program that answered.'
      : 'Compare the request with the contract of this version.'
  return new HoldfastError(code, message, advice, {}, { cause: thrown })
}

/** Interceptor for oRPC's `clientInterceptors`: whatever a procedure throws, at once or in the middle of a stream, leaves as a typed error. */
export async function mapErrors<T>(call: { next(): Promise<T> }): Promise<T> {
  try {
    return mapStreamErrors(await call.next())
  } catch (thrown) {
    throw toOrpcError(thrown)
  }
}

/** A procedure's output; if it is a stream, one whose errors are mapped too. Anything else is answered as it is. */
export function mapStreamErrors<T>(output: T, map: (thrown: unknown) => unknown = toOrpcError): T {
  if (typeof output !== 'object' || output === null || !(Symbol.asyncIterator in output)) return output
  const stream = output as unknown as AsyncIterator<unknown, unknown, void>
  return mapEventIterator(stream, { value: (value) => Promise.resolve(value), error: (thrown) => Promise.resolve(map(thrown)) }) as T
}

/** Body of an HTTP answer that is an error: an ErrorDoc that oRPC's OpenAPI client also knows as its own. */
export function errorBody(error: HoldfastError): ErrorDoc & { defined: true; status: number } {
  return {
    defined: true,
    code: error.code,
    status: errorCodes[error.code],
    message: error.message,
    hint: error.hint,
    data: { ...error.data, hint: error.hint },
  }
}
