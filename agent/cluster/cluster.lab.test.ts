import { createSocket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCsr } from '../../core/pki/index.ts'
import { labFault } from '../../lab/lab.ts'
import { eventually, LabCluster } from './fixtures/lab-cluster.ts'

/** How long a host may take for what it does in a second or two when the machine is not shared. */
const patienceMs = 40_000
let cluster: LabCluster

beforeAll(async () => {
  cluster = await LabCluster.up(`c${process.pid}`, 4)
}, 300_000)

afterAll(() => cluster?.down())

const fault = (host: string, what: Parameters<typeof labFault>[0]['fault'], plane?: 'mgmt' | 'storage' | 'tenant') =>
  labFault({ name: cluster.name, host, fault: what, ...(plane && { plane }) })
const voters = async (by: string) =>
  (await cluster.status(by)).members
    .filter((member) => member.learner !== true)
    .map((member) => member.host)
    .sort()
const leaderSeenBy = async (by: string, other?: string) => {
  const { leader } = (await cluster.status(by)).cluster
  if (leader === null || leader === other) throw new Error(`${by} sees the leader ${leader}`)
  return leader
}
const admin = (path: string, method = 'POST', body?: unknown, by = 'h1') =>
  cluster.call<Record<string, unknown>>(by, method, `/v1/cluster${path}`, body)

