import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPidFile, signalProcess } from '../runtime/process.ts'
import { TestHost, until } from './fixtures/test-host.ts'

let host: TestHost

beforeAll(async () => {
  host = await TestHost.make(['unable', 'stuck'])
  writeFileSync(join(host.paths.opt, 'versions/unable/supervisor.mjs'), 'process.exit(9)\n')
  writeFileSync(join(host.paths.opt, 'versions/stuck/supervisor.mjs'), 'setInterval(() => {}, 1000)\n')
  await host.init()
  await host.startLauncher()
  await host.running()
}, 60_000)

afterAll(async () => host.dispose())

const version = async () => (await host.get('/v1/supervisor/hello')).body.agentVersion
const current = () => readlinkSync(join(host.paths.opt, 'current'))
const modulePids = () => [host.modulePids('cluster'), host.modulePids('monitor')]

test('a supervisor that is killed comes back, and adopts', async () => {
  const pids = modulePids()
  const killed = readPidFile(join(host.paths.run, 'supervisor.pid'))!
  signalProcess(killed, 'SIGKILL')
  await until(
    'another supervisor answers',
    async () => readPidFile(join(host.paths.run, 'supervisor.pid'))?.pid !== killed.pid && (await version()) !== undefined,
  )
  await host.running()
  expect(modulePids()).toEqual(pids)
}, 60_000)

test('the supervisor hands its place to another version, and modules go on', async () => {
  const pids = modulePids()
  expect(await host.request('POST', '/v1/supervisor/supervisor/upgrade', { body: { version: '2' } })).toMatchObject({
    status: 200,
    body: { version: '2' },
  })
  await until('version 2 answers', async () => (await version()) === '2')
  expect(current()).toBe('versions/2')
  expect(existsSync(join(host.paths.opt, 'pending'))).toBe(false)
  expect((await host.module('supervisor')).version).toBe('2')
  await host.running()
  expect(modulePids()).toEqual(pids)
}, 60_000)

test.each(['unable', 'stuck'])(
  'a supervisor that does not come up (%s) gives its place back',
  async (broken) => {
    const pids = modulePids()
    await host.request('POST', '/v1/supervisor/supervisor/upgrade', { body: { version: broken } })
    await until(
      'the old version answers again',
      async () =>
        existsSync(join(host.paths.state, 'events/supervisor.jsonl')) &&
        readFileSync(join(host.paths.state, 'events/supervisor.jsonl'), 'utf8').includes(`${broken} did not come up`),
    )
    expect(await version()).toBe('2')
    expect(current()).toBe('versions/2')
    expect(existsSync(join(host.paths.opt, 'failed'))).toBe(false)
    await host.running()
    expect(modulePids()).toEqual(pids)
  },
  60_000,
)

test('a version that is not installed is refused', async () => {
  expect(await host.request('POST', '/v1/supervisor/supervisor/upgrade', { body: { version: '../2' } })).toMatchObject({
    status: 404,
    body: { code: 'not-found' },
  })
  expect(await version()).toBe('2')
}, 60_000)
