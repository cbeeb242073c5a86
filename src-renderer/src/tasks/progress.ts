import type { Task, TaskStep } from '../../../core/model/task.ts'

const isEnded = (step: TaskStep): boolean => step.state === 'done' || step.state === 'skipped'

/** How far a task is, 0 to 1, each step weighing the same. */
export function progressOf(task: Task): number {
  if (task.state === 'done') return 1
  if (task.steps.length === 0) return 0
  const done = task.steps.reduce((sum, step) => sum + (isEnded(step) ? 1 : step.state === 'running' ? (step.progress ?? 0) : 0), 0)
  return done / task.steps.length
}

/**
 * How long a running task still takes, in ms, by what its remaining steps took in the last task of the same type that was done;
 * null when one of them was never measured.
 */
export function remainingMs(task: Task, others: Task[], nowMs: number): number | null {
  if (task.state !== 'running') return null
  const like = others.filter((other) => other.type === task.type && other.state === 'done').sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0))[0]
  if (!like) return null
  let sum = 0
  for (const step of task.steps) {
    if (isEnded(step)) continue
    const before = like.steps.find((other) => other.name === step.name)
    if (!before || before.startedAtMs === undefined || before.endedAtMs === undefined) {
      if (before?.state === 'skipped') continue
      return null
    }
    const spentMs = step.state === 'running' && step.startedAtMs !== undefined ? nowMs - step.startedAtMs : 0
    sum += Math.max(0, before.endedAtMs - before.startedAtMs - spentMs)
  }
  return sum
}

const stateOrder: Task['state'][] = ['running', 'interrupted', 'failed', 'cancelled', 'done']

/** What runs first, then what wants a decision, then the newest. */
export function tasksInOrder(tasks: Task[]): Task[] {
  const rank = (task: Task): number => (task.state === 'running' ? 0 : task.state === 'interrupted' ? 1 : 2)
  return tasks.toSorted((a, b) => rank(a) - rank(b) || b.startedAtMs - a.startedAtMs || stateOrder.indexOf(a.state) - stateOrder.indexOf(b.state))
}
