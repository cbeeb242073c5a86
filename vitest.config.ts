import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

const generated = ['**/node_modules/**', 'dist/**']

export default defineConfig({
  plugins: [svelte({ configFile: false })],
  test: {
    projects: [
      {
        extends: true,
        // Many of them wait for processes of their own more than they work.
        test: { name: 'unit', include: ['**/*.test.ts'], exclude: [...generated, '**/*.lab.test.ts'], testTimeout: 20_000, maxWorkers: 3 },
      },
      {
        extends: true,
        // Real hosts: one file at a time, because they share the machine's cores and some of them measure time.
        test: {
          name: 'lab',
          include: ['**/*.lab.test.ts'],
          exclude: generated,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
