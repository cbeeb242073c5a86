import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BroadcastMode } from '../../core/model/network.ts'
import { addPhysical, addPlain, labCapture, labDown, labFault } from '../../lab/lab.ts'
import { signalKeepalived, startKeepalived } from '../../lab/keepalived.ts'
import { labUpFull } from '../deploy/lab.ts'
import { createServices } from '../main.ts'
import type { Services } from '../services.ts'
import { describeBroadcastTraces, expectTraceByOtherNode } from './fixtures/broadcast-trace-tests.ts'
import type { NetworkOnLab } from './fixtures/network-on-lab.ts'
import { describePlatformVips } from './fixtures/platform-vip-tests.ts'

const name = `cast${process.pid}`
const home = mkdtempSync(join(tmpdir(), 'holdfast-broadcast-'))
let services: Services

const serverMac = '02:00:00:00:31:01'
const farMac = '02:00:00:00:41:01'
const shop = `
hosts:
  - {name: h1, roles: [broadcast, gateway]}
  - {name: h2, roles: [broadcast, gateway]}
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, host: h3, attach: {kind: netns}}
  - {name: web-4, network: web, ip: 10.20.1.14, host: h3, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h3, attach: {kind: netns}}
  - {name: phys-1, network: web, ip: 10.20.1.31, mac: "${serverMac}", host: h1, attach: {kind: vlan, nic: tenant, vlan: 100}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2, phys-1]}
`

beforeAll(async () => {
  services = await createServices({ home })
  await labUpFull(services, { name, hosts: 3, onStep: () => undefined })
  await addPhysical({ name, machine: 'phys-1', switchName: 'tor2', vlan: 100, address: '10.20.1.31/24', mac: serverMac })
  await services.desktop.network.apply({ declaration: shop, prune: false })
  await inside('phys-1', 'ip', 'route', 'add', 'default', 'via', '10.20.1.1')
})

afterAll(async () => {
  await services[Symbol.asyncDispose]()
  await labDown({ name })
  rmSync(home, { recursive: true, force: true })
})

const inside = (where: string, ...argv: string[]) => labCapture({ name, host: where, argv })
const lab: NetworkOnLab = {
  inside,
  get services() {
    return services
  },
}
const reaches = async (from: string, to: string): Promise<boolean> => (await inside(from, 'ping', '-c', '1', '-W', '1', to)).code === 0
const setMode = (mode: BroadcastMode) =>
  services.desktop.network.apply({ declaration: shop.replace('{name: web,', `{name: web, broadcast: ${mode},`), prune: false })
const vip = async () => (await services.desktop.broadcast.vips({})).vips.find((one) => one.name === 'web-vip')!
const ownedBy = (port: string) => expect.poll(async () => (await vip()).owner?.port, { timeout: 30_000 }).toBe(port)

/** The flow by which a host routes to the VIP. */
async function nextHopAt(host: string): Promise<string> {
  const { number } = (JSON.parse((await inside(host, 'cat', '/run/holdfast/ovs/status.json')).stdout) as { active: { number: number } }).active
  const bridge = `unix:/run/holdfast/ovs/${number}/br-int.mgmt`
  return (await inside(host, 'ovs-ofctl', '-O', 'OpenFlow15', 'dump-flows', bridge, 'table=8,ip,reg4=0xa140164')).stdout
}

/** Counts numbered broadcasts: prints how many came and how many came twice. Ends when none has come for two seconds. */
const receiver = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(('', 7000))
s.settimeout(30)
seen, twice = set(), 0
try:
    while True:
        number = s.recv(64)
        s.settimeout(2)
        twice += number in seen
        seen.add(number)
except TimeoutError:
    print(len(seen), twice)
`
const sender = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for number in range(int(sys.argv[1])):
    s.sendto(str(number).encode(), ('10.20.1.255', 7000))
    time.sleep(0.005)
`

/** Has a place send so many broadcasts, and `meanwhile` happen; answers what each of the others got, as "CAME TWICE". */
async function broadcast(from: string, to: readonly string[], count: number, meanwhile: () => Promise<unknown> = () => Promise.resolve()) {
  const counted = to.map((place) => inside(place, 'python3', '-c', receiver))
  await expect
    .poll(async () => (await Promise.all(to.map((place) => inside(place, 'ss', '-Hlun', 'sport = :7000')))).every(({ stdout }) => stdout !== ''), {
      timeout: 30_000,
    })
    .toBe(true)
  await Promise.all([inside(from, 'python3', '-c', sender, String(count)), meanwhile()])
  return Object.fromEntries(await Promise.all(counted.map(async (one, index) => [to[index]!, (await one).stdout.trim()] as const)))
}

