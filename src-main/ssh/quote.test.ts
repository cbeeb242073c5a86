import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteCommand, quoteWord } from './quote.ts'

/** What the words become when a real sh reads the command line that we made of them. */
function throughShell(shell: string, words: string[]): string[] {
  const run = spawnSync(shell, ['-c', quoteCommand(['/usr/bin/printf', '%s\\0', 'first', ...words])], { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  return run.stdout.split('\0').slice(1, -1)
}

describe('quoteCommand', () => {
  it('passes every argument through a real sh unchanged', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...`'"\\$\`!*?[]{}()<>|&;#~=% \t\n\r\u0001é漢🙂abc-`), maxLength: 30 })
    const any = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(fc.array(fc.oneof(hostile, any), { maxLength: 6 }), (words) => {
        expect(throughShell('/bin/sh', words)).toEqual(words)
      }),
      { numRuns: 300 },
    )
  })

  it('passes the classics through sh and bash', () => {
    const words = [
      '',
      ' ',
      '-n',
      '$(id)',
      '`id`',
      "it's",
      "''",
      "'\\''",
      '\\',
      '\\\\',
      'a\nb',
      '*',
      '~',
      '!!',
      'A=b',
      '--',
      '#',
      '\n',
      "$'\\n'",
      '"$HOME"',
    ]
    for (const shell of ['/bin/sh', '/bin/bash']) expect(throughShell(shell, words)).toEqual(words)
  })

  it('does not take a first word with = for an assignment', () => {
    const run = spawnSync('/bin/sh', ['-c', quoteCommand(['A=b', 'c'])], { encoding: 'utf8' })
    expect(run.status).toBe(127)
  })

  it('refuses what no program can be given', () => {
    expect(() => quoteWord('a\0b')).toThrow(/NUL/)
    expect(() => quoteCommand([])).toThrow(/without a program/)
    expect(() => quoteCommand([''])).toThrow(/without a program/)
  })
})
