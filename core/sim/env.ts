import type { Env } from '../env.ts'

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Job {
  atMs: number
  order: number
  run: () => void
  cancelled: boolean
}

/** Virtual time: nothing happens but what was scheduled, in order of time, and of scheduling where times are equal. */
export class World {
  readonly random: () => number
  #nowMs = 0
  #order = 0
  readonly #heap: Job[] = []

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.random() * (high - low)
  }

  after(delayMs: number, run: () => void): Disposable {
    const job: Job = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run, cancelled: false }
    push(this.#heap, job)
    return {
      [Symbol.dispose]: () => {
        job.cancelled = true
      },
    }
  }

  /** Runs everything due until `untilMs`, which is then the time. */
  runUntil(untilMs: number): void {
    for (let job = this.#heap[0]; job && job.atMs <= untilMs; job = this.#heap[0]) {
      pop(this.#heap)
      if (job.cancelled) continue
      this.#nowMs = job.atMs
      job.run()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }
}

/**
 * One process's clocks and timers. While it is frozen its timers wait and its clock goes on, as with SIGSTOP;
 * when it was killed they never ring.
 */
export class ProcessEnv implements Env {
  readonly #world: World
  readonly #wallOffsetMs: () => number
  #state: 'running' | 'frozen' | 'dead' = 'running'
  readonly #waiting: { timer: boolean; work: () => void }[] = []

  constructor(world: World, wallOffsetMs: () => number = () => 0) {
    this.#world = world
    this.#wallOffsetMs = wallOffsetMs
  }

  get running(): boolean {
    return this.#state === 'running'
  }

  monotonicMs(): number {
    return this.#world.nowMs
  }

  /** Simulations begin on 2026-01-01. */
  wallMs(): number {
    return 1_767_225_600_000 + this.#world.nowMs + this.#wallOffsetMs()
  }

  random(): number {
    return this.#world.random()
  }

  after(delayMs: number, callback: () => void): Disposable {
    let cancelled = false
    const timer = this.#world.after(delayMs, () => this.#run(() => !cancelled && callback(), true))
    return {
      [Symbol.dispose]: () => {
        cancelled = true
        timer[Symbol.dispose]()
      },
    }
  }

  every(periodMs: number, callback: () => void): Disposable {
    let timer: Disposable
    const again = () => {
      timer = this.after(periodMs, () => {
        again()
        callback()
      })
    }
    again()
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
  }

  /** Hands the process something that came from outside: it runs now, when the process thaws, or never. */
  run(work: () => void): void {
    this.#run(work, false)
  }

  #run(work: () => void, timer: boolean): void {
    if (this.#state === 'running') work()
    else if (this.#state === 'frozen') this.#waiting.push({ timer, work })
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen'
  }

  /** What waited is done in order, or timers first: an event loop may do either. */
  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    const waiting = this.#waiting.splice(0)
    if (this.#world.random() < 0.5) waiting.sort((a, b) => Number(b.timer) - Number(a.timer))
    for (const { work } of waiting) this.run(work)
  }

  kill(): void {
    this.#state = 'dead'
    this.#waiting.length = 0
  }
}

const before = (a: Job, b: Job) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

function push(heap: Job[], job: Job): void {
  let at = heap.length
  heap.push(job)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(job, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = job
}

function pop(heap: Job[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (!before(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
}
