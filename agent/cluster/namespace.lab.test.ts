import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Runs a fixture as root in a network namespace of its own, which is gone when it ends. */
const inNamespace = (fixture: string) =>
  JSON.parse(
    execFileSync('unshare', ['--net', process.execPath, join(import.meta.dirname, 'fixtures', fixture)], { encoding: 'utf8', timeout: 60_000 }),
  ) as Record<string, unknown>

describe('the cluster address on a real kernel', () => {
  const result = inNamespace('address-in-namespace.ts') as Record<'whileHeld' | 'afterDrop' | 'mac', string> & {
    lifetimesMs: number[]
    frames: string[]
  }

  test('is added beside the host’s own, for a second, and goes by itself in time', () => {
    expect(result).toMatchObject({ held: 0 })
    expect(result.whileHeld).toMatch(/10\.9\.0\.1\/24.*forever[^]*10\.9\.0\.100\/32.*valid_lft 1sec/)
    for (const lifetimeMs of result.lifetimesMs) expect(lifetimeMs).toBeGreaterThan(900)
    // A machine under load looks late; the least late look tells.
    expect(Math.min(...result.lifetimesMs)).toBeLessThan(1300)
  })

  test('is removed at once, the host’s own stays', () => {
    expect(result).toMatchObject({ dropped: 0, dropAgain: 99, noNic: 19 })
    expect(result.afterDrop).toMatch(/10\.9\.0\.1\/24/)
    expect(result.afterDrop).not.toMatch(/10\.9\.0\.100/)
  })

  test('is announced to everybody by ARP, as request and as answer', () => {
    const mac = /link\/ether ([0-9a-f:]+)/.exec(result.mac)![1]!.replaceAll(':', '')
    const frames = result.frames.filter((frame) => frame.slice(24, 28) === '0806')
    expect(frames.map((frame) => frame.slice(40, 44))).toEqual(['0001', '0002'])
    for (const frame of frames) expect(frame).toMatch(new RegExp(`^f{12}${mac}0806000108000604000[12]${mac}0a090064.{12}0a090064`))
  })
})

describe('a plane’s socket', () => {
  test('hears its NIC alone, survives a flood of any bytes, reads no more than it is asked to, and says why it cannot open', () => {
    expect(inNamespace('plane-socket-in-namespace.ts')).toEqual({
      heard: true,
      otherNic: 0,
      limited: 10,
      flood: { heard: 0, alive: true },
      heapGrewMb: expect.toSatisfy((mb: number) => mb < 30) as number,
      taken: 'port-taken',
      noAddress: 'internal',
      noNic: 'internal',
      noLink: false,
    })
  })
})
