import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parsePlace } from '../../core/model/capture.ts'
import { Capture } from '../../core/net/capture/capture.ts'
import { pcapngBlocks, readPcapng } from '../../core/net/capture/pcapng.ts'
import { unwrapTunnel } from '../../core/net/capture/tunnel.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { labCapture, labDown } from '../../lab/lab.ts'
import { labUpFull } from '../deploy/lab.ts'
import { createServices } from '../main.ts'
import type { Services } from '../services.ts'

const name = `cap${process.pid}`
const home = mkdtempSync(join(tmpdir(), 'holdfast-capture-'))
let services: Services

const declaration = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1, tunnel: gre}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h2, attach: {kind: netns}}
`

beforeAll(async () => {
  services = await createServices({ home })
  await labUpFull(services, { name, hosts: 2, onStep: () => undefined })
  await services.desktop.network.apply({ declaration, prune: false })
})

afterAll(async () => {
  await services[Symbol.asyncDispose]()
  await labDown({ name })
  rmSync(home, { recursive: true, force: true })
})

const inside = async (where: string, ...argv: string[]): Promise<string> => (await labCapture({ name, host: where, argv })).stdout

interface Asked {
  at: string[]
  filter?: string
  ms?: number
  maxBytes?: number
}

/** Captures; what `meanwhile` does once all stands ends it, if it has not ended before. */
async function capture({ at, filter = '', ms = 60_000, maxBytes }: Asked, meanwhile: () => Promise<unknown>): Promise<Capture> {
  const id = crypto.randomUUID()
  const got = new Capture(filter)
  const places = at.map((text) => parsePlace(text)!)
  let working: Promise<unknown> | undefined
  for await (const event of await services.desktop.capture.start({ id, places, filter, ms, ...(maxBytes !== undefined && { maxBytes }) })) {
    got.take(event)
    if (event.type === 'started') working = meanwhile().finally(() => services.desktop.capture.stop({ id }))
  }
  await working
  return got
}

/** What of captures is on a host: their programs, and the mirror of the bridge. */
async function leftOn(host: string): Promise<string> {
  const script = `pgrep tcpdump; for db in /run/holdfast/ovs/*/db.sock; do ovs-vsctl --db=unix:$db --columns=name --bare list mirror; done`
  return await inside(host, 'sh', '-c', script)
}

it('refuses a filter that is none, and a place that there is not, before anything is tapped', async () => {
  const at = ['port:web-1', 'bridge:h1', 'nic:h2/tenant']
  await expect(capture({ at, filter: 'icmp and' }, () => Promise.reject(new Error('it was tapped')))).rejects.toMatchObject({ code: 'bad-input' })
  await expect(capture({ at: ['port:web-9'] }, () => Promise.reject(new Error('it was tapped')))).rejects.toMatchObject({ code: 'not-found' })
  await expect(services.desktop.capture.check({ filter: 'nonsense' })).rejects.toMatchObject({ code: 'bad-input' })
  expect(await leftOn('h1')).toBe('')
  const [last, asked] = (await services.desktop.inventory.list({ kind: 'audit' })).items
  expect([last, asked]).toMatchObject([
    { action: 'capture', outcome: 'failed', about: ['port/web-1', 'host/h1', 'nic/h2/tenant'] },
    { outcome: 'asked' },
  ])
})

it('sees one packet at port, bridge, tunnel, both NICs and the far port, in that order by one clock', async () => {
  const at = ['port:web-1', 'bridge:h1', 'tunnel:h1/web', 'nic:h1/tenant', 'nic:h2/tenant', 'port:web-2', 'port:db-1', 'tunnel:h2/db']
  const got = await capture({ at, filter: 'icmp' }, async () => {
    await inside('web-1', 'ping', '-c', '4', '-i', '0.2', '10.20.1.12')
    await inside('web-1', 'ping', '-c', '3', '-i', '0.2', '10.20.2.11')
  })
  expect(got.points.map(({ failure }) => failure)).toEqual(at.map(() => null))
  expect(got.lost).toEqual(at.map(() => 0))
  expect(got.ended).toBe('stopped')
  // Questions and answers of both pings as each place has to see them; what is routed travels in the tunnel of the network that it is for.
  expect(got.captured).toEqual([14, 14, 11, 14, 14, 8, 6, 3])

  const { packets } = got.file()
  const uncertaintyUs = (host: string): number => Math.max(...got.clocks.get(host)!.map((clock) => clock.uncertaintyUs))
  for (const seq of [1, 2, 3, 4]) {
    const path = packets.flatMap(({ point, atUs, frame }) => {
      const packet = parseFrame(unwrapTunnel(frame)?.frame ?? frame)
      const icmp = packet?.transport?.kind === 'icmp' && packet.ip?.dst === '10.20.1.12' ? packet.transport : null
      return icmp?.type === 8 && (icmp.rest & 0xffff) === seq ? [{ at: at[point]!, host: got.points[point]!.host, atUs }] : []
    })
    const of = (place: string) => path.find((seen) => seen.at === place)!
    expect(path.map((seen) => seen.at).sort()).toEqual(['bridge:h1', 'nic:h1/tenant', 'nic:h2/tenant', 'port:web-1', 'port:web-2', 'tunnel:h1/web'])
    // On one host there is one clock; between hosts the order is as sure as the clocks are.
    expect(of('nic:h1/tenant').atUs).toBeGreaterThanOrEqual(of('port:web-1').atUs)
    expect(of('port:web-2').atUs).toBeGreaterThanOrEqual(of('nic:h2/tenant').atUs)
    expect(of('nic:h2/tenant').atUs - of('nic:h1/tenant').atUs).toBeGreaterThanOrEqual(-uncertaintyUs('h1') - uncertaintyUs('h2'))
  }
  // The hosts of a lab have one clock: what was estimated of it may be off by what was said, and no more.
  const offset = (host: string): number => got.clocks.get(host)![0]!.offsetUs
  expect(Math.abs(offset('h1') - offset('h2'))).toBeLessThanOrEqual(uncertaintyUs('h1') + uncertaintyUs('h2') + 1000)

  const bytes = Buffer.concat(pcapngBlocks(got.file()))
  const read = readPcapng(bytes)
  expect(read.packets).toHaveLength(84)
  expect(read.interfaces.map((one) => [one.name, one.lost])).toEqual(at.map((place) => [place, 0]))
  expect(read.interfaces[3]!.comment).toMatch(
    /^Host h1, device tenant: what passes this NIC.* Its clock was \d+ µs (ahead of|behind) the laptop's, known to ± \d+ µs/,
  )
  if (spawnSync('tshark', ['--version']).status === 0) {
    const file = join(home, 'all.pcapng')
    writeFileSync(file, bytes)
    const { stdout } = spawnSync('tshark', ['-r', file, '-Y', 'icmp.type == 8', '-T', 'fields', '-e', 'frame.interface_name'], { encoding: 'utf8' })
    expect(stdout.trim().split('\n')).toHaveLength(42)
  }
  for (const host of ['h1', 'h2']) expect(await leftOn(host)).toBe('')
})

it('ends by itself when it is full and when its time is over', async () => {
  const full = await capture({ at: ['port:web-1', 'port:web-2'], maxBytes: 20_000 }, () =>
    inside('web-1', 'ping', '-q', '-c', '100', '-i', '0.005', '-s', '1000', '10.20.1.12'),
  )
  expect(full.ended).toBe('size')
  expect(full.bytes).toBeGreaterThanOrEqual(20_000)
  expect(full.bytes).toBeLessThan(22_000)
  const over = await capture({ at: ['bridge:h2', 'nic:h1/nowhere'], ms: 1000 }, () => inside('web-1', 'ping', '-q', '-w', '3', '10.20.1.12'))
  expect(over.ended).toBe('time')
  expect(over.captured[0]).toBeGreaterThan(0)
  expect(over.points.map(({ failure }) => failure)).toEqual([null, expect.stringMatching(/^h1 has no NIC nowhere/)])
  expect(over.lost).toEqual([0, null])
})

it('counts every packet that it loses', async () => {
  let sent = ''
  const got = await capture({ at: ['port:web-1'], filter: 'icmp' }, async () => {
    // A tap that cannot keep up: what the kernel has no room for meanwhile is lost.
    await inside('h1', 'pkill', '-STOP', 'tcpdump')
    sent = await inside('web-1', 'ping', '-q', '-f', '-c', '1500', '10.20.1.12')
    await inside('h1', 'pkill', '-CONT', 'tcpdump')
  })
  const [, transmitted, received] = /(\d+) packets transmitted, (\d+) received/.exec(sent)!
  expect(got.lost[0]).toBeGreaterThan(0)
  expect(got.captured[0]).toBeGreaterThan(0)
  expect(got.captured[0]! + got.lost[0]!).toBe(Number(transmitted) + Number(received))
})

it('says so when a host falls silent, and leaves nothing on hosts, not even of a module that was killed', async () => {
  const got = await capture({ at: ['bridge:h1', 'port:web-1', 'port:web-2'], filter: 'icmp' }, async () => {
    await inside('h1', 'sh', '-c', 'kill -9 $(pgrep -f network.mjs)')
    await inside('web-2', 'ping', '-q', '-c', '3', '-i', '0.2', '10.20.1.12')
  })
  const cut = 'The connection to h1 has ended'
  expect(got.points.map(({ failure }) => failure)).toEqual([cut, cut, null])
  expect(got.lost).toEqual([null, null, 0])
  for (const host of ['h1', 'h2']) await expect.poll(() => leftOn(host), { timeout: 60_000 }).toBe('')
})
