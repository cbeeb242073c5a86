import { describe, expect, test } from 'vitest'
import { violationsOf } from './imports.ts'

describe('imports that are forbidden are found', () => {
  const forbidden: [string, string][] = [
    ['core/model/host.ts', `import { x } from '../../agent/runtime/env.ts'`],
    ['core/model/host.ts', `import type { X } from '../../src-main/main.ts'`],
    ['core/model/host.ts', `import { readFileSync } from 'node:fs'`],
    ['core/model/host.ts', `import fs from 'fs'`],
    ['core/model/host.ts', `export * from '../../lab/lab.ts'`],
    ['core/model/host.ts', `const late = await import('../../scripts/check.ts')`],
    ['core/model/host.test.ts', `import { labUp } from '../../lab/lab.ts'`],
    ['agent/monitor/main.ts', `import { Inventory } from '../../src-main/inventory/inventory.ts'`],
    ['agent/monitor/main.ts', `import { labUp } from '../../lab/lab.ts'`],
    ['agent/monitor/main.ts', `new Worker(new URL('../../src-main/inventory/worker.ts', import.meta.url))`],
    ['lab/lab.ts', `import { install } from '../src-main/deploy/install.ts'`],
    ['src-main/inventory/inventory.ts', `import { labUp } from '../../lab/lab.ts'`],
    ['src-main/inventory/inventory.ts', `import { packAgent } from '../../scripts/pack-agent.ts'`],
    ['src-main/inventory/inventory.ts', `import type { Config } from '../../agent/runtime/config.ts'`],
    ['src-main/inventory/inventory.ts', `import { app } from 'electron'`],
    ['src-renderer/lib/feed.ts', `import { Inventory } from '../../src-main/inventory/inventory.ts'`],
    ['src-renderer/lib/feed.ts', `import path from 'node:path'`],
    ['src-renderer/App.svelte', `<script lang="ts">\nimport type { X } from '../src-main/main.ts'\n</script>\n<p>hello</p>`],
    ['src-renderer/App.svelte', `<script lang="ts">import { ipcRenderer } from 'electron'</script>`],
    ['scripts/start.mjs', `import App from '../src-renderer/App.svelte'`],
    ['elsewhere/new.ts', ``],
  ]
  test.each(forbidden)('%s: %s', (file, source) => {
    expect(violationsOf(file, source)).toHaveLength(1)
  })
})

describe('imports that are allowed pass', () => {
  const allowed: [string, string][] = [
    ['core/model/host.ts', `import { z } from 'zod'\nimport { nameSchema } from './common.ts'\nimport { asHoldfastError } from '../errors.ts'`],
    ['core/model/host.test.ts', `import { readFileSync } from 'node:fs'`],
    ['agent/monitor/main.ts', `import { agentContract } from '../../core/contract/agent/index.ts'\nimport net from 'node:net'`],
    ['agent/supervisor/swap.lab.test.ts', `import { labUp } from '../../lab/lab.ts'\nimport { packAgent } from '../../scripts/pack-agent.ts'`],
    ['src-main/cli/lab.ts', `import { labUp } from '../../lab/lab.ts'`],
    ['src-main/deploy/lab-up.ts', `import { packAgent } from '../../scripts/pack-agent.ts'`],
    ['src-main/shell/electron-main.ts', `import { app } from 'electron'`],
    ['src-renderer/App.svelte', `<script lang="ts">import { z } from 'zod'\nimport type { Host } from '../core/model/host.ts'</script>`],
    ['src-main/shell/browser-shell.ts', `const root = new URL('../../dist/renderer/', import.meta.url)`],
    ['scripts/build.ts', `import { labUp } from '../lab/lab.ts'`],
  ]
  test.each(allowed)('%s: %s', (file, source) => {
    expect(violationsOf(file, source)).toEqual([])
  })
})
