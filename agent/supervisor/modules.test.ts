import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromOrpcError } from '../../core/contract/errors.ts'
import { Replica } from '../../core/sync/replica.ts'
import { TestHost, until } from './fixtures/test-host.ts'

const broken = ['crash', 'hang', 'unhealthy', 'activate', 'crash-late']
let host: TestHost

beforeAll(async () => {
  host = await TestHost.make(broken)
  await host.init()
  await host.startSupervisor()
  await host.running()
}, 60_000)

afterAll(async () => host.dispose())

const upgrade = (version: string) => host.request('POST', '/v1/supervisor/modules/monitor/upgrade', { body: { version } })

// Real processes on a machine that may be busy: only the outcome counts, not how long it takes.
describe('modules', { timeout: 60_000 }, () => {
  test('are processes of their own that a killed supervisor leaves running, and the next one adopts', async () => {
    const before = await host.modules()
    await host.killSupervisor()
    await sleep(200)
    expect(host.modulePids('monitor')).toEqual([before.find((module) => module.name === 'monitor')!.pid])
    await host.startSupervisor()
    await host.running()
    const after = await host.modules()
    for (const name of ['cluster', 'monitor'])
      expect(after.find((module) => module.name === name)!.pid).toBe(before.find((module) => module.name === name)!.pid)
    expect(after.every((module) => module.restarts === 0)).toBe(true)
  })

  test('are started again when they end, and the event says so', async () => {
    const { pid } = await host.module('cluster')
    process.kill(pid, 'SIGKILL')
    await until('it runs again', async () => {
      const module = await host.module('cluster')
      return module.state === 'running' && module.pid !== pid && module.restarts === 1
    })
    expect(host.modulePids('cluster')).toHaveLength(1)
    const replica = new Replica()
    for await (const frame of await host.client().sync.watch({})) {
      replica.apply(frame)
      if (frame.type === 'idle') break
    }
    const events = [...replica.items.values()].filter((item) => item.kind === 'event').map((item) => item.doc)
    expect(events).toContainEqual(expect.objectContaining({ type: 'module-restarted', severity: 'warning', about: ['module/h1/cluster'] }))
  })

  test('are ended and started again when they hang', async () => {
    const { pid } = await host.module('cluster')
    process.kill(pid, 'SIGSTOP')
    await until('another process runs', async () => {
      const module = await host.module('cluster')
      return module.state === 'running' && module.pid !== pid
    })
    expect(host.modulePids('cluster')).toHaveLength(1)
  })

  test('are swapped to another version and back, one process acting at the end', async () => {
    for (const version of ['2', '1']) {
      const { pid } = await host.module('monitor')
      const answer = await upgrade(version)
      expect(answer).toMatchObject({ status: 200, body: { version, previousVersion: version === '2' ? '1' : '2' } })
      expect(host.acting('monitor')).toMatchObject({ version, pid: (await host.module('monitor')).pid })
      expect(host.modulePids('monitor')).toEqual([host.acting('monitor').pid])
      expect(host.acting('monitor').pid).not.toBe(pid)
    }
  })

  test.each(broken)('a version that fails (%s) is rolled back by itself', async (version) => {
    const { pid } = await host.module('monitor')
    const answer = await upgrade(version)
    expect(answer).toMatchObject({ status: 409, body: { code: 'upgrade-rolled-back', data: { version } } })
    expect(await host.module('monitor')).toMatchObject({ version: '1', pid })
    expect(host.modulePids('monitor')).toEqual([pid])
    expect(host.acting('monitor').version).toBe('1')
    await host.running()
  })

  test('refuse a version that is not there, two upgrades at once, and whoever is no admin', async () => {
    const client = host.client()
    const failure = (work: Promise<unknown>) =>
      work.then(
        () => null,
        (thrown: unknown) => fromOrpcError(thrown),
      )
    expect(await failure(client.upgradeModule({ name: 'monitor', version: '../1' }))).toMatchObject({ code: 'not-found' })
    const [one, other] = [client.upgradeModule({ name: 'monitor', version: '2' }), client.upgradeModule({ name: 'monitor', version: '2' })]
    expect(await failure(other)).toMatchObject({ code: 'busy' })
    expect(await one).toMatchObject({ version: '2' })
    expect(await client.upgradeModule({ name: 'monitor', version: '1' })).toMatchObject({ version: '1' })
  })

  test('a supervisor killed anywhere in a swap ends in old or new, one process acting', async () => {
    const seen = new Set<string>()
    for (const delayMs of [30, 150, 300, 450, 600, 750, 900, 1_200, 1_600]) {
      const from = (await host.module('monitor')).version
      const to = from === '1' ? '2' : '1'
      void upgrade(to).catch(() => undefined)
      await sleep(delayMs)
      await host.killSupervisor()
      await host.startSupervisor()
      await host.running()
      const { version, pid } = await host.module('monitor')
      expect(['1', '2']).toContain(version)
      expect(host.modulePids('monitor')).toEqual([pid])
      expect(host.acting('monitor')).toEqual({ version, pid })
      seen.add(version === to ? 'new' : 'old')
    }
    expect(seen.has('old')).toBe(true)
  }, 90_000)
})
