/** The agent's program on a host: `supervisor.mjs init|join|admit|run|leave|status`, or `--version`. */
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import { agentPaths } from '../runtime/config.ts'
import { agentVersion } from '../runtime/version.ts'

/** Largest document on stdin. */
const maxInputBytes = 256 * 1024

async function readStdin(): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxInputBytes)
      throw new HoldfastError('bad-input', `The document on stdin is larger than ${maxInputBytes} bytes`, 'Give one JSON document.')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (cause) {
    throw new HoldfastError('bad-input', 'The document on stdin is not JSON', 'Give one JSON document.', {}, { cause })
  }
}

const print = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer)}\n`)

async function main(command: string | undefined): Promise<void> {
  const paths = agentPaths()
  switch (command) {
    case 'init':
      return void print(await (await import('./init.ts')).init(paths, await readStdin()))
    case 'join':
      return void print(await (await import('./join.ts')).join(paths, await readStdin()))
    case 'admit':
      return void print(await (await import('./admit.ts')).admit(paths, await readStdin()))
    case 'run':
      return (await import('./run.ts')).run(paths)
    case 'leave':
      return void print(await (await import('./leave.ts')).leave(paths))
    case 'status':
      return void print((await import('./status.ts')).status(paths))
    case '--version':
      return void process.stdout.write(`${agentVersion()}\n`)
    default:
      throw new HoldfastError(
        'bad-input',
        `${command ?? 'Nothing'} is no command of the agent`,
        'Use init, join, admit, run, leave, status or --version.',
      )
  }
}

try {
  await main(process.argv[2])
} catch (thrown) {
  process.stderr.write(`${JSON.stringify(asHoldfastError(thrown).toDoc())}\n`)
  process.exit(1)
}
