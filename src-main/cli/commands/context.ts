import { option } from '../options.ts'
import { table } from '../output.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'
import { targetOf } from './host.ts'

/** `context add ADDRESS`. */
export async function add(call: Call): Promise<void> {
  const target = targetOf(call, call.args[0] ?? '')
  const fingerprint = option(call, 'fingerprint')
  await withServices(call, async ({ desktop }) => {
    const context = await desktop.context.add({ target, ...(fingerprint !== undefined && { fingerprint }) })
    call.out.answer(context, () => `This laptop administers ${context.name} now; it is the current cluster.`)
  })
}

/** `context list`. */
export async function list(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const contexts = await desktop.context.list()
    call.out.answer(contexts, () =>
      contexts.length === 0
        ? 'No clusters yet. Make one: holdfast lab up, or holdfast host add NAME --new-cluster NAME …'
        : table(
            ['', 'NAME', 'ENDPOINTS'],
            contexts.map((context) => [context.current ? '*' : ' ', context.name, context.recording ? 'a recording' : context.endpoints.join(' ')]),
          ),
    )
  })
}

/** `context use NAME`. */
export async function use(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const context = await desktop.context.use({ name: call.args[0] ?? '' })
    call.out.answer(context, () => `${context.name} is the current cluster.`)
  })
}

/** `context remove NAME`. */
export async function remove(call: Call): Promise<void> {
  const [name = ''] = call.args
  await withServices(call, async ({ desktop }) => {
    await desktop.context.remove({ name })
    call.out.answer({ name, removed: true }, () => `${name} is forgotten on this laptop; its hosts go on as they are.`)
  })
}
