import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { OvsProgram, runOvs } from './ovs-programs.ts'

it('is given its input long after it was started', async () => {
  const program = new OvsProgram('cat', [])
  expect(program.waits).toBe(true)
  await expect(program.finish('flows')).resolves.toBe('flows')
  expect(program.waits).toBe(false)
})

it('waits no more when it has ended by itself', async () => {
  const program = new OvsProgram('true', [])
  await expect(program.finish()).resolves.toBe('')
  expect(program.waits).toBe(false)
})

it('tells what failed: its words, that it is missing, that it took too long, that it was given up', async () => {
  await expect(runOvs('sh', ['-c', 'echo no such bridge >&2; exit 1'])).rejects.toMatchObject({
    code: 'step-failed',
    message: expect.stringContaining('no such bridge') as string,
  })
  await expect(runOvs('no-such-program', [])).rejects.toMatchObject({ code: 'system-unsupported' })
  await expect(runOvs('sleep', ['60'], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' })
  await expect(runOvs('sh', ['-c', 'exit 2'], { alsoOk: 2 })).resolves.toBe('')
  const given = new AbortController()
  const aborted = runOvs('sleep', ['60'], { signal: given.signal })
  given.abort()
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
})

it('does not keep alive who has started it ahead', async () => {
  const module = join(import.meta.dirname, 'ovs-programs.ts')
  const script = `import { OvsProgram } from ${JSON.stringify(module)}; new OvsProgram('cat', []).unref(); console.log('done')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { timeout: 15_000 })
  expect(stdout).toBe('done\n')
})
