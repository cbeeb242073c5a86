#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { asHoldfastError } from '../../core/errors.ts'
import { helpText } from './help.ts'
import { Output } from './output.ts'
import { parseCommandLine, UsageError } from './parse.ts'

/** Runs one command line and answers the exit status: 0 done, 1 failed with a reason and a hint, 2 wrong usage. */
async function run(argv: readonly string[]): Promise<number> {
  let out = new Output(argv.includes('--json'))
  try {
    const request = parseCommandLine(argv)
    if (request.type === 'help') {
      process.stdout.write(helpText(request.words))
      return 0
    }
    out = new Output(request.json)
    const command = await request.command.load()
    return (await command({ args: request.args, options: request.options, out })) ?? 0
  } catch (error) {
    out.failure(asHoldfastError(error))
    return error instanceof UsageError ? 2 : 1
  }
}

// Reading and compiling our own source is most of what a short command costs. Workers take the place from the environment.
process.env['NODE_COMPILE_CACHE'] ??= join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast', 'compiled')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])

// A reader that goes away (`… | head`) ends us quietly, as other programs.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
process.exitCode = await run(process.argv.slice(2))
