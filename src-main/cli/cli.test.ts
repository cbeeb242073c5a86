import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorDocSchema } from '../../core/model/task.ts'
import { helpText } from './help.ts'
import { parseCommandLine, UsageError } from './parse.ts'
import { commands } from './table.ts'

const holdfast = (...argv: string[]) => spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...argv], { encoding: 'utf8' })

describe('parseCommandLine', () => {
  it('reads options anywhere, and takes everything after -- as it is', () => {
    expect(parseCommandLine(['host', 'add', '--address', '10.0.0.1', 'h1', '--json'])).toMatchObject({
      type: 'run',
      args: ['h1'],
      options: { address: '10.0.0.1' },
      json: true,
    })
    expect(parseCommandLine(['lab', 'exec', 'h2', '--name', 'x', '--', 'ls', '--json', '--help', '--', '-l'])).toMatchObject({
      args: ['h2', 'ls', '--json', '--help', '--', '-l'],
      options: { name: 'x' },
      json: false,
    })
  })

  it('refuses what the table does not have', () => {
    for (const argv of [
      ['nonsense'],
      ['host', 'nonsense'],
      ['host', 'add'],
      ['host', 'add', 'h1', 'h2'],
      ['host', 'add', 'h1', '--nonsense'],
      ['host', 'add', 'h1', '--address'],
      ['status', '--json=yes'],
      ['status', 'extra'],
      ['context', 'use'],
      ['lab', 'exec', 'h2'],
    ]) {
      expect(() => parseCommandLine(argv), argv.join(' ')).toThrow(UsageError)
    }
  })

  it('answers help at each level, for every command', () => {
    expect(parseCommandLine([])).toEqual({ type: 'help', words: [] })
    expect(parseCommandLine(['host'])).toEqual({ type: 'help', words: ['host'] })
    for (const command of commands) {
      expect(parseCommandLine([...command.words, '--help'])).toEqual({ type: 'help', words: command.words })
      expect(helpText(command.words)).toContain(`Usage: holdfast ${command.words.join(' ')}`)
    }
    expect(helpText(['lab'])).toContain('lab exec HOST PROGRAM…')
  })

  it('has no two commands of which one hides the other', () => {
    for (const one of commands) {
      for (const other of commands) {
        if (one !== other)
          expect(
            one.words.every((word, index) => other.words[index] === word),
            `${one.words.join(' ')} / ${other.words.join(' ')}`,
          ).toBe(false)
      }
    }
  })
})

describe('holdfast', () => {
  it('exits 2 on wrong usage, with the reason on stderr and, asked for, a document on stdout', () => {
    const plain = holdfast('host', 'nonsense')
    expect(plain.status).toBe(2)
    expect(plain.stdout).toBe('')
    expect(plain.stderr).toContain('host nonsense')
    const json = holdfast('status', '--nonsense', '--json')
    expect(json.status).toBe(2)
    expect(errorDocSchema.parse(JSON.parse(json.stdout))).toMatchObject({ code: 'bad-input' })
  })

  it('exits 0 on help', () => {
    const help = holdfast('--help')
    expect(help.status).toBe(0)
    expect(help.stdout).toContain('inventory list KIND')
  })

  it('loads every command of the table', async () => {
    for (const command of commands) expect(typeof (await command.load()), command.words.join(' ')).toBe('function')
  })
})
