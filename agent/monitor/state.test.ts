import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deviceNumber } from './disks.ts'
import { oneAtATime } from './programs.ts'
import { readBounded, readState, replaceFile, type MonitorState } from './state.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-monitor-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

it('keeps the state in a file for root alone, and begins anew when it is damaged', () => {
  const path = join(directory, 'below', 'monitor.json')
  const state: MonitorState = {
    announced: { 'nic/h1/mgmt': 'up' },
    neighbours: [{ host: 'h1', nic: 'mgmt', chassisId: 'c', systemName: 'tor1', portId: 'p1', lostAtMs: 5 }],
  }
  expect(readState(path)).toBeNull()
  replaceFile(path, JSON.stringify(state))
  expect(readState(path)).toEqual(state)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  for (const text of ['', '{', '{"announced":{}}', readFileSync(path, 'utf8').slice(0, -3)]) {
    writeFileSync(path, text)
    expect(readState(path)).toBeNull()
  }
})

it('does not read a file that outgrew its limit', () => {
  const path = join(directory, 'big')
  replaceFile(path, 'x'.repeat(100))
  expect(readBounded(path, 100)).toHaveLength(100)
  expect(readBounded(path, 99)).toBe('')
  expect(readBounded(join(directory, 'none'), 99)).toBe('')
})

it.each([
  [0x0706, '7:6'],
  [0xfe00, '254:0'],
  [0x103_05, '259:5'],
  // Minor 256 and more goes above the major (makedev(3)).
  [0x100_0800, '8:4096'],
])('device %i is %s', (rdev, number) => expect(deviceNumber(rdev)).toBe(number))

it('does work one at a time, once more for all that was asked meanwhile, and goes on after a failure', async () => {
  const steps: string[] = []
  const gates: PromiseWithResolvers<void>[] = []
  const ask = oneAtATime(
    async () => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      steps.push('begin')
      await gate.promise
      steps.push('end')
    },
    () => steps.push('failed'),
  )
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  for (let asked = 0; asked < 5; asked++) ask()
  expect(steps).toEqual(['begin'])
  gates[0]!.reject(new Error('x'))
  await turn()
  expect(steps).toEqual(['begin', 'failed', 'begin'])
  gates[1]!.resolve()
  await turn()
  expect(steps).toEqual(['begin', 'failed', 'begin', 'end'])
  ask()
  expect(gates).toHaveLength(3)
})
