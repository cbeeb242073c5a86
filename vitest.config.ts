import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const generated = ['**/node_modules/**', 'dist/**']
/** Tests that measure something on lab hosts: nothing else may run beside them. */
const measuring = ['agent/supervisor/swap.lab.test.ts']

/** Files that take far longer than others: they begin first, so that nobody waits for them at the end. */
const long = ['src-main/deploy/install.lab.test.ts', 'agent/supervisor/modules.test.ts']

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => long.some((file) => moduleId.endsWith(`/${file}`))
    return (await super.sort(files)).toSorted((a, b) => Number(isLong(b)) - Number(isLong(a)))
  }
}

export default defineConfig({
  plugins: [svelte({ configFile: false })],
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        extends: true,
        // Many of them wait for processes of their own more than they work.
        test: { name: 'unit', include: ['**/*.test.ts'], exclude: [...generated, '**/*.lab.test.ts'], testTimeout: 20_000, maxWorkers: 3 },
      },
      {
        extends: true,
        // Real hosts, which wait for each other more than they work: two labs side by side.
        test: {
          name: 'lab',
          include: ['**/*.lab.test.ts'],
          exclude: [...generated, ...measuring],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'lab-alone',
          include: measuring,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
