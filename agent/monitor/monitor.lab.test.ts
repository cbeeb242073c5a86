import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { monitorContract } from '../../core/contract/agent/monitor.ts'
import type { EntityDocs, EntityKind, Sample } from '../../core/model/index.ts'
import { Replica } from '../../core/sync/replica.ts'
import { labCapture, labDown, labExec, labFault, labUp, type LabDescription } from '../../lab/lab.ts'
import { readState } from '../../lab/state.ts'
import { packAgent } from '../../scripts/pack-agent.ts'

const name = `m${process.pid}`
let lab: LabDescription
let version: string
/** The root directory of h1 as the machine sees it: its sockets can be opened there. */
let root: string

const inside = (...argv: string[]) => labCapture({ name, host: 'h1', argv })

beforeAll(async () => {
  const packed = await packAgent()
  version = packed.version
  lab = await labUp({ name, hosts: 1 })
  root = `/proc/${(await readState(name))!.hosts['h1']!.init!.pid}/root`
  await inside('mkdir', '-p', '/opt/holdfast/versions', '/etc/holdfast')
  const unpack = spawnInside(['tar', 'xz', '-C', '/opt/holdfast/versions'])
  createReadStream(packed.path).pipe(unpack.stdin)
  expect(await unpack.ended).toBe(0)
  const { addresses, nics } = lab.hosts[0]!
  const config = JSON.stringify({ cluster: name, host: 'h1', addresses, nics })
  expect((await labCapture({ name, host: 'h1', argv: ['tee', '/etc/holdfast/agent.json'], input: config })).code).toBe(0)
})

afterAll(() => labDown({ name }))

/** `nsenter` into the host with a pipe on stdin. */
function spawnInside(argv: string[]) {
  const entering = [`--target=${root.split('/')[2]}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--', ...argv]
  const child = spawn('nsenter', entering, { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
  return { stdin: child.stdin, ended }
}

/** One running module in h1, as the supervisor would start it. */
class Module implements AsyncDisposable {
  readonly #socket: string
  readonly #ended: Promise<number>
  #webSocket: WebSocket | undefined
  readonly replica = new Replica()
  client!: ContractRouterClient<typeof monitorContract>

  constructor(instance: string, ...args: string[]) {
    this.#socket = `/run/holdfast/monitor.${instance}.sock`
    const directory = `/opt/holdfast/versions/${version}`
    const script = `mkdir -p /run/holdfast; rm -f "$1.pid"; echo $$ > "$1.pid"; shift; exec "$@"`
    const argv = ['sh', '-c', script, 'sh', this.#socket, `${directory}/bin/node`, `${directory}/monitor.mjs`, '--socket', this.#socket, ...args]
    this.#ended = labExec({ name, host: 'h1', argv, stdio: ['ignore', 'ignore', 'ignore'] })
  }

  /** Resolves when the module is well and its documents flow into `replica`. */
  async ready(): Promise<this> {
    await eventually(async () => expect(await this.internal('GET', 'health')).toMatchObject({ healthy: true }))
    this.#webSocket = new WebSocket(`ws+unix:${root}${this.#socket}:/v1/monitor/rpc`, {
      headers: { 'x-holdfast-identity': 'test', 'x-holdfast-role': 'viewer' },
    })
    this.client = createORPCClient(new RPCLink({ websocket: this.#webSocket as unknown as globalThis.WebSocket }))
    const frames = await this.client.sync.watch({})
    void (async () => {
      for await (const frame of frames) this.replica.apply(frame)
    })().catch(() => undefined)
    await eventually(() => expect(this.replica.items.size).toBeGreaterThan(0))
    return this
  }

  docs<K extends EntityKind>(kind: K): EntityDocs[K][] {
    return [...this.replica.items.values()].filter((item) => item.kind === kind).map((item) => item.doc as EntityDocs[K])
  }

  nic(nic: string) {
    return this.docs('nic').find((doc) => doc.name === nic)
  }

  neighbour(nic: string) {
    return this.docs('neighbour').find((doc) => doc.nic === nic)
  }

  async internal(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    return JSON.parse(await this.http(method, `/internal/${path}`, body))
  }

  http(method: 'GET' | 'POST', path: string, body?: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'x-holdfast-identity': 'test', 'x-holdfast-role': 'viewer' }
      const call = request({ socketPath: `${root}${this.#socket}`, method, path, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk)).on('end', () => resolve(text))
      })
      call.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  async kill(signal: 'TERM' | 'KILL'): Promise<void> {
    this.#webSocket?.terminate()
    await inside('sh', '-c', `kill -${signal} "$(cat ${this.#socket}.pid)"`)
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('KILL')
  }
}

