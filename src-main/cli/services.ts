import type { Services } from '../services.ts'
import { createServices } from '../main.ts'
import { askPassphrase } from './passphrase.ts'
import { flag, option } from './options.ts'
import type { Call } from './table.ts'

/** Runs a command on the laptop's services, of the context that `--context` names, and puts them away in good order. */
export async function withServices<T>(call: Call, use: (services: Services) => Promise<T>): Promise<T> {
  const context = option(call, 'context')
  await using services = await createServices(context === undefined ? {} : { context })
  if (needsVault(call, services)) await services.vault.unlock(await askPassphrase(services.vault.state === 'absent'))
  return await use(services)
}

/** Whether the vault has to be opened and a person is there who can; programs name a file in HOLDFAST_PASSPHRASE_FILE, which the vault reads itself. */
function needsVault(call: Call, { secrets, vault, contexts }: Services): boolean {
  if (secrets.kind !== 'vault' || vault.state === 'open' || process.env['HOLDFAST_PASSPHRASE_FILE'] || !process.stdin.isTTY || !process.stderr.isTTY)
    return false
  return option(call, 'new-cluster') !== undefined || (contexts.current()?.key === 'store' && !flag(call, 'offline'))
}
