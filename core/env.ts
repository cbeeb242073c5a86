/**
 * The one door through which time and randomness reach `core/` and the state machines built on it.
 * The real one is in `agent/runtime/env.ts`; the simulated one in `core/sim/env.ts` runs in virtual time from a seed.
 */
export interface Env {
  /** Monotonic clock, milliseconds from an arbitrary start; never steps back. */
  monotonicMs(): number
  /** Wall clock, milliseconds since the Unix epoch; may step. For display and records only. */
  wallMs(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Runs `callback` once after `delayMs`; the disposable cancels it. */
  after(delayMs: number, callback: () => void): Disposable
  /** Runs `callback` every `periodMs`; the disposable stops it. */
  every(periodMs: number, callback: () => void): Disposable
}
