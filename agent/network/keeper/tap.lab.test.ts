import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('a tap device is read and written, says when it is taken and when it goes, and stays when nobody reads it', () => {
  const argv = ['--net', process.execPath, join(import.meta.dirname, 'fixtures/tap-in-namespace.ts')]
  expect(JSON.parse(execFileSync('unshare', argv, { encoding: 'utf8', timeout: 60_000 }))).toEqual({
    request: expect.stringMatching(/^ffffffffffff0200000000010806.*0a0900020*$/) as string,
    learned: true,
    written: true,
    taken: 'busy',
    stays: true,
    ended: true,
    writtenAfterEnd: false,
  })
})
