/** Tries to see the beginning of a millisecond exactly; each takes one. */
const attempts = 4
const exactMs = 0.02

/**
 * This host's wall clock in microseconds since the Unix epoch: when this was called, and when it returns. Node tells wall time in whole
 * milliseconds, packets have microseconds: so this waits for the next millisecond to begin.
 */
export function readClock(): { heardUs: number; answeredUs: number } {
  const heardMs = performance.now()
  for (let attempt = 1; ; attempt++) {
    const first = Date.now()
    let [wallMs, earlierMs, nowMs] = [first, 0, performance.now()]
    while (wallMs === first) {
      earlierMs = nowMs
      wallMs = Date.now()
      nowMs = performance.now()
    }
    // The process may have been put aside in between.
    if (nowMs - earlierMs > exactMs && attempt < attempts) continue
    return { heardUs: Math.round((wallMs - (nowMs - heardMs)) * 1000), answeredUs: wallMs * 1000 }
  }
}
