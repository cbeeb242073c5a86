import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { staleReason } from './bootstrap.mjs'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bootstrap-'))
  write('package-lock.json', {
    '': { version: '0.1.0' },
    'node_modules/zod': { version: '4.0.0' },
    'node_modules/for-macs': { version: '1.0.0', optional: true },
  })
})

afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, packages: object): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
  writeFileSync(path.join(folder, name), JSON.stringify({ packages }))
}

test('a fresh clone has no packages yet', () => {
  expect(staleReason(folder)).toBe('node_modules is not there yet')
})

test('packages are current when they are what the lock file says, optional ones of other systems aside', () => {
  write('node_modules/.package-lock.json', { 'node_modules/zod': { version: '4.0.0' } })
  expect(staleReason(folder)).toBeNull()
})

test('another version or a missing package is named', () => {
  write('node_modules/.package-lock.json', { 'node_modules/zod': { version: '3.0.0' } })
  expect(staleReason(folder)).toContain('node_modules/zod')
  write('node_modules/.package-lock.json', {})
  expect(staleReason(folder)).toContain('node_modules/zod')
})
