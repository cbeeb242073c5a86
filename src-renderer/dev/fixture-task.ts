/** TEST DOUBLE of the task centre's tasks. */
import type { ErrorDoc } from '../../core/errors.ts'
import type { Task } from '../../core/model/index.ts'
import type { FixtureCluster } from './fixture-cluster.ts'

/** A task in steps, advanced by a timer; `fail` makes its last step end in that error. */
export class FixtureTask {
  readonly task: Task
  #timer: NodeJS.Timeout | undefined
  #cluster: FixtureCluster
  #onDone: () => void
  #fail: ErrorDoc | undefined

  constructor(
    cluster: FixtureCluster,
    type: string,
    title: string,
    about: string[],
    steps: string[],
    options: { stepMs?: number; fail?: ErrorDoc; onDone?: () => void } = {},
  ) {
    this.#cluster = cluster
    this.#onDone = options.onDone ?? (() => {})
    this.#fail = options.fail
    this.task = {
      id: crypto.randomUUID(),
      type,
      title,
      about,
      state: 'running',
      steps: steps.map((name) => ({ name, state: 'pending' })),
      startedAtMs: Date.now(),
    }
    this.start(options.stepMs ?? 900)
  }

  start(stepMs: number): void {
    this.task.state = 'running'
    delete this.task.error
    delete this.task.endedAtMs
    const advance = (): void => {
      const running = this.task.steps.find((step) => step.state === 'running')
      if (running) Object.assign(running, { state: 'done', endedAtMs: Date.now(), progress: 1 })
      const next = this.task.steps.find((step) => step.state !== 'done' && step.state !== 'skipped')
      if (next && this.#fail && next === this.task.steps.at(-2)) {
        Object.assign(next, { state: 'failed', startedAtMs: Date.now(), endedAtMs: Date.now() })
        this.#end('failed', this.#fail)
        this.#fail = undefined
        return
      }
      if (!next) {
        this.#onDone()
        return this.#end('done')
      }
      Object.assign(next, { state: 'running', startedAtMs: Date.now(), progress: 0.42 })
      this.#cluster.task(structuredClone(this.task))
      this.#timer = setTimeout(advance, stepMs)
    }
    advance()
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#end('cancelled')
  }

  #end(state: Task['state'], error?: ErrorDoc): void {
    Object.assign(this.task, { state, endedAtMs: Date.now(), ...(error && { error }) })
    this.#cluster.task(structuredClone(this.task))
  }
}
