/** A measurement. A bench file default-exports one of these and is listed in `bench/index.ts`. */
export interface Bench {
  name: string
  title: string
  /** `lab` needs root and the real hosts. */
  kind: 'laptop' | 'lab'
  run(context: BenchContext): Promise<BenchRow[]>
}

export interface BenchContext {
  /** Fewer rounds, for a look or for CI. */
  quick: boolean
  log(line: string): void
}

/** One figure; `goal` is printed beside it with whether it was met. */
export interface BenchRow {
  figure: string
  value: number
  unit: string
  /** The value must be at most this (`max`) or at least this (`min`). */
  goal?: { max?: number; min?: number }
  note?: string
}
