import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteCommand, quoteWord } from './quote.ts'

/** What the words of several commands become when a real sh reads the command lines that we made of them. One sh for all: starting it is what costs. */
function throughShell(shell: string, commands: string[][]): string[][] {
  const script = commands.map((words) => `${quoteCommand(['printf', '%s\\0', 'first', ...words])}; printf '\\0\\0'`).join('\n')
  const run = spawnSync(shell, ['-c', script], { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  // Each command ends with two empty words, and no quoting of ours makes a NUL.
  const words = run.stdout.split('\0')
  return commands.map((command) => {
    const answer = words.splice(0, command.length + 3)
    expect([answer[0], answer.at(-2), answer.at(-1)]).toEqual(['first', '', ''])
    return answer.slice(1, -2)
  })
}

describe('quoteCommand', () => {
  it('passes every argument through a real sh unchanged', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...`'"\\$\`!*?[]{}()<>|&;#~=% \t\n\r\u0001é漢🙂abc-`), maxLength: 30 })
    const any = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(fc.array(fc.array(fc.oneof(hostile, any), { maxLength: 6 }), { minLength: 20, maxLength: 60 }), (commands) => {
        expect(throughShell('/bin/sh', commands)).toEqual(commands)
      }),
      { numRuns: 25 },
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
    for (const shell of ['/bin/sh', '/bin/bash']) expect(throughShell(shell, [words, words])).toEqual([words, words])
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
