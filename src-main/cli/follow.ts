import { asHoldfastError, HoldfastError, type ErrorCode } from '../../core/errors.ts'
import type { Task } from '../../core/model/task.ts'
import type { TaskCentre } from '../tasks/task-centre.ts'
import type { Output } from './output.ts'

/**
 * Shows a task of this program until it ends and answers the exit status. The first Ctrl-C cancels it, which takes back what it left half done;
 * with `--json` the task itself is the document, failed or not.
 */
export async function followTask(services: { tasks: TaskCentre }, started: Task, out: Output): Promise<number> {
  const { tasks } = services
  const shown = new Map<string, string>()
  const show = (task: Task) => {
    if (task.id !== started.id) return
    for (const step of task.steps) {
      if (step.state === 'pending') continue
      const line = `${step.name}: ${step.state === 'running' ? (step.detail ?? '…') : `${step.state}${step.detail === undefined ? '' : ` (${step.detail})`}`}`
      if (shown.get(step.name) === line) continue
      shown.set(step.name, line)
      out.note(`  ${line}`)
    }
  }
  out.note(started.title)
  using _watch = tasks.onChange(show)
  const onInterrupt = () => {
    out.note('Cancelling; what was left half done is taken back.')
    tasks.cancel(started.id).catch((error: unknown) => out.note(asHoldfastError(error).message))
  }
  process.once('SIGINT', onInterrupt)
  try {
    const ended = await tasks.finished(started.id)
    show(ended)
    if (ended.state === 'done') {
      out.answer(ended, () => `${ended.title}: done`)
      return 0
    }
    const { code, message, hint, data } = ended.error ?? {
      code: 'busy',
      message: `${ended.title} was ${ended.state}`,
      hint: `Go on with: holdfast tasks resume ${ended.id}`,
      data: {},
    }
    if (!out.json) throw new HoldfastError(code as ErrorCode, message, hint, data)
    out.note(`${message}\n${hint}`)
    out.answer(ended, () => '')
    return 1
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}
