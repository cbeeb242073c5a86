import { parseArgs, type ParseArgsConfig } from 'node:util'

/** The arguments of a program of this repository; what it does not know ends it with exit status 2 and its usage, instead of a stack. */
export function readArguments<T extends ParseArgsConfig>(usage: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (thrown) {
    console.error(`${(thrown as Error).message}\nUsage: ${usage}`)
    process.exit(2)
  }
}
