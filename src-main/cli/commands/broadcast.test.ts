import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { broadcastMembersSchema, broadcastStatusSchema, vipDocSchema, vipListSchema } from '../../../core/contract/desktop/broadcast.ts'
import type { Put } from '../../../core/sync/object-log.ts'
import { TestCluster } from '../../agents/test-agent.ts'
import { clusterObject, hostObject } from '../../inventory/test-objects.ts'
import { createServices } from '../../main.ts'

// Each test starts programs of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** The command line on what an agent said once, before it went away. */
const home = mkdtempSync(join(tmpdir(), 'holdfast-broadcast-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

const end = { ip: '10.77.3.11', mac: '52:54:00:00:00:11' }
const put = (kind: string, id: string, doc: object): Put => ({ kind, id, atMs: 1, doc }) as Put
const sinceMs = Date.UTC(2026, 0, 1)
const reported: Put[] = [
  put('overlay', 'overlay', { revision: 9, last: { vni: 7, router: 0, port: 300, broadcastEpoch: 1 } }),
  put('network', 'web', { name: 'web', vpc: 'shop', vni: 7, subnet: '10.20.1.0/24', tunnel: 'vxlan', broadcast: 'cluster', mtuBytes: 1450 }),
  put('port', 'web-1', {
    ...{ name: 'web-1', network: 'web', mac: '0e:00:00:00:00:01', ip: '10.20.1.11', allow: [], host: 'h1', attach: { kind: 'netns' }, number: 300 },
  }),
  put('forwarding', 'h1', {
    ...{ host: 'h1', revision: 9, state: 'up', problems: [], datapath: 'kernel', tunnelEnd: end, underlayMtuBytes: 1500, flows: 1, ports: 1 },
    ...{ portsDown: [], repairs: 0, switchRestarts: 0, changedAtMs: 1 },
  }),
  put('broadcastNode', 'h1', {
    ...{ host: 'h1', way: 'packet', problems: ['its kernel has no tcx'], replicator: end, clusterEnd: end, holdsClusterAddress: true },
    networks: [
      {
        ...{ network: 'web', vni: 7, members: [{ host: 'h1', ip: end.ip }], frames: 10, copies: 20, bytes: 2000, failed: 0, dropped: { storm: 4 } },
        copiesPerSecond: 3,
      },
    ],
    ...{ membershipWrites: 2, answeredArp: 1, answeredBfd: 2, droppedInAll: { loop: 5 }, announcements: [], changedAtMs: 1 },
  }),
  put('broadcastHost', 'h1', {
    host: 'h1',
    watches: [
      { host: 'h1', as: 'node', up: true, flaps: 0 },
      { host: 'h1', as: 'gateway', up: true, flaps: 2 },
    ],
    flowsChanged: 5,
  }),
  put('vip', 'web-vip', { name: 'web-vip', network: 'web', ip: '10.20.1.100', ports: ['web-1', 'web-2'] }),
  put('vip', 'new-vip', { name: 'new-vip', network: 'web', ip: '10.20.1.101', ports: ['web-1'] }),
  put('vipState', 'web-vip', {
    ...{ name: 'web-vip', claimants: [], damped: false, refused: [{ port: 'web-9', atMs: sinceMs, count: 3 }] },
    owner: { port: 'web-1', host: 'h1', mac: '00:00:5e:00:01:33', epoch: 12, sinceMs },
    history: [{ from: 'web-2', to: 'web-1', atMs: sinceMs, outageMs: 480 }],
  }),
]

beforeAll(async () => {
  const cluster = await TestCluster.create('cluster-1')
  await using agent = await cluster.agent('h1')
  for (const object of [clusterObject(), hostObject('h1', '127.0.0.1')]) agent.logs.get('cluster')!.put(object as Put)
  for (const object of reported) agent.logs.get('network')!.put(object)
  await using services = await createServices({ home })
  const { keyPem, ...known } = await cluster.credentials()
  await services.contexts.save({ ...known, name: 'lab', clusterName: 'lab', endpoints: [agent.endpoint] }, keyPem, 'file')
  services.contexts.use('lab')
  const { ageMs } = await services.desktop.broadcast.status({})
  expect(ageMs).toBeLessThan(60_000)
})

function holdfast(...argv: string[]) {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), ...argv], {
    encoding: 'utf8',
    env: { ...process.env, HOLDFAST_HOME: home },
  })
  return { status: run.status, text: run.stdout, said: run.stderr, json: () => JSON.parse(run.stdout) as unknown }
}

