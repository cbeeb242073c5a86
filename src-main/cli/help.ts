import { commands, type Command, type OptionSpec } from './table.ts'

/** Help on the commands that begin with these words: one command in full, several as a list. */
export function helpText(words: readonly string[]): string {
  const within = commands.filter((command) => words.every((word, index) => command.words[index] === word))
  const exact = within.find((command) => command.words.length === words.length)
  if (exact) return commandHelp(exact)
  const title = words.length === 0 ? 'Holdfast: an on-premises cloud that must not stop, from a laptop.\n\n' : ''
  return `${title}Usage: holdfast ${[...words, '<command>'].join(' ')} [--json]\n\n${columns(within.map((command) => [usage(command), command.help]))}

Every command takes --json (one document on stdout; of a failure { code, message, hint }) and --help.
Exit status: 0 done, 1 failed with a reason and a hint, 2 wrong usage.
`
}

function commandHelp(command: Command): string {
  const json: OptionSpec = { name: 'json', help: 'one JSON document on stdout' }
  const options = [...(command.options ?? []), json].map(({ name, short, value, help }) => [
    `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ])
  return `Usage: holdfast ${usage(command)}\n\n${command.help[0]?.toUpperCase()}${command.help.slice(1)}.\n\n${columns(options)}\n`
}

function usage(command: Command): string {
  const args = (command.args ?? []).map((arg) => {
    const name = arg.rest ? `${arg.name}…` : arg.name
    return arg.optional ? `[${name}]` : name
  })
  return [...command.words, ...args].join(' ')
}

function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([left = '']) => left.length))
  return rows.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
