import { HoldfastError } from '../../core/errors.ts'

/**
 * One word of a POSIX shell command line that means exactly `text`, whatever it holds (POSIX.1-2017, Shell Command Language, 2.2.2).
 * A NUL cannot be passed to a program at all: `bad-input`.
 */
export function quoteWord(text: string): string {
  if (text.includes('\0')) {
    throw new HoldfastError('bad-input', 'A program argument holds a NUL byte', 'Leave the NUL byte out: no program can be given one.')
  }
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * The command line that runs `argv` in the login shell of a remote account. SSH has only a string where a process has
 * an argument array (RFC 4254, 6.5), so this is the one place where the array becomes a string.
 */
export function quoteCommand(argv: readonly string[]): string {
  if (argv.length === 0 || argv[0] === '') {
    throw new HoldfastError('bad-input', 'A remote command without a program', 'Name the program to run first.')
  }
  return argv.map(quoteWord).join(' ')
}
