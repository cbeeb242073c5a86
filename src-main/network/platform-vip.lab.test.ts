import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { labCapture, labDown } from '../../lab/lab.ts'
import { labUpFull } from '../deploy/lab.ts'
import { createServices } from '../main.ts'
import type { Services } from '../services.ts'

const name = `platvip${process.pid}`
const home = mkdtempSync(join(tmpdir(), 'holdfast-platform-vip-'))
let services: Services
let leader: string

const declaration = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: "fd00:1::/64", gateway6: "fd00:1::1"}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1, subnet6: "fd00:2::/64", gateway6: "fd00:2::1"}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
vips:
  - {name: db-vip, network: db, ip: 10.20.2.100, ports: [db-1, db-2], healthCheck: {tcp: 3306}}
  - {name: db-vip6, network: db, ip: "fd00:2::100", ports: [db-1, db-2], healthCheck: {tcp: 3306}}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, ip6: "fd00:1::11", host: h1, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, ip6: "fd00:2::11", host: h1, attach: {kind: netns}}
  - {name: db-2, network: db, ip: 10.20.2.12, ip6: "fd00:2::12", host: h2, attach: {kind: netns}}
  - {name: db-3, network: db, ip: 10.20.2.13, ip6: "fd00:2::13", host: h2, attach: {kind: netns}}
`

beforeAll(async () => {
  services = await createServices({ home })
  const status = await labUpFull(services, { name, hosts: 2, onStep: () => undefined })
  leader = status.cluster.leader!
  await services.desktop.network.apply({ declaration, prune: false })
})

afterAll(async () => {
  await services[Symbol.asyncDispose]()
  await labDown({ name })
  rmSync(home, { recursive: true, force: true })
})

const inside = async (where: string, ...argv: string[]) => (await labCapture({ name, host: where, argv })).stdout
const patient = { timeout: 30_000, interval: 250 }
/** Starts a server in a guest that tells its name to whoever connects. */
async function serve(guest: string): Promise<void> {
  const program = `
import socket, threading
def serve(s):
    while True:
        c, _ = s.accept()
        try: c.sendall(b'${guest}')
        except OSError: pass
        c.close()
threading.Thread(target=serve, args=[socket.create_server(('', 3306))]).start()
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('::', 3306))
s.listen()
serve(s)`
  await inside(guest, 'sh', '-c', 'python3 -c "$1" </dev/null >/dev/null 2>&1 &', 'sh', program)
}
const stop = (guest: string) => inside(guest, 'pkill', '-9', 'python3')
const ask = (from: string, to: string) =>
  inside(from, 'python3', '-c', `import socket\ns = socket.create_connection(('${to}', 3306), 1)\nprint(s.recv(9).decode(), end='')`)
const vip = async (which = 'db-vip') => (await services.desktop.broadcast.vips({ offline: false })).vips.find((one) => one.name === which)!
const ownerOf = async (which?: string) => (await vip(which)).owner?.port ?? null
const addressesOf = (guest: string) => inside(guest, 'ip', 'address', 'show', 'dev', 'eth0')
const modulePid = (host: string) => inside(host, 'pgrep', '-o', '-f', '/network.mjs')

describe('a VIP that the platform drives', () => {
  it('is at nobody while no member is well', async () => {
    expect(await ownerOf()).toBeNull()
    expect(await ask('web-1', '10.20.2.100')).toBe('')
  })

  it('comes to a member that is well, beside its own addresses, and is reached from its network and from another', async () => {
    await Promise.all(['db-1', 'db-2'].map(serve))
    await expect.poll(() => ownerOf('db-vip6'), patient).not.toBeNull()
    await expect.poll(() => ownerOf(), patient).not.toBeNull()
    for (const [which, ip] of [['db-vip', '10.20.2.100'] as const, ['db-vip6', 'fd00:2::100'] as const]) {
      const owner = await ownerOf(which)
      for (const from of ['web-1', 'db-3']) await expect.poll(() => ask(from, ip), patient).toBe(owner)
      expect(await addressesOf(owner!)).toContain(`${ip}/`)
      expect(await addressesOf(owner!)).toContain(owner === 'db-1' ? '10.20.2.11/24' : '10.20.2.12/24')
    }
    // A guest’s own connections come from its own addresses.
    expect(await inside((await ownerOf('db-vip6'))!, 'ip', 'route', 'get', 'fd00:1::11')).not.toContain('fd00:2::100')
  })

  it('stays where it is when the network module of the leader is killed', async () => {
    const before = await vip()
    const pid = await modulePid(leader)
    await inside(leader, 'kill', '-9', pid.trim())
    await expect.poll(async () => ((await modulePid(leader)) || pid) !== pid, { ...patient, timeout: 60_000 }).toBe(true)
    // Longer than what hosts report would last.
    const endMs = performance.now() + 5000
    while (performance.now() < endMs) expect(await ask('web-1', '10.20.2.100')).not.toBe(before.owner!.port === 'db-1' ? 'db-2' : 'db-1')
    await expect.poll(() => ask('web-1', '10.20.2.100'), patient).toBe(before.owner!.port)
    expect(await vip()).toMatchObject({ owner: before.owner, history: before.history })
  })

  it('goes to the other member when the server of the one that has it ends, and takes clients along', async () => {
    const before = await vip()
    const [from, to] = before.owner!.port === 'db-1' ? ['db-1', 'db-2'] : ['db-2', 'db-1']
    const watching = inside(from!, 'timeout', '60', 'ip', 'monitor', 'address')
    // A neighbour that knows the address under the old MAC.
    expect(await ask('db-3', '10.20.2.100')).toBe(from)
    await stop(from!)
    await expect.poll(() => ask('web-1', '10.20.2.100'), { ...patient, interval: 20 }).toBe(to)
    await expect.poll(() => ask('db-3', '10.20.2.100'), patient).toBe(to)
    await expect.poll(() => ask('web-1', 'fd00:2::100'), patient).toBe(to)
    await expect.poll(() => ownerOf(), patient).toBe(to)
    await expect.poll(() => addressesOf(from!), patient).not.toContain('10.20.2.100')
    const { history } = await vip()
    expect(history).toHaveLength(before.history.length + 1)
    expect(history.at(-1)).toMatchObject({ from, to })
    // Two failures in a row, half a second apart; more on a machine that starves.
    expect(history.at(-1)!.outageMs).toBeGreaterThan(400)
    expect(history.at(-1)!.outageMs).toBeLessThan(10_000)
    // Its own address was never touched.
    expect(await addressesOf(from!)).toContain(from === 'db-1' ? '10.20.2.11/24' : '10.20.2.12/24')
    await inside(from!, 'pkill', '-x', 'ip')
    const seen = await watching
    expect(seen).toMatch(/Deleted .*10\.20\.2\.100\/32/)
    expect(seen).not.toMatch(/10\.20\.2\.1[12]\/24/)
  })

  it('is at nobody when the last one ends, and tells so', async () => {
    const { owner, history } = await vip()
    await stop(owner!.port)
    await expect.poll(() => ownerOf(), patient).toBeNull()
    const now = await vip()
    expect(now.history.slice(history.length)).toMatchObject([{ from: owner!.port, to: null }])
    expect(await ask('web-1', '10.20.2.100')).toBe('')
    const { items } = await services.desktop.inventory.list({ kind: 'events' })
    expect(items.filter(({ type }) => type === 'vip-moved').map(({ message }) => message)).toEqual(
      expect.arrayContaining([`VIP db-vip is at nobody now, it was at ${owner!.port}: nothing listens at TCP port 3306; no member is well`]),
    )
  })
})
