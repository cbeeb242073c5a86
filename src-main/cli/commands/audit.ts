import { withServices } from '../services.ts'
import type { Call } from '../table.ts'
import { listingText } from './inventory.ts'

/** `audit list`. */
export async function list(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const listing = await desktop.inventory.list({ kind: 'audit', offline: true })
    call.out.answer(listing, () => listingText(listing))
  })
}

/** `audit verify`: exit status 1 when a record is missing, changed or out of place. */
export async function verify(call: Call): Promise<number> {
  return await withServices(call, async ({ audit }) => {
    const verdict = await audit.verify()
    call.out.answer(verdict, () =>
      verdict.sound ? `The chain of ${verdict.records} records is sound.` : `Record ${verdict.number} breaks the chain: ${verdict.reason}.`,
    )
    return verdict.sound ? 0 : 1
  })
}
