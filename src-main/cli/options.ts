import { readFileSync } from 'node:fs'
import { UsageError } from './parse.ts'
import type { Call } from './table.ts'

/** Value of an option; undefined if it was not given. */
export function option(call: Call, name: string): string | undefined {
  const value = call.options[name]
  return typeof value === 'string' ? value : undefined
}

/** Values of an option that may be given several times; none if it was not given. */
export function options(call: Call, name: string): string[] {
  const values = call.options[name]
  return Array.isArray(values) ? values : []
}

export function flag(call: Call, name: string): boolean {
  return call.options[name] === true
}

export function wholeNumber(call: Call, name: string): number | undefined {
  const text = option(call, name)
  if (text === undefined) return undefined
  if (/^-?\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`--${name} wants a whole number, not ${JSON.stringify(text)}`, 'Leave it out or correct it.')
}

/** A secret from a file, without the line end that editors leave; secrets are never options themselves, because others see those in lists of processes. */
export function secretFromFile(call: Call, name: string): string | undefined {
  const path = option(call, name)
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new UsageError(`The file of --${name} cannot be read: ${(error as Error).message}`, 'Name a file that you may read.')
  }
}