describe('a cluster of four hosts', () => {
  test('three vote, one does not; one leads and has the address; the CA keys lie in the store alone', async () => {
    await eventually(async () => expect(await voters('h4')).toHaveLength(3), 120_000)
    const status = await cluster.status('h4')
    expect(status.hosts.map((host) => host.name).sort()).toEqual(['h1', 'h2', 'h3', 'h4'])
    const leader = await eventually(() => leaderSeenBy('h4'))
    await eventually(async () => expect(await cluster.holders(['h1', 'h2', 'h3', 'h4'])).toEqual([leader]), patienceMs)
    expect(await cluster.addressAnswers(1000)).toBe(true)
    expect(await cluster.on('h1', ['ls', '/etc/holdfast/pki'])).not.toMatch(/bootstrap/)
    const client = ['h2', 'h3', 'h4'].find((host) => !status.members.some((member) => member.host === host))!
    expect(await cluster.on(client, ['sh', '-c', 'ls /run/holdfast/etcd.pid 2>&1 || true'])).toMatch(/No such file/)
  })

  test('a token lets one host in, once, and nobody else', async () => {
    const csr = async () => ({ csrPem: (await createCsr({ commonName: 'h9' })).csrPem, storeCsrPem: (await createCsr({ commonName: 'h9' })).csrPem })
    const request = { host: { name: 'h9', addresses: { mgmt: '10.83.99.9' } }, ...(await csr()) }
    const join = (token: string, body: object = request) => cluster.call('h2', 'POST', '/v1/cluster/join', { token, ...body }, cluster.anonymous)
    await expect(join(randomBytes(32).toString('base64url'))).rejects.toThrow(/token-invalid/)
    const { token } = (await admin('/join-tokens', 'POST', { host: 'h9' })) as { token: string }
    await expect(join(token, { ...request, host: { ...request.host, name: 'h8' } })).rejects.toThrow(/token-invalid/)
    const taken = cluster.config('h2').addresses.mgmt
    await expect(join(token, { ...request, host: { name: 'h9', addresses: { mgmt: taken } } })).rejects.toThrow(/bad-input/)
    expect(await join(token)).toMatchObject({ role: 'client', clusterName: cluster.name })
    // The answer was lost: the same host asks again. Another host does not get in with it.
    expect(await join(token)).toMatchObject({ role: 'client' })
    await expect(join(token, { ...request, ...(await csr()) })).rejects.toThrow(/token-invalid/)
    await expect(admin('/join-tokens', 'POST', { host: 'h2' })).rejects.toThrow(/already-exists/)
    await admin('/hosts/h9', 'DELETE')
    await eventually(async () => expect((await cluster.status('h3')).hosts.some((host) => host.name === 'h9')).toBe(false), patienceMs)
  })

  test('roles: nobody without a certificate, and no host, changes anything', async () => {
    await expect(cluster.call('h1', 'POST', '/v1/cluster/join-tokens', { host: 'h8' }, cluster.anonymous)).rejects.toThrow(
      /certificate-missing|role-insufficient/,
    )
    const [ca, cert, key] = await Promise.all(
      ['ca.crt', 'host.crt', 'host.key'].map((file) => cluster.on('h2', ['cat', `/etc/holdfast/pki/${file}`])),
    )
    const asHost = { ca: ca!, cert: cert!, key: key! }
    expect(await cluster.call('h1', 'GET', '/v1/cluster/status', undefined, asHost)).toHaveProperty('cluster')
    await expect(cluster.call('h1', 'POST', '/v1/cluster/leader', { to: 'h2' }, asHost)).rejects.toThrow(/role-insufficient/)
  })

  test('certificates are renewed under way', async () => {
    const before = await cluster.on('h2', ['cat', '/etc/holdfast/pki/host.crt', '/etc/holdfast/pki/store.crt'])
    expect(await admin('/rotate', 'POST', undefined, 'h2')).toHaveProperty('notAfterMs')
    expect(await cluster.on('h2', ['cat', '/etc/holdfast/pki/host.crt', '/etc/holdfast/pki/store.crt'])).not.toBe(before)
    await eventually(async () => expect((await cluster.status('h2')).cluster.quorum).toBe(true), patienceMs)
  })

  test('leadership moves where it is told', async () => {
    const from = await eventually(() => leaderSeenBy('h1'))
    const to = (await voters('h1')).find((host) => host !== from)!
    expect(await admin('/leader', 'POST', { to })).toEqual({ leader: to })
    await eventually(async () => expect(await cluster.holders(['h1', 'h2', 'h3', 'h4'])).toEqual([to]), patienceMs)
  })

  test('a cut storage link is seen as that, and told in words', async () => {
    await fault('h2', 'link-down', 'storage')
    await eventually(async () => {
      const event = (await cluster.events('h1')).findLast(({ type }) => type === 'path-down')
      expect(event?.message).toBe('h2 is not heard on storage; it is on mgmt and tenant')
    }, patienceMs)
    await fault('h2', 'link-up', 'storage')
    await eventually(
      async () => expect((await cluster.events('h1')).findLast(({ type }) => type.startsWith('path-'))?.type).toBe('path-up'),
      patienceMs,
    )
  })

  test('garbage on the heartbeat port changes nothing', async () => {
    const socket = createSocket('udp4')
    const modules = () => cluster.call<{ name: string; restarts: number }[]>('h1', 'GET', '/v1/supervisor/modules')
    const before = (await modules()).find(({ name }) => name === 'cluster')!.restarts
    for (let count = 0; count < 5000; count++) socket.send(randomBytes(1 + (count % 1400)), 7444, cluster.config('h1').addresses.mgmt)
    await sleep(2000)
    socket.close()
    expect((await modules()).find(({ name }) => name === 'cluster')!.restarts).toBe(before)
    expect((await cluster.status('h1')).cluster.quorum).toBe(true)
  })

  test.each(['power-off', 'hang-agent', 'pause'] as const)(
    'the leader is gone by %s: the address moves, and is never held twice by hosts that answer',
    async (how) => {
      const by = 'h4'
      const all = ['h1', 'h2', 'h3', 'h4']
      const before = await eventually(() => leaderSeenBy(by))
      await eventually(async () => expect(await cluster.addressAnswers(1000)).toBe(true), patienceMs)
      await fault(before, how)
      const after = await eventually(() => leaderSeenBy(by, before), patienceMs)
      await eventually(async () => expect(await cluster.addressAnswers(500)).toBe(true), patienceMs)
      // A hung agent's kernel can still be asked: it must have let the address go.
      const others = how === 'hang-agent' ? all : all.filter((host) => host !== before)
      expect(await cluster.holders(others)).toEqual([after])
      await fault(before, how === 'power-off' ? 'power-on' : 'resume')
      await eventually(
        async () => expect((await cluster.status(before)).cluster.leader).toBe((await cluster.status(by)).cluster.leader),
        patienceMs * 2,
      )
      await eventually(async () => expect(await cluster.holders(all)).toHaveLength(1), patienceMs)
      await eventually(async () => expect((await cluster.status(by)).members.every((member) => member.state === 'up')).toBe(true), patienceMs)
    },
  )

  test('a host is removed: another votes in its place, and its certificates are refused', async () => {
    const victim = (await voters('h1')).find((host) => host !== 'h1')!
    const spare = ['h2', 'h3', 'h4'].find((host) => host !== victim)!
    const old = await Promise.all(['ca.crt', 'host.crt', 'host.key'].map((file) => cluster.on(victim, ['cat', `/etc/holdfast/pki/${file}`])))
    const [storeCa, storeCert, storeKey] = await Promise.all(
      ['store-ca.crt', 'store.crt', 'store.key'].map((file) => cluster.on(victim, ['cat', `/etc/holdfast/pki/${file}`])),
    )
    const store = { ca: storeCa!, cert: storeCert!, key: storeKey!, port: 2379 }
    expect(await cluster.call('h1', 'POST', '/v3/maintenance/status', {}, store)).toHaveProperty('version')
    await admin(`/hosts/${victim}`, 'DELETE')
    await eventually(async () => expect(await voters(spare)).toEqual(['h1', 'h2', 'h3', 'h4'].filter((host) => host !== victim)), patienceMs)
    await eventually(async () => expect(await cluster.on('h1', ['cat', '/var/lib/holdfast/refused.json'])).toContain(victim), patienceMs)
    await eventually(async () => {
      await expect(cluster.call('h1', 'GET', '/v1/cluster/status', undefined, { ca: old[0]!, cert: old[1]!, key: old[2]! })).rejects.toThrow(
        /wrong-cluster/,
      )
    }, patienceMs)
    await eventually(
      () => expect(cluster.call('h1', 'POST', '/v3/maintenance/status', {}, store)).rejects.toThrow(/bad certificate|ECONNRESET|socket hang up/),
      patienceMs,
    )
    await eventually(
      async () =>
        expect(await cluster.on(victim, ['sh', '-c', 'ls /run/holdfast/etcd.pid /var/lib/holdfast/etcd 2>&1 || true'])).toMatch(
          /No such file.*\n.*No such file/,
        ),
      patienceMs,
    )
  })

  test('quorum lost: reads go on, changes are refused with who is missing, and it comes back', async () => {
    const three = await voters('h1')
    const others = three.filter((host) => host !== 'h1')
    for (const host of others) await fault(host, 'power-off')
    await eventually(async () => expect((await cluster.status('h1')).cluster).toMatchObject({ quorum: false, leader: null }), patienceMs)
    expect((await cluster.status('h1')).hosts).toHaveLength(3)
    await expect(admin('/join-tokens', 'POST', { host: 'h8' })).rejects.toThrow(new RegExp(`quorum-lost.*${others[0]}.*${others[1]}`))
    expect(await cluster.holders(['h1'])).toEqual([])
    for (const host of others) await fault(host, 'power-on')
    await eventually(
      async () => expect((await cluster.status('h1')).cluster).toMatchObject({ quorum: true, leader: expect.any(String) as string }),
      patienceMs * 2,
    )
    const types = (await cluster.events('h1')).map(({ type }) => type)
    expect(types.lastIndexOf('quorum-regained')).toBeGreaterThan(types.lastIndexOf('quorum-lost'))
  })
})
