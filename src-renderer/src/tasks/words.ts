import type { Task, TaskStep } from '../../../core/model/task.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'

/** What a task is called in the language shown; types that the catalogue does not know keep their own title. */
export function taskTitle(task: Task, m: Messages): string {
  const host = task.about.find((about) => about.startsWith('host/'))?.slice('host/'.length)
  return (host && m.taskTitle[task.type]?.(host)) || task.title
}

export const stepName = (step: TaskStep, m: Messages): string => m.step[step.name] ?? step.name