const all = ['web-1', 'web-2', 'web-3', 'web-4', 'phys-1'] as const
const others = (from: string) => all.filter((place) => place !== from)
const eachOnce = (from: string, count: number) => Object.fromEntries(others(from).map((place) => [place, `${count} 0`]))

describe('broadcast in a network', () => {
  it('reaches every guest and server exactly once, by the cluster', async () => {
    await expect.poll(() => reaches('phys-1', '10.20.1.13'), { timeout: 30_000 }).toBe(true)
    for (const from of ['web-3', 'phys-1']) expect(await broadcast(from, others(from), 200)).toEqual(eachOnce(from, 200))
  })

  it('loses and doubles nothing while the way of it is switched', async () => {
    const switching = async () => {
      for (const mode of ['source', 'cluster', 'source', 'cluster+garp'] as const) await setMode(mode)
    }
    expect(await broadcast('web-4', ['web-1', 'web-2', 'web-3'], 1000, switching)).toEqual({
      'web-1': '1000 0',
      'web-2': '1000 0',
      'web-3': '1000 0',
    })
  })

  it('goes on while the agents of both nodes are dead', async () => {
    const kill = async () => {
      for (const host of ['h1', 'h2']) await inside(host, 'pkill', '-9', '-f', 'network.mjs')
    }
    expect(await broadcast('web-3', ['web-1', 'web-2', 'web-4'], 600, kill)).toEqual({ 'web-1': '600 0', 'web-2': '600 0', 'web-4': '600 0' })
  })

  it('takes in a host with a plain VXLAN device that knows the cluster’s address alone', async () => {
    const { address } = await addPlain({ name, machine: 'legacy-1', switchName: 'tor1' })
    const ip = address!.split('/')[0]!
    const link = JSON.parse((await inside('legacy-1', 'ip', '-json', 'link', 'show', 'tenant')).stdout) as { address: string }[]
    await services.desktop.network.apply({
      declaration: `
hosts: [{name: legacy-1, tunnelEnd: {ip: ${ip}, mac: "${link[0]!.address}"}}]
ports: [{name: far, network: web, ip: 10.20.1.41, mac: "${farMac}", host: legacy-1, attach: {kind: remote}}]`,
      prune: false,
    })
    const { clusterAddress } = await services.desktop.broadcast.status({})
    const { vni } = (await services.desktop.broadcast.status({})).networks.find((one) => one.name === 'web')!
    for (const argv of [
      ['route', 'add', '169.254.0.0/16', 'dev', 'tenant'],
      [
        'link',
        'add',
        'vx',
        'address',
        farMac,
        'mtu',
        '1450',
        'type',
        'vxlan',
        'id',
        String(vni),
        'dstport',
        '4789',
        'noudpcsum',
        'remote',
        clusterAddress!.ip,
      ],
      ['address', 'add', '10.20.1.41/24', 'dev', 'vx'],
      ['link', 'set', 'vx', 'up'],
    ])
      expect((await inside('legacy-1', 'ip', ...argv)).stderr).toBe('')
    await inside('legacy-1', 'ethtool', '-K', 'vx', 'tx', 'off')
    await expect.poll(() => reaches('legacy-1', '10.20.1.13'), { timeout: 30_000 }).toBe(true)
    expect(await broadcast('legacy-1', ['web-1', 'web-3'], 100)).toEqual({ 'web-1': '100 0', 'web-3': '100 0' })
    expect(await broadcast('web-3', ['legacy-1', 'web-1'], 100)).toEqual({ 'legacy-1': '100 0', 'web-1': '100 0' })
  })
})

