/** What uPlot draws: times in seconds, then one row of values a line; null is a gap. */
export type ChartData = [number[], ...(number | null)[][]]

/** Samples further apart than this, in ms, have a gap between them: a second was measured and never came. */
const gapMs = 2500

/** Lines out of samples. Where nothing was measured a null is put in, so that no line is drawn across what is not known. */
export function chartData<S extends { atMs: number }>(samples: S[], lines: ((sample: S) => number | null)[]): ChartData {
  const times: number[] = []
  const values: (number | null)[][] = lines.map(() => [])
  let lastMs: number | undefined
  for (const sample of samples) {
    if (lastMs !== undefined && sample.atMs - lastMs > gapMs) {
      times.push((lastMs + 1000) / 1000)
      for (const row of values) row.push(null)
    }
    times.push(sample.atMs / 1000)
    for (const [i, line] of lines.entries()) values[i]!.push(line(sample))
    lastMs = sample.atMs
  }
  return [times, ...values]
}
