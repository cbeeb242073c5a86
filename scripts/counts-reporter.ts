import { writeFileSync } from 'node:fs'
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from 'vitest/node'

/** What a stage of the tests came to. Each skip and each failure names the test and why. */
export interface Counts {
  passed: number
  failures: string[]
  skips: string[]
}

const nameOf = (test: TestCase) => `${test.module.relativeModuleId}: ${test.fullName}`
const messages = (errors: readonly SerializedError[]) => errors.map(({ message }) => message.slice(0, 500).replaceAll(/\s*\n\s*/g, ' ')).join(' | ')

/** Writes the counts of a vitest run to the file that HOLDFAST_COUNTS names, for scripts/test.ts. */
export default class CountsReporter implements Reporter {
  readonly #counts: Counts = { passed: 0, failures: [], skips: [] }

  onTestCaseResult(test: TestCase): void {
    const result = test.result()
    if (result.state === 'passed') this.#counts.passed++
    else if (result.state === 'failed') this.#counts.failures.push(`${nameOf(test)}: ${messages(result.errors)}`)
    else if (result.state === 'skipped') this.#counts.skips.push(`${nameOf(test)}: ${result.note ?? 'no reason given'}`)
  }

  // What comes before or after the tests of a group failed: its tests may be told as skipped, or even as passed.
  onTestSuiteResult(suite: TestSuite): void {
    const errors = suite.errors()
    if (errors.length > 0) this.#counts.failures.push(`${suite.module.relativeModuleId}: ${suite.fullName}: ${messages(errors)}`)
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    // A file that could not even be read is a failure, as is an error that no test caught.
    if (unhandledErrors.length > 0) this.#counts.failures.push(`outside any test: ${messages(unhandledErrors)}`)
    for (const module of modules) {
      if (module.errors().length > 0) this.#counts.failures.push(`${module.relativeModuleId}: ${messages(module.errors())}`)
    }
    const file = process.env.HOLDFAST_COUNTS
    if (file) writeFileSync(file, JSON.stringify(this.#counts))
  }
}
