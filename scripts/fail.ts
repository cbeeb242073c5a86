import { asHoldfastError } from '../core/errors.ts'

/** Prints what happened and what to do, without a stack unless it is a defect, and sets exit status 1. */
export function fail(thrown: unknown): void {
  const error = asHoldfastError(thrown)
  console.error(`\n${error.message}\n${error.hint}`)
  if (error.code === 'internal') console.error(error.cause instanceof Error ? error.cause.stack : error.stack)
  process.exitCode = 1
}
