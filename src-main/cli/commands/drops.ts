import { table } from '../output.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'

/** `network drops [HOST]`: 1 when no host answers. */
export async function drops(call: Call): Promise<number> {
  const host = call.args[0]
  return await withServices(call, async ({ desktop }) => {
    const answer = await desktop.network.drops(host === undefined ? {} : { host })
    const rows = answer.hosts.flatMap(({ host: name, drops: found }) =>
      (found?.drops ?? []).map(({ reason, object, packets, bytes }) => [name, reason, object?.replace('/', ' '), packets, bytes]),
    )
    const lines = [rows.length === 0 ? 'Nothing was dropped.' : table(['HOST', 'REASON', 'OBJECT', 'PACKETS', 'BYTES'], rows)]
    for (const { host: name, failure, drops: found } of answer.hosts) {
      if (failure !== null) lines.push(`${name} does not say: ${failure}`)
      else if (found && found.errors.earned > 0)
        lines.push(`${name}: ${found.errors.earned} packets earned an ICMP error; ${found.errors.suppressed} of them got none, to keep the rate low.`)
    }
    call.out.answer(answer, () => lines.join('\n'))
    return answer.hosts.length > 0 && answer.hosts.every(({ failure }) => failure !== null) ? 1 : 0
  })
}
