import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HoldfastError } from '../../core/errors.ts'
import type { Task } from '../../core/model/task.ts'
import { AuditLog } from '../audit/audit.ts'
import { Records } from '../records/records.ts'
import type { StepPlan, TaskPlan } from './plan.ts'
import { identityOf, isAlive } from './process-identity.ts'
import { TaskCentre } from './task-centre.ts'

let dir: string
let records: Records
let audit: AuditLog
let centre: TaskCentre
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-tasks-'))
  records = new Records(dir, 'ann@laptop')
  audit = new AuditLog(records, 'ann@laptop')
  centre = new TaskCentre(records, audit)
})
afterEach(async () => {
  await centre[Symbol.asyncDispose]()
  await records[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

const plan = (steps: StepPlan[], more: Partial<TaskPlan> = {}): TaskPlan => ({ title: 'Do it', about: ['host/h1'], steps, ...more })
const states = (task: Task) => task.steps.map(({ state }) => state)
const forever = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

test('steps run in order, each change is stored, and the audit log says who asked and how it ended', async () => {
  const seen: string[] = []
  centre.onChange((task) => seen.push(`${task.state} ${states(task).join()}`))
  centre.register<{ host: string }, { password: string }>('work', ({ host }, secrets) =>
    plan([
      { name: 'one', run: async (step) => step.detail(`on ${host} with ${secrets?.password.length}`) },
      { name: 'two', run: async () => 'skipped' },
    ]),
  )
  const task = await centre.start('work', { host: 'h1' }, { password: 'hunter2' })
  expect(task.state).toBe('running')
  const ended = await centre.finished(task.id)
  expect(ended).toMatchObject({
    state: 'done',
    steps: [
      { name: 'one', state: 'done', detail: 'on h1 with 7' },
      { name: 'two', state: 'skipped' },
    ],
  })
  expect(await centre.list()).toEqual([ended])
  expect(seen.at(0)).toBe('running pending,pending')
  expect(seen.at(-1)).toBe('done done,skipped')
  const log = await audit.list()
  expect(log.map(({ action, outcome, actor }) => `${actor} ${action} ${outcome}`)).toEqual(['ann@laptop work done', 'ann@laptop work asked'])
  expect(JSON.stringify([log, await centre.list()])).not.toContain('hunter2')
})

test('a failed task says why, cleans up, and resumes from its beginning', async () => {
  const calls: string[] = []
  let broken = true
  centre.register('work', () =>
    plan(
      [
        { name: 'one', run: async () => void calls.push('one') },
        {
          name: 'two',
          run: async () => {
            calls.push('two')
            if (broken) throw new HoldfastError('disk-full', 'No space on h1', 'Free some.')
          },
        },
      ],
      { cleanup: async () => void calls.push('clean-up') },
    ),
  )
  const { id } = await centre.start('work', {})
  const failed = await centre.finished(id)
  expect(failed).toMatchObject({ state: 'failed', error: { code: 'disk-full', hint: 'Free some.' } })
  expect((await audit.list(1))[0]).toMatchObject({ outcome: 'failed', detail: { code: 'disk-full' } })
  broken = false
  await centre.resume(id)
  expect(states(await centre.finished(id))).toEqual(['done', 'done'])
  expect(calls).toEqual(['one', 'two', 'clean-up', 'one', 'two'])
})

test('without a clean-up it resumes at the first step that is not done', async () => {
  const calls: string[] = []
  let broken = true
  const step = (name: string): StepPlan => ({
    name,
    run: async () => {
      calls.push(name)
      if (name === 'two' && broken) throw new Error('no')
    },
  })
  centre.register('work', () => plan([step('one'), step('two'), step('three')]))
  const { id } = await centre.start('work', {})
  expect(states(await centre.finished(id))).toEqual(['done', 'failed', 'pending'])
  broken = false
  await centre.resume(id)
  expect((await centre.finished(id)).error).toBeUndefined()
  expect(calls).toEqual(['one', 'two', 'two', 'three'])
  await expect(centre.resume(id)).rejects.toMatchObject({ code: 'bad-input' })
})

test('a task can be cancelled, from here or from another program', async () => {
  centre.register('work', () => plan([{ name: 'wait', run: ({ signal }) => forever(signal) }]))
  const here = await centre.start('work', {})
  expect(await centre.cancel(here.id)).toMatchObject({ state: 'cancelled' })

  const { id } = await centre.start('work', {})
  const otherRecords = new Records(dir, 'bob@laptop')
  const other = new TaskCentre(otherRecords, new AuditLog(otherRecords, 'bob@laptop'))
  try {
    expect(await other.cancel(id)).toMatchObject({ state: 'running' })
    await expect(other.resume(id)).rejects.toMatchObject({ code: 'busy' })
    expect(await centre.finished(id)).toMatchObject({ state: 'cancelled' })
  } finally {
    await other[Symbol.asyncDispose]()
    await otherRecords[Symbol.asyncDispose]()
  }
})

test('ending the program interrupts a task, and the next program resumes it', async () => {
  let wait = true
  const register = (one: TaskCentre) =>
    one.register('work', () =>
      plan([
        { name: 'one', run: async () => {} },
        { name: 'wait', run: ({ signal }) => (wait ? forever(signal) : Promise.resolve()) },
      ]),
    )
  register(centre)
  const { id } = await centre.start('work', {})
  while (states((await centre.list())[0]!)[1] !== 'running') await new Promise((resolve) => setTimeout(resolve, 5))
  await centre[Symbol.asyncDispose]()

  centre = new TaskCentre(records, audit)
  register(centre)
  expect(await centre.list()).toMatchObject([{ id, state: 'interrupted', steps: [{ state: 'done' }, { state: 'pending' }] }])
  wait = false
  await centre.resume(id)
  expect(await centre.finished(id)).toMatchObject({ state: 'done' })
})

test('a task whose program was killed is found interrupted', async () => {
  centre.register('work', () => plan([{ name: 'one', run: async () => {} }]))
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await once(child, 'spawn')
  const owner = identityOf(child.pid!)!
  const doc: Task = { id: 'x', type: 'work', title: 'Do it', about: [], state: 'running', steps: [{ name: 'one', state: 'running' }], startedAtMs: 1 }
  try {
    await (await records.api()).insertTask(doc, {}, owner)
    expect(await centre.list()).toMatchObject([{ state: 'running' }])
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  expect(await centre.list()).toMatchObject([{ state: 'interrupted', steps: [{ state: 'pending' }] }])
  await centre.resume('x')
  expect(await centre.finished('x')).toMatchObject({ state: 'done' })
})

test('a process that has another start is another process', () => {
  expect(isAlive(identityOf(process.pid)!)).toBe(true)
  expect(isAlive({ pid: process.pid, started: 'long ago' })).toBe(false)
  expect(isAlive({ pid: 2 ** 22 + 1, started: '1' })).toBe(false)
})
