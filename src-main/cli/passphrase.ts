import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { HoldfastError } from '../../core/errors.ts'

/** Asks for the vault's passphrase on the terminal without showing it; for a new vault twice. */
export async function askPassphrase(isNew: boolean): Promise<string> {
  const first = await askHidden(isNew ? 'New passphrase for the vault that keeps your keys: ' : 'Passphrase of the vault: ')
  if (isNew && first !== (await askHidden('Again: '))) {
    throw new HoldfastError('passphrase-wrong', 'The two passphrases differ', 'Run the command again.')
  }
  return first
}

async function askHidden(question: string): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await lines.question('')
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
