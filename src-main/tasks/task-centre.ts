import { randomUUID } from 'node:crypto'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { Task, TaskStep } from '../../core/model/task.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Records } from '../records/records.ts'
import type { TaskFactory, TaskPlan } from './plan.ts'
import { identityOf, isAlive } from './process-identity.ts'
import type { TaskRow } from './table.ts'

/** How often details and progress are stored at most; changes of state are stored at once. */
const savePeriodMs = 250
/** How often it is looked whether another program changed the tasks. */
const pollPeriodMs = 1000

interface Running {
  task: Task
  abort: AbortController
  /** The program is ending: what runs is to be interrupted, not cancelled. */
  ending: boolean
  finished: Promise<Task>
}

/** Aborts a task on purpose. */
const cancelled = new HoldfastError('busy', 'The task was cancelled', 'Resume it to go on.')
const ended = new HoldfastError('busy', 'The program ended', 'Resume the task to go on.')

/**
 * Runs long work in named steps, and stores each change, so that a task outlives the program: whoever finds one whose process is gone
 * calls it interrupted, and it can be resumed. The app and the command line may run at once on the same records.
 */
export class TaskCentre implements AsyncDisposable {
  readonly #records: Records
  readonly #audit: AuditLog
  readonly #owner = identityOf(process.pid)!
  readonly #factories = new Map<string, TaskFactory<unknown, unknown>>()
  readonly #running = new Map<string, Running>()
  readonly #listeners = new Set<(task: Task) => void>()
  #polling: NodeJS.Timeout | undefined
  #version = -1
  #known = new Map<string, string>()

  constructor(records: Records, audit: AuditLog) {
    this.#records = records
    this.#audit = audit
  }