describe('vip', () => {
  test('show says who has it, in the form that programs rely on', () => {
    const { json } = holdfast('vip', 'show', 'web-vip', '--offline', '--json')
    const vip = vipDocSchema.parse(json())
    expect(vip).toMatchObject({
      ...{ name: 'web-vip', network: 'web', ip: '10.20.1.100', allowed: ['web-1', 'web-2'] },
      owner: { port: 'web-1', host: 'h1', epoch: 12, since: '2026-01-01T00:00:00.000Z' },
      refused: [{ port: 'web-9', at: '2026-01-01T00:00:00.000Z', count: 3 }],
      history: [{ from: 'web-2', to: 'web-1', at: '2026-01-01T00:00:00.000Z', outageMs: 480 }],
    })
    const { text } = holdfast('vip', 'show', 'web-vip', '--offline')
    for (const part of ['At web-1 on h1', 'epoch 12', 'web-9 claimed it 3 times', '480 ms', ' old']) expect(text).toContain(part)
  })

  test('list has all of them, also one that nobody has', () => {
    const { json } = holdfast('vip', 'list', '--offline', '--json')
    expect(vipListSchema.parse(json()).map(({ name, owner }) => [name, owner?.port])).toEqual([
      ['new-vip', undefined],
      ['web-vip', 'web-1'],
    ])
  })

  test('history of one that is not there is refused with what to do', () => {
    const { status, json, said } = holdfast('vip', 'history', 'gone', '--offline', '--json')
    expect(status).toBe(1)
    expect(json()).toMatchObject({ code: 'not-found' })
    expect(said).toContain('holdfast vip list')
  })
})

describe('broadcast', () => {
  test('status shows nodes and networks, and how old that is', () => {
    const { json } = holdfast('broadcast', 'status', '--offline', '--json')
    expect(broadcastStatusSchema.parse(json())).toMatchObject({
      // Nobody was heard by this run: what the node did is known, not what it does.
      nodes: [{ host: 'h1', state: 'unknown', way: 'packet', problems: ['its kernel has no tcx'], dropped: { loop: 5 } }],
      epoch: 1,
      hosts: [
        {
          host: 'h1',
          watches: [
            { state: 'unknown', flaps: 0 },
            { as: 'gateway', flaps: 2 },
          ],
          flowsChanged: 5,
        },
      ],
      networks: [{ name: 'web', mode: 'cluster', node: 'h1', frames: 10, copies: 20, dropped: { storm: 4 }, copiesPerSecond: 0 }],
    })
    const { text } = holdfast('broadcast', 'status', '--offline')
    for (const part of ['by the agent, slower', 'h1: its kernel has no tcx', 'storm 4', ' old', 'epoch 1', 'SEES h1 AS GATEWAY', 'unknown, 2 flaps'])
      expect(text).toContain(part)
  })

  test('members are those of one network', () => {
    const { json } = holdfast('broadcast', 'members', 'web', '--offline', '--json')
    expect(broadcastMembersSchema.parse(json())).toEqual({
      ...{ name: 'web', vni: 7, mode: 'cluster', node: 'h1' },
      members: [{ host: 'h1', ip: '10.77.3.11', ports: 1, nodes: ['h1'] }],
    })
    expect(holdfast('broadcast', 'members', 'gone', '--offline').status).toBe(1)
  })

  test('set refuses a mode that is none, and a network that is none', () => {
    const mode = holdfast('broadcast', 'set', 'web', 'loud')
    expect(mode.status).toBe(2)
    expect(mode.said).toContain('source, cluster, cluster+garp')
    const network = holdfast('broadcast', 'set', 'gone', 'source')
    expect(network.status).toBe(1)
    expect(network.said).toContain('There is no network gone')
  })
})
