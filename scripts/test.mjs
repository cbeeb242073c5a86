import { runOnOurNode } from './bootstrap.mjs'

runOnOurNode('scripts/test.ts')