  /** Makes a type of task known; before that, none of it can be started or resumed. */
  register<Params, Secrets = undefined>(type: string, factory: TaskFactory<Params, Secrets>): void {
    if (this.#factories.has(type)) throw new Error(`Task type ${type} is registered twice`)
    this.#factories.set(type, factory as TaskFactory<unknown, unknown>)
  }

  /** Starts a task and answers while it runs. `params` is stored and audited, `secrets` are not. */
  async start<Params, Secrets = undefined>(type: string, params: Params, secrets?: Secrets): Promise<Task> {
    const plan = this.#plan(type, params, secrets)
    const task: Task = {
      id: randomUUID(),
      type,
      title: plan.title,
      about: plan.about,
      state: 'running',
      steps: plan.steps.map(({ name }) => ({ name, state: 'pending' })),
      startedAtMs: Date.now(),
    }
    await this.#audit.append({ action: type, about: plan.about, outcome: 'asked', detail: { task: task.id, params } })
    await (await this.#records.api()).insertTask(task, params, this.#owner)
    return this.#run(task, plan)
  }

  /** Runs an interrupted, failed or cancelled task again from its first step that is not done. */
  async resume<Secrets = undefined>(id: string, secrets?: Secrets): Promise<Task> {
    await this.#findInterrupted()
    const row = await this.#row(id)
    const { state } = row.doc
    if (state === 'running') throw new HoldfastError('busy', `${row.doc.title} is running`, 'Wait for it, or cancel it.')
    if (state === 'done') throw new HoldfastError('bad-input', `${row.doc.title} is done`, 'There is nothing left to resume.')
    const plan = this.#plan(row.doc.type, row.params, secrets)
    const { error: _error, endedAtMs: _endedAtMs, ...rest } = row.doc
    const task: Task = {
      ...rest,
      state: 'running',
      steps: plan.steps.map(({ name }) =>
        stepToResume(
          row.doc.steps.find((step) => step.name === name),
          name,
        ),
      ),
    }
    if (!(await (await this.#records.api()).takeTask(task, row.owner, state, this.#owner))) {
      throw new HoldfastError('busy', `${task.title} was resumed elsewhere`, 'Look at it in the list of tasks.')
    }
    await this.#audit.append({ action: task.type, about: task.about, outcome: 'asked', detail: { task: id, resumed: true } })
    return this.#run(task, plan)
  }

  /** Asks a task to end, in whichever program it runs; answers how it stands then. */
  async cancel(id: string): Promise<Task> {
    const running = this.#running.get(id)
    if (running) {
      running.abort.abort(cancelled)
      return running.finished
    }
    await this.#findInterrupted()
    const { doc } = await this.#row(id)
    if (doc.state === 'running') await (await this.#records.api()).askCancel(id)
    return doc
  }

  /** Resolves when the task has ended, with how it ended. For tasks of this program. */
  async finished(id: string): Promise<Task> {
    return this.#running.get(id)?.finished ?? (await this.#row(id)).doc
  }

  /** All tasks, newest first; those whose program is gone are interrupted. */
  async list(): Promise<Task[]> {
    await this.#findInterrupted()
    return (await (await this.#records.api()).listTasks()).map(({ doc }) => doc)
  }

  /** Called with each task that changes, in this program or another. */
  onChange(listener: (task: Task) => void): Disposable {
    this.#listeners.add(listener)
    this.#polling ??= setInterval(() => void this.#poll().catch(() => {}), pollPeriodMs).unref()
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Interrupts what runs here, so that it can be resumed. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#polling)
    const running = [...this.#running.values()]
    for (const one of running) {
      one.ending = true
      one.abort.abort(ended)
    }
    await Promise.all(running.map(({ finished }) => finished))
  }

  #plan(type: string, params: unknown, secrets: unknown): TaskPlan {
    const factory = this.#factories.get(type)
    if (!factory) throw new HoldfastError('not-supported', `Tasks of type ${type} are not known to this version`, 'Update Holdfast on this laptop.')
    return factory(params, secrets)
  }

  async #row(id: string): Promise<TaskRow> {
    const row = await (await this.#records.api()).getTask(id)
    if (!row) throw new HoldfastError('not-found', `There is no task ${id}`, 'List the tasks to see which there are.')
    return row
  }

  #run(task: Task, plan: TaskPlan): Task {
    const abort = new AbortController()
    const running: Running = { task, abort, ending: false, finished: Promise.resolve(task) }
    this.#running.set(task.id, running)
    const started = structuredClone(task)
    this.#tell(started)
    running.finished = this.#runSteps(running, plan).finally(() => this.#running.delete(task.id))
    return started
  }

  async #runSteps(running: Running, plan: TaskPlan): Promise<Task> {
    const { task, abort } = running
    const watch = setInterval(() => void this.#save(running), pollPeriodMs)
    let failure: HoldfastError | undefined
    for (const [index, { run }] of plan.steps.entries()) {
      const step = task.steps[index]!
      if (step.state === 'done' || step.state === 'skipped') continue
      try {
        abort.signal.throwIfAborted()
        Object.assign(step, { state: 'running', startedAtMs: Date.now() })
        await this.#save(running)
        abort.signal.throwIfAborted()
        const answer = await run(this.#stepRun(running, step))
        Object.assign(step, { state: answer === 'skipped' ? 'skipped' : 'done', endedAtMs: Date.now() })
        await this.#save(running)
      } catch (thrown) {
        failure = asHoldfastError(thrown)
        if (step.state === 'running') Object.assign(step, { state: running.ending ? 'pending' : 'failed', endedAtMs: Date.now() })
        break
      }
    }
    clearInterval(watch)
    if (failure && !running.ending && plan.cleanup) await this.#cleanUp(running, plan)
    task.state = !failure ? 'done' : running.ending ? 'interrupted' : abort.signal.aborted ? 'cancelled' : 'failed'
    if (failure && task.state === 'failed') task.error = { ...failure.toDoc() }
    task.endedAtMs = Date.now()
    await this.#save(running)
    await this.#auditEnd(task)
    return task
  }

  /** Takes back what was left half done; a resumed task then begins anew. */
  async #cleanUp(running: Running, plan: TaskPlan): Promise<void> {
    const { task } = running
    const step: TaskStep = { name: 'clean-up', state: 'running', startedAtMs: Date.now() }
    task.steps.push(step)
    // Not the task's signal: that one may be aborted, and the clean-up is to be done.
    await this.#save(running)
    try {
      await plan.cleanup!(this.#stepRun(running, step, new AbortController().signal))
      step.state = 'done'
    } catch (thrown) {
      Object.assign(step, { state: 'failed', detail: asHoldfastError(thrown).message })
    }
    step.endedAtMs = Date.now()
    for (const other of task.steps) if (other !== step && (other.state === 'done' || other.state === 'skipped')) other.undone = true
  }

  #stepRun(running: Running, step: TaskStep, signal = running.abort.signal) {
    let lastSavedMs = 0
    const note = (change: Partial<TaskStep>) => {
      Object.assign(step, change)
      if (Date.now() - lastSavedMs < savePeriodMs) return
      lastSavedMs = Date.now()
      void this.#save(running)
    }
    return {
      signal,
      detail: (text: string) => note({ detail: text }),
      progress: (fraction: number) => note({ progress: Math.min(1, Math.max(0, fraction)) }),
    }
  }

  /** Stores how a task stands and heeds a request to end it. A disk that is full stops the record, not the work. */
  async #save(running: Running): Promise<void> {
    const task = structuredClone(running.task)
    this.#tell(task)
    try {
      const { owned, cancelAsked } = await (await this.#records.api()).saveTask(task, this.#owner)
      if (!owned) running.ending = true
      if (!owned) running.abort.abort(ended)
      else if (cancelAsked) running.abort.abort(cancelled)
    } catch {
      // The next change tries again.
    }
  }

  async #auditEnd(task: Task): Promise<void> {
    const outcome = task.state === 'done' ? 'done' : 'failed'
    const detail = { task: task.id, state: task.state, ...(task.error && { code: task.error.code, message: task.error.message }) }
    await this.#audit.append({ action: task.type, about: task.about, outcome, detail }).catch(() => {})
  }

  #tell(task: Task): void {
    const text = JSON.stringify(task)
    if (this.#known.get(task.id) === text) return
    this.#known.set(task.id, text)
    for (const listener of this.#listeners) listener(task)
  }

  async #poll(): Promise<void> {
    const version = await (await this.#records.api()).version()
    const orphaned = await this.#findInterrupted()
    if (version === this.#version && !orphaned) return
    this.#version = version
    for (const { doc } of await (await this.#records.api()).listTasks()) if (!this.#running.has(doc.id)) this.#tell(doc)
  }

  /** Calls running tasks interrupted whose program is gone. Answers whether there were any. */
  async #findInterrupted(): Promise<boolean> {
    const api = await this.#records.api()
    let found = false
    for (const row of await api.listTasks()) {
      if (row.doc.state !== 'running' || this.#running.has(row.doc.id) || isAlive(row.owner)) continue
      const steps = row.doc.steps.map((step) => (step.state === 'running' ? { ...step, state: 'pending' as const } : step))
      found = (await api.takeTask({ ...row.doc, steps, state: 'interrupted', endedAtMs: Date.now() }, row.owner, 'running', this.#owner)) || found
    }
    return found
  }
}

/** A step of a task that is resumed: done ones stay so, unless a clean-up has taken them back. */
function stepToResume(before: TaskStep | undefined, name: string): TaskStep {
  const stays = before && !before.undone && (before.state === 'done' || before.state === 'skipped')
  return stays ? before : { name, state: 'pending' }
}
