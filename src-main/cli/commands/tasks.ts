import { table } from '../output.ts'
import { followTask } from '../follow.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'

/** `tasks list`. */
export async function list(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const tasks = await desktop.task.list()
    call.out.answer(tasks, () =>
      tasks.length === 0
        ? 'No tasks.'
        : table(
            ['ID', 'STATE', 'STARTED', 'TITLE', 'ERROR'],
            tasks.map((task) => [task.id, task.state, new Date(task.startedAtMs).toISOString(), task.title, task.error?.message]),
          ),
    )
  })
}

/** `tasks resume ID`. */
export async function resume(call: Call): Promise<number> {
  return await withServices(
    call,
    async (services) => await followTask(services, await services.desktop.task.resume({ id: call.args[0] ?? '' }), call.out),
  )
}

/** `tasks cancel ID`. */
export async function cancel(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const task = await desktop.task.cancel({ id: call.args[0] ?? '' })
    call.out.answer(task, () => `${task.title}: ${task.state}`)
  })
}
