/** What a running step may say and must heed. */
export interface StepRun {
  /** Aborted when the task is cancelled or the program ends: stop at the next safe point and throw `signal.reason`. */
  signal: AbortSignal
  /** What it is doing right now, in words; shown beside the step. */
  detail(text: string): void
  /** 0 to 1, where it can be told. */
  progress(fraction: number): void
}

/**
 * One step of a task. Idempotent: run again after a crash it finds its work done (and may answer `skipped`) or does the rest.
 * It throws a HoldfastError when it fails.
 */
export interface StepPlan {
  name: string
  run(step: StepRun): Promise<'skipped' | void>
}

/** What a task will do, made from its stored parameters each time it starts or resumes. Step names are unique and the same each time. */
export interface TaskPlan {
  title: string
  /** Objects concerned, as `kind/id`. */
  about: string[]
  steps: StepPlan[]
  /** Runs when a step failed or the task was cancelled: takes back what was left half done. It must not throw for what is not there. */
  cleanup?(step: StepRun): Promise<void>
}

/**
 * Makes the plan of one type of task. `params` is JSON that is stored and audited, so it holds no secret.
 * `secrets` live in memory for this run only and are undefined when a task is resumed by another program: ask for them by throwing
 * `bad-input` from the step that needs them.
 */
export type TaskFactory<Params, Secrets = undefined> = (params: Params, secrets: Secrets | undefined) => TaskPlan
