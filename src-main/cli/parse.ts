import { parseArgs, type ParseArgsConfig } from 'node:util'
import { HoldfastError } from '../../core/errors.ts'
import { commands, type Command } from './table.ts'

/** What a command line asks for. */
export type Request =
  | { type: 'run'; command: Command; args: string[]; options: Record<string, string | boolean | string[] | undefined>; json: boolean }
  /** Help on what the words so far may go on with; all of them for none. */
  | { type: 'help'; words: string[] }

/** A command line that the table does not have. Exit status 2. */
export class UsageError extends HoldfastError {
  constructor(message: string, hint: string) {
    super('bad-input', message, hint)
    this.name = 'UsageError'
  }
}

/** Reads a command line by the table of commands. Throws a UsageError. */
export function parseCommandLine(argv: readonly string[]): Request {
  const words: string[] = []
  for (const word of argv) {
    if (word.startsWith('-') || !commands.some((command) => startsWith(command.words, [...words, word]))) break
    words.push(word)
  }
  const command = commands.find((candidate) => candidate.words.length === words.length && startsWith(candidate.words, words))
  const rest = argv.slice(words.length)
  const beforeDashes = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  if (beforeDashes.includes('--help') || beforeDashes.includes('-h') || argv.length === 0) return { type: 'help', words }
  const help = `See: holdfast ${[...words, '--help'].join(' ')}`
  if (!command) {
    const wrong = rest.find((word) => !word.startsWith('-'))
    if (wrong === undefined) return { type: 'help', words }
    throw new UsageError(`There is no command ${JSON.stringify([...words, wrong].join(' '))}`, help)
  }
  const { values, positionals } = parseWords(command, rest, help)
  const args = command.args ?? []
  const missing = args.find((arg, index) => !arg.optional && positionals[index] === undefined)
  if (missing) throw new UsageError(`${missing.name} is missing`, help)
  if (positionals.length > args.length && args.at(-1)?.rest !== true) {
    throw new UsageError(`${JSON.stringify(positionals[args.length])} is one argument too many`, help)
  }
  const { json, ...options } = values
  return { type: 'run', command, args: positionals, options, json: json === true }
}

function parseWords(command: Command, words: string[], help: string) {
  const options: NonNullable<ParseArgsConfig['options']> = { json: { type: 'boolean' } }
  for (const { name, short, value, many = false } of command.options ?? []) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', multiple: many, ...(short !== undefined && { short }) }
  }
  try {
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true, strict: true })
    return { values: values as Record<string, string | boolean | string[] | undefined>, positionals }
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}`, help)
  }
}

function startsWith(words: readonly string[], start: readonly string[]): boolean {
  return start.every((word, index) => words[index] === word)
}
