import { describe, expect, test } from 'vitest'
import type { Task, TaskStep } from '../../../core/model/task.ts'
import { progressOf, remainingMs, tasksInOrder } from './progress.ts'

const step = (name: string, state: TaskStep['state'], times: Partial<TaskStep> = {}): TaskStep => ({ name, state, ...times })
const task = (state: Task['state'], steps: TaskStep[], more: Partial<Task> = {}): Task => ({
  id: 'a',
  type: 'host-install',
  title: '',
  about: [],
  state,
  steps,
  startedAtMs: 0,
  ...more,
})
const before = task(
  'done',
  [
    step('connect', 'done', { startedAtMs: 0, endedAtMs: 1000 }),
    step('upload', 'done', { startedAtMs: 1000, endedAtMs: 9000 }),
    step('packages', 'skipped'),
  ],
  { endedAtMs: 9000 },
)

describe('progress', () => {
  test('each step weighs the same; a running one as far as it is', () => {
    expect(
      progressOf(task('running', [step('a', 'done'), step('b', 'skipped'), step('c', 'running', { progress: 0.5 }), step('d', 'pending')])),
    ).toBe(0.625)
    expect(progressOf(task('done', []))).toBe(1)
    expect(progressOf(task('running', []))).toBe(0)
  })

  test('what remains is what the same steps took before, less what is spent', () => {
    const now = task('running', [step('connect', 'done'), step('upload', 'running', { startedAtMs: 20_000 }), step('packages', 'pending')])
    expect(remainingMs(now, [before], 23_000)).toBe(5000)
    expect(remainingMs(now, [before], 99_000)).toBe(0)
  })

  test('never measured: not told', () => {
    expect(remainingMs(task('running', [step('upload', 'pending')]), [], 0)).toBeNull()
    expect(remainingMs(task('running', [step('something new', 'pending')]), [before], 0)).toBeNull()
    expect(remainingMs(task('failed', [step('upload', 'failed')]), [before], 0)).toBeNull()
  })

  test('what runs stands first, then what waits for a decision, then the newest', () => {
    const list = [
      task('done', [], { id: 'old', startedAtMs: 1 }),
      task('interrupted', [], { id: 'stopped', startedAtMs: 0 }),
      task('failed', [], { id: 'new', startedAtMs: 5 }),
      task('running', [], { id: 'now', startedAtMs: 2 }),
    ]
    expect(tasksInOrder(list).map(({ id }) => id)).toEqual(['now', 'stopped', 'new', 'old'])
  })
})
