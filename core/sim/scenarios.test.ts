import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

/** Each folder is a story in virtual time. `UPDATE_SCENARIOS=1` writes the logs anew; read the difference before you keep it. */
const root = join(import.meta.dirname, 'scenarios')

describe('scenarios', () => {
  test.each(readdirSync(root))('%s', (name) => {
    const expected = join(root, name, 'log.expect')
    const { log, violations } = runScenario(readFileSync(join(root, name, 'commands.txt'), 'utf8'))
    if (process.env.UPDATE_SCENARIOS) writeFileSync(expected, log)
    expect(violations).toEqual([])
    expect(log).toBe(readFileSync(expected, 'utf8'))
  })
})