/** Asks until it holds; fails with its last failure when it never does. How fast things are seen is measured by the benchmark fault-to-cell. */
async function eventually(hold: () => unknown): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  for (;;) {
    try {
      await hold()
      return
    } catch (failure) {
      if (performance.now() > deadlineMs) throw failure
    }
    await sleep(20)
  }
}

describe('the module in a host', () => {
  let module: Module
  beforeEach(async () => {
    await inside('rm', '-rf', '/var/lib/holdfast', '/run/holdfast')
    module = await new Module('1').ready()
    await eventually(() => expect(module.docs('neighbour').filter((doc) => doc.lostAtMs === undefined)).toHaveLength(3))
  })
  afterEach(async () => {
    await module[Symbol.asyncDispose]()
    for (const plane of ['storage', 'tenant'] as const) await labFault({ name, host: 'h1', fault: 'link-up', plane })
  })

  it('says what the host is made of, and names its switches by LLDP with the ports', async () => {
    const { addresses } = lab.hosts[0]!
    for (const plane of ['mgmt', 'storage', 'tenant'] as const) {
      expect(module.nic(plane)).toMatchObject({
        host: 'h1',
        plane,
        state: 'up',
        addresses: expect.arrayContaining([`${addresses[plane]}/24`]) as string[],
      })
    }
    expect(module.nic('mgmt')?.mtuBytes).toBe(1500)
    expect(module.nic('lo')).toBeUndefined()
    expect(
      module
        .docs('neighbour')
        .map(({ nic, systemName, portId }) => `${nic} ${systemName} ${portId}`)
        .sort(),
    ).toEqual(['mgmt tor1 swp1', 'storage tor2 swp1', 'tenant tor1 swp8'])
    expect(module.docs('disk').map(({ name: disk, sizeBytes, health }) => [disk, sizeBytes, health])).toEqual([
      ['vdb', 10 * 2 ** 30, 'unknown'],
      ['vdc', 10 * 2 ** 30, 'unknown'],
    ])
    await eventually(() => expect(module.docs('facts')).toHaveLength(1))
    const [facts] = module.docs('facts')
    expect(facts).toMatchObject({ host: 'h1', os: { name: 'Debian GNU/Linux' } })
    expect(Object.keys(facts!.packages)).toEqual(expect.arrayContaining(['etcd-server', 'iproute2', 'lldpd', 'smartmontools']))
    // A lab host boots when its process 1 starts, not with the machine.
    expect(Math.abs(Date.now() - facts!.bootedAtMs)).toBeLessThan(15 * 60_000)
  })

  it('sees a link go down, remembers what was at its end, and sees both come back', async () => {
    await labFault({ name, host: 'h1', fault: 'link-down', plane: 'storage' })
    await eventually(() => {
      expect(module.nic('storage')?.state).toBe('down')
      expect(module.neighbour('storage')).toMatchObject({ systemName: 'tor2', portId: 'swp1', lostAtMs: expect.any(Number) as number })
      expect(module.docs('event')).toMatchObject([{ type: 'nic-down', about: ['nic/h1/storage', 'host/h1'] }])
    })
    expect(module.nic('mgmt')?.state).toBe('up')

    // What was at the end of a cut cable outlives the module.
    await module.kill('TERM')
    module = await new Module('1').ready()
    expect(module.neighbour('storage')).toMatchObject({ systemName: 'tor2', portId: 'swp1', lostAtMs: expect.any(Number) as number })
    expect(module.docs('event').map((event) => event.type)).toEqual(['nic-down'])

    await labFault({ name, host: 'h1', fault: 'link-up', plane: 'storage' })
    await eventually(() => expect(module.nic('storage')?.state).toBe('up'))
    await eventually(() => expect(module.neighbour('storage')?.lostAtMs).toBeUndefined())
    expect(module.docs('event').map((event) => event.type)).toEqual(['nic-down', 'nic-up'])
  })

  it('samples each second what really happens, and shows counters to Prometheus', async () => {
    // Port 9 discards (RFC 863).
    const socket = createSocket('udp4')
    const flood = setInterval(() => socket.send(Buffer.alloc(1400), 9, lab.hosts[0]!.addresses.mgmt), 10)
    const samples: Sample[] = []
    for await (const batch of await module.client.samples({ sinceMs: Date.now() })) {
      samples.push(...batch.samples)
      if (samples.length >= 4) break
    }
    clearInterval(flood)
    socket.close()
    const periodsMs = samples.slice(1).map((sample, index) => sample.atMs - samples[index]!.atMs)
    expect(Math.abs(periodsMs.sort((a, b) => a - b)[periodsMs.length >> 1]! - 1000)).toBeLessThan(500)
    // 100 packets of 1,442 bytes a second, give or take a busy machine.
    const busiest = Math.max(...samples.map((sample) => sample.nics.mgmt!.rxBytesPerS))
    expect(busiest).toBeGreaterThan(40_000)
    expect(busiest).toBeLessThan(300_000)
    expect(Object.keys(samples[0]!.disks)).toEqual(['vdb', 'vdc'])

    const text = await module.http('GET', '/v1/monitor/metrics')
    expect(text).toContain('holdfast_nic_up{nic="storage",plane="storage"} 1\n')
    expect(text).toContain('holdfast_lldp_neighbour_up{nic="storage",system="tor2",port="swp1"} 1\n')
    expect(Number(/^holdfast_nic_received_bytes_total\{nic="mgmt"\} (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(40_000)
  })

  it('hands its samples to its next version: none twice, none missing, no event told again', async () => {
    await labFault({ name, host: 'h1', fault: 'link-down', plane: 'tenant' })
    await eventually(() => expect(module.docs('event').map((event) => event.type)).toEqual(['nic-down']))
    await using next = await new Module('2', '--standby').ready()
    expect(next.docs('event')).toEqual([])
    const first = (await (await module.client.samples({})).next()).value as { samples: Sample[] }
    await module.internal('POST', 'release', {})
    await next.internal('POST', 'activate', {})
    const taken = (await (await next.client.samples({})).next()).value as { samples: Sample[] }
    const times = taken.samples.map((sample) => sample.atMs)
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    expect(times).toEqual(expect.arrayContaining(first.samples.map((sample) => sample.atMs)))
    await eventually(() => expect(next.docs('event').map((event) => event.type)).toEqual(['nic-down']))
    await labFault({ name, host: 'h1', fault: 'link-up', plane: 'tenant' })
    await eventually(() => expect(next.docs('event').map((event) => event.type)).toEqual(['nic-down', 'nic-up']))
    expect(module.docs('event').map((event) => event.type)).toEqual(['nic-down'])
  })

  it('leaves no watcher behind when it is killed, and starts its own again when they are', async () => {
    const watchers = async () =>
      (await inside('pgrep', '-f', '^(/[a-z/]*)?(ip -o monitor|lldpcli -f json0 watch)')).stdout.trim().split('\n').filter(Boolean)
    await eventually(async () => expect(await watchers()).toHaveLength(2))
    const before = await watchers()
    await inside('kill', '-9', ...before)
    await eventually(async () => expect((await watchers()).filter((pid) => !before.includes(pid))).toHaveLength(2))
    await eventually(() => expect(module.docs('neighbour').filter((doc) => doc.lostAtMs === undefined)).toHaveLength(3))
    await module.kill('KILL')
    await eventually(async () => expect(await watchers()).toEqual([]))
    module = await new Module('1').ready()
  })
})
