import { expect, it } from 'vitest'
import { Output } from '../output.ts'
import { parseCommandLine } from '../parse.ts'
import { capture } from './capture.ts'

const run = async (...argv: string[]): Promise<void> => {
  const request = parseCommandLine(['capture', ...argv])
  if (request.type !== 'run') throw new Error('it is no call')
  await capture({ args: request.args, options: request.options, out: new Output(request.json) })
}

it('takes --at several times', () => {
  expect(parseCommandLine(['capture', '--at', 'port:web-1', '--at', 'bridge:h1', '-o', 'x.pcapng'])).toMatchObject({
    options: { at: ['port:web-1', 'bridge:h1'], output: 'x.pcapng' },
  })
})

it.each([
  [['-o', 'x.pcapng'], /--at is missing/],
  [['--at', 'web-1', '-o', 'x.pcapng'], /"web-1" is no place/],
  [['--at', 'port:web-1'], /-o is missing/],
  [['--at', 'port:web-1', '-o', 'x.pcapng', '--seconds', '0'], /--seconds is 0/],
  [['--at', 'port:web-1', '-o', 'x.pcapng', '--max-mb', '100000'], /--max-mb is 100000/],
  [['--at', 'port:web-1', '-o', '/nowhere/at/all/x.pcapng'], /cannot be written/],
])('refuses %j before it asks anybody', async (argv, message) => {
  await expect(run(...argv)).rejects.toThrow(message)
})
