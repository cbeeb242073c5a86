import { runOnOurNode } from './bootstrap.mjs'

runOnOurNode('scripts/start.ts')
