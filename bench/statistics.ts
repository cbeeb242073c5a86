/** The value below which a share of the values lies (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** The value in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** How long something took, in milliseconds, and what it answered. */
export function timed<T>(work: () => T): [ms: number, result: T] {
  const startMs = performance.now()
  const result = work()
  return [performance.now() - startMs, result]
}
