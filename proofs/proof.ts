/**
 * A long proof. `small` runs inside `npm test`, `full` by `npm run -s prove -- NAME`.
 * A proof file default-exports one of these and is listed in `proofs/index.ts`.
 */
export interface Proof {
  name: string
  title: string
  /** `simulation` needs no root and runs in CI after the tests; `lab` needs the real hosts. */
  kind: 'simulation' | 'lab'
  /** Even its small run takes longer than `npm test` has for it: only `prove` runs it. */
  outsideTests?: true
  /** Runs it; throws when something is disproven. Answers the counts to print and keep. */
  run(context: ProofContext): Promise<Record<string, number | string>>
}

export interface ProofContext {
  /** Every random choice comes from this seed, which is printed. */
  seed: number
  scale: 'small' | 'full'
  log(line: string): void
}