describe('a floating address', () => {
  it('follows keepalived between guests and a server, on layer 2 and across the router', async () => {
    const router = { id: 51, advertIntervalMs: 1000, address: '10.20.1.100/24', garpMasterDelaySeconds: 1 }
    const first = await startKeepalived({ name, host: 'web-1' }, { ...router, priority: 150 })
    await ownedBy('web-1')
    await startKeepalived({ name, host: 'web-2' }, { ...router, priority: 100 })
    const third = await startKeepalived({ name, host: 'phys-1' }, { ...router, priority: 120 })
    const reached = async () => {
      for (const client of ['web-3', 'db-1']) await expect.poll(() => reaches(client, '10.20.1.100'), { timeout: 30_000 }).toBe(true)
    }
    await reached()
    await inside('web-1', 'ip', 'link', 'set', 'eth0', 'down')
    await signalKeepalived(first, 'KILL')
    await ownedBy('phys-1')
    await reached()
    await inside('phys-1', 'ip', 'address', 'del', '10.20.1.100/24', 'dev', 'eth0')
    await signalKeepalived(third, 'KILL')
    await ownedBy('web-2')
    await reached()
    const { owner, history } = await vip()
    expect(owner!.host).toBe('h2')
    // On a starved machine keepalived may have changed its mind in between.
    const drifts = history.map(({ from, to }) => `${from} ${to}`)
    expect(drifts[0]).toBe('null web-1')
    expect(drifts.some((drift) => drift.endsWith(' phys-1'))).toBe(true)
    expect(drifts.at(-1)).toMatch(/ web-2$/)
    for (const { outageMs } of history.slice(1)) expect(outageMs).toBeGreaterThanOrEqual(0)
  })

  it('is followed on layer 3 while the agent of a node hangs, by what others receive', async () => {
    const { networks } = await services.desktop.broadcast.status({})
    const node = networks.find((one) => one.name === 'web')!.node!
    await labFault({ name, host: node, fault: 'hang-agent' })
    try {
      const from = (await vip()).owner!.port
      const to = from === 'web-1' ? 'web-2' : 'web-1'
      await inside(to, 'ip', 'link', 'set', 'eth0', 'up')
      await inside(to, 'ip', 'address', 'add', '10.20.1.100/32', 'dev', 'eth0')
      await inside(to, 'arping', '-U', '-c', '3', '-I', 'eth0', '10.20.1.100')
      const { mac } = (await services.desktop.network.get({})).network.ports.find((port) => port.name === to)!
      await expect.poll(() => nextHopAt('h3'), { timeout: 30_000 }).toContain(mac)
    } finally {
      await labFault({ name, host: node, fault: 'resume' })
    }
  })

  it('is not had by who may not have it, which is counted and told', async () => {
    await inside('web-3', 'ip', 'address', 'add', '10.20.1.100/32', 'dev', 'eth0')
    await inside('web-3', 'arping', '-U', '-c', '3', '-I', 'eth0', '10.20.1.100')
    await expect.poll(async () => (await vip()).refused, { timeout: 30_000 }).toEqual([expect.objectContaining({ port: 'web-3', count: 3 })])
    expect((await vip()).owner?.port).not.toBe('web-3')
    await inside('web-3', 'ip', 'address', 'del', '10.20.1.100/32', 'dev', 'eth0')
  })
})

describe('a light guest', () => {
  it('that has died is made anew, with its cable', async () => {
    const { pid } = JSON.parse((await inside('h2', 'cat', '/run/holdfast/guest-web-2.pid')).stdout) as { pid: number }
    await inside('h2', 'kill', '-9', String(pid))
    await expect.poll(() => reaches('web-3', '10.20.1.12'), { timeout: 30_000 }).toBe(true)
  })
})

describePlatformVips(lab)
describeBroadcastTraces(lab)

describe('a host that is node and gateway loses its power', () => {
  it('and a live trace goes by the other node at once', async () => {
    await expectTraceByOtherNode(lab, 'h1', () => labFault({ name, host: 'h1', fault: 'power-off' }))
  })

  it('and another gateway takes over: a server is reached again', async () => {
    await expect.poll(() => reaches('web-3', '10.20.1.31'), { timeout: 30_000 }).toBe(true)
    await expect.poll(() => reaches('phys-1', '10.20.1.12'), { timeout: 30_000 }).toBe(true)
    expect(await broadcast('web-3', ['web-2', 'web-4', 'phys-1'], 200)).toEqual({ 'web-2': '200 0', 'web-4': '200 0', 'phys-1': '200 0' })
  })
})
