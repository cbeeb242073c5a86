import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProcessEnv, World } from '../sim/env.ts'
import { PathWatcher, watchTimings, type PathChange } from './watcher.ts'

const path = { peer: 'h2', plane: 'mgmt' } as const

/** A watcher with its timer, and a peer that sends each 100 ms while it may. */
function rig() {
  const world = new World(1)
  const env = new ProcessEnv(world)
  const watcher = new PathWatcher(env)
  const changes: (PathChange & { atMs: number })[] = []
  const note = (change: PathChange | null) => change && changes.push({ ...change, atMs: world.nowMs })
  let sending = true
  watcher.setPaths([path])
  env.every(watchTimings.checkEveryMs, () => watcher.check().forEach(note))
  const send = () => {
    if (sending) env.run(() => note(watcher.heard('h2', 'mgmt')))
    world.after(100, send)
  }
  world.after(37, send)
  return { world, env, watcher, changes, send: (on: boolean) => (sending = on) }
}

describe('PathWatcher', () => {
  test('up with the first heartbeat, down half a second after the last', () => {
    const { world, changes, send } = rig()
    world.runUntil(10_000)
    expect(changes).toMatchObject([{ state: 'up', before: 'unknown' }])
    send(false)
    world.runUntil(20_000)
    expect(changes[1]).toMatchObject({ state: 'down' })
    expect(changes[1]!.atMs - 10_000).toBeLessThanOrEqual(watchTimings.downAfterMs + watchTimings.checkEveryMs)
    send(true)
    world.runUntil(30_000)
    expect(changes[2]).toMatchObject({ state: 'up' })
    expect(changes[2]!.atMs - 20_000).toBeGreaterThanOrEqual((watchTimings.upAfterHeartbeats - 1) * 100)
    expect(changes).toHaveLength(3)
  })

  test('a peer that was never heard is down after a second, not before', () => {
    const { world, changes, send, watcher } = rig()
    send(false)
    world.runUntil(900)
    expect(watcher.state('h2', 'mgmt')).toBe('unknown')
    world.runUntil(1500)
    expect(changes).toMatchObject([{ before: 'unknown', state: 'down' }])
  })

  test.each([300, 450, 2000, 60_000])('standing still ourselves for %i ms blames nobody', (durationMs) => {
    const { world, env, watcher, changes } = rig()
    world.runUntil(10_000)
    env.freeze()
    world.runUntil(10_000 + durationMs)
    env.thaw()
    world.runUntil(80_000)
    expect(changes).toHaveLength(1)
    expect(watcher.stalls.count).toBeGreaterThan(0)
    expect(Math.abs(watcher.stalls.totalMs - durationMs)).toBeLessThan(250)
  })

  test('a peer that dies while we stand still is found after', () => {
    const { world, env, changes, send } = rig()
    world.runUntil(10_000)
    env.freeze()
    send(false)
    world.runUntil(15_000)
    env.thaw()
    world.runUntil(15_800)
    expect(changes[1]).toMatchObject({ state: 'down' })
  })

  test('heartbeats that come with gaps shorter than half a second never flap', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 390 }), { minLength: 5, maxLength: 60 }), (gaps) => {
        const world = new World(1)
        const env = new ProcessEnv(world)
        const watcher = new PathWatcher(env)
        watcher.setPaths([path])
        const changes: PathChange[] = []
        env.every(watchTimings.checkEveryMs, () => changes.push(...watcher.check()))
        for (const gapMs of gaps) {
          world.runUntil(world.nowMs + gapMs)
          const change = watcher.heard('h2', 'mgmt')
          if (change) changes.push(change)
        }
        expect(changes).toHaveLength(1)
      }),
    )
  })
})
