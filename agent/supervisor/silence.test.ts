import { expect, test } from 'vitest'
import { readLostTime, Silence } from './silence.ts'

function silence() {
  const clock = { nowMs: 1000, waitedMs: 500, stolenMs: 7000 }
  const subject = new Silence(
    () => ({ ...clock }),
    () => clock.nowMs,
  )
  subject.end(1)
  return { clock: Object.assign(clock, { pass: (ms: number, waitedMs = 0, stolenMs = 0) => void add(clock, ms, waitedMs, stolenMs) }), subject }
}

function add(clock: { nowMs: number; waitedMs: number; stolenMs: number }, ms: number, waitedMs: number, stolenMs: number): void {
  clock.nowMs += ms
  clock.waitedMs += waitedMs
  clock.stolenMs += stolenMs
}

test('silence of a process that could have spoken counts in full', () => {
  const { clock, subject } = silence()
  clock.pass(5000)
  expect(subject.ms(1)).toBe(5000)
  subject.end(1)
  expect(subject.ms(1)).toBe(0)
})

test('time that others had the cores for does not count, neither those of this machine nor of another', () => {
  const { clock, subject } = silence()
  clock.pass(5000, 2000, 1500)
  expect(subject.ms(1)).toBe(1500)
})

test('one that starves for ever is given up on all the same', () => {
  const { clock, subject } = silence()
  clock.pass(60_000, 60_000, 20_000)
  expect(subject.ms(1)).toBe(6000)
})

test('the kernel tells, and of a process that is gone nothing', () => {
  expect(readLostTime(process.pid).waitedMs).toBeGreaterThanOrEqual(0)
  expect(readLostTime(2 ** 30).waitedMs).toBe(0)
  expect(readLostTime(process.pid).stolenMs).toBeGreaterThanOrEqual(0)
})
