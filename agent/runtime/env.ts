import type { Env } from '../../core/env.ts'

const disposable = (end: () => void): Disposable => ({ [Symbol.dispose]: end })

/** Time and randomness of the machine. */
export const realEnv: Env = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  random: () => Math.random(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return disposable(() => clearTimeout(timer))
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs)
    return disposable(() => clearInterval(timer))
  },
}
