import { writeFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** What a stage of the tests came to. Each skip names the test and why. */
export interface Counts {
  passed: number
  failed: number
  skips: string[]
}

/** Writes the counts of a vitest run to the file that HOLDFAST_COUNTS names, for scripts/test.ts. */
export default class CountsReporter implements Reporter {
  readonly #counts: Counts = { passed: 0, failed: 0, skips: [] }

  onTestCaseResult(test: TestCase): void {
    const result = test.result()
    if (result.state === 'passed') this.#counts.passed++
    else if (result.state === 'failed') this.#counts.failed++
    else if (result.state === 'skipped')
      this.#counts.skips.push(`${test.module.relativeModuleId}: ${test.fullName}: ${result.note ?? 'no reason given'}`)
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    // A file that could not even be read is a failure, as is an error that no test caught.
    this.#counts.failed += unhandledErrors.length + modules.filter((module) => module.errors().length > 0).length
    const file = process.env.HOLDFAST_COUNTS
    if (file) writeFileSync(file, JSON.stringify(this.#counts))
  }
}
