import { setTimeout as sleep } from 'node:timers/promises'
import { signalKeepalived } from '../../lab/keepalived.ts'
import { floating } from './declaration.ts'
import { must, type Rig } from './rig.ts'
import { router, type Scene } from './scene.ts'

/** All members of the store are frozen while broadcast runs and an address moves. */
export const storeAway: Scene = {
  name: 'store away',
  async play(rig, { scale }) {
    const awayMs = scale === 'full' ? 60_000 : 12_000
    const first = await rig.claim('web-1', router('high'))
    await rig.isWith('web-1', floating)
    await rig.claim('web-2', router('low'))
    const before = await rig.vip(floating.vip)
    const figures = { framesInTime: 2 * (awayMs / 10), followedMs: 0, hostsThatFollow: '', writtenMs: 0 }
    const whileAway = async (): Promise<void> => {
      const startMs = performance.now()
      for (const host of rig.hosts) await rig.signal(host, 'STOP', '-x', 'etcd')
      try {
        const movesMs = performance.now()
        await signalKeepalived(first, 'TERM')
        await rig.comesTrue('clients on layer 2 and 3 reach web-2 while the store is away', () =>
          rig.astrayClients({ address: floating.address, clients: ['web-3', 'db-1'] }, 'web-2'),
        )
        figures.followedMs = Math.round(performance.now() - movesMs)
        await rig.comesTrue('it is said that the store is away', async () => {
          const { cluster } = await rig.lab.status()
          const { nodes } = await rig.broadcast()
          const said = nodes.some(({ problems }) => problems.some((problem) => problem.includes('the store has been away')))
          return [...(cluster.quorum ? ['status says that there is a quorum'] : []), ...(said ? [] : ['no broadcast node says it'])]
        })
        const { owner } = await rig.vip(floating.vip)
        must(owner?.port === 'web-1', 'what is written stays as it was')
        const hops = await Promise.all(rig.hosts.map(async (host) => ((await rig.nextHop(host, floating.address)) === owner!.mac ? [] : [host])))
        figures.hostsThatFollow = hops.flat().join(' ')
        await sleep(Math.max(0, awayMs - (performance.now() - startMs)))
      } finally {
        for (const host of rig.hosts) await rig.signal(host, 'CONT', '-x', 'etcd')
      }
      figures.writtenMs = await rig.comesTrue('the store has it at web-2', async () => {
        const { owner } = await rig.vip(floating.vip)
        return owner?.port === 'web-2' ? [] : [`it has it at ${owner?.port ?? 'nobody'}`]
      })
    }
    await Promise.all([
      rig.eachOnce('web-3', ['web-1', 'web-2'], '10.20.1.255', awayMs / 10, whileAway),
      rig.eachOnce('web-3', ['web-2'], '10.20.1.12', awayMs / 10),
    ])
    await rig.isWith('web-2', floating)
    const after = await rig.vip(floating.vip)
    must(after.owner!.epoch > before.owner!.epoch, `epoch ${after.owner!.epoch} is later than ${before.owner!.epoch}`)
    must(after.history.length === before.history.length + 1, `one move is in the history, not ${after.history.length - before.history.length}`)
    return figures
  },
}

/** The host that has the address and leads the store is powered off. */
export const leaderLost: Scene = {
  name: 'store’s leader lost',
  async play(rig) {
    await rig.claim('web-1', router('high'))
    await rig.isWith('web-1', floating)
    await rig.claim('web-2', router('low'))
    await moveStoreLeader(rig, 'h1')
    const others = ['h2', 'h3']
    const startMs = performance.now()
    await rig.fault('h1', 'power-off')
    await rig.comesTrue('clients reach web-2', () => rig.astrayClients({ address: floating.address, clients: ['web-3', 'db-1'] }, 'web-2'))
    const followedMs = Math.round(performance.now() - startMs)
    await rig.comesTrue('the store has it at web-2', async () => {
      const { owner } = await rig.vip(floating.vip)
      return owner?.port === 'web-2' ? await rig.astrayFlows(floating.address, owner.mac, others) : [`it has it at ${owner?.port ?? 'nobody'}`]
    })
    const writtenMs = Math.round(performance.now() - startMs)
    await rig.boot('h1')
    await rig.isWith('web-2', floating)
    return { followedMs, writtenMs }
  },
}

/** The host that leads the store is powered off while an address moves between two others. */
export const leaderLostAside: Scene = {
  name: 'store’s leader lost beside',
  async play(rig) {
    const first = await rig.claim('web-1', router('high'))
    await rig.isWith('web-1', floating)
    await rig.claim('web-2', router('low'))
    await moveStoreLeader(rig, 'h3')
    const before = await rig.vip(floating.vip)
    const startMs = performance.now()
    await Promise.all([rig.fault('h3', 'power-off'), signalKeepalived(first, 'TERM')])
    await rig.comesTrue('a client reaches web-2', () => rig.astrayClients({ address: floating.address, clients: ['db-2'] }, 'web-2'))
    const followedMs = Math.round(performance.now() - startMs)
    await rig.comesTrue('the store has it at web-2', async () => {
      const { owner } = await rig.vip(floating.vip)
      return owner?.port === 'web-2' ? await rig.astrayFlows(floating.address, owner.mac, ['h1', 'h2']) : [`it has it at ${owner?.port ?? 'nobody'}`]
    })
    const writtenMs = Math.round(performance.now() - startMs)
    await rig.boot('h3')
    await rig.isWith('web-2', floating)
    const moves = (await rig.vip(floating.vip)).history.length - before.history.length
    must(moves === 1, `one move is in the history, not ${moves}`)
    return { followedMs, writtenMs }
  },
}

/** Has the member of a host lead the store. */
async function moveStoreLeader(rig: Rig, host: string): Promise<void> {
  const pki = '/etc/holdfast/pki'
  const { storeEndpoints } = JSON.parse(await rig.lab.inside(host, 'cat', '/etc/holdfast/join.json')) as { storeEndpoints: string[] }
  const own = rig.lab.lab.hosts.find(({ name }) => name === host)!.addresses.mgmt
  const etcdctl = (...argv: string[]): Promise<string> => {
    const secrets = [`--cacert=${pki}/store-ca.crt`, `--cert=${pki}/store.crt`, `--key=${pki}/store.key`]
    return rig.lab.inside(host, 'env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${storeEndpoints.join()}`, ...secrets, '--write-out=json', ...argv)
  }
  interface Endpoint {
    Endpoint: string
    Status: { header: { member_id: number }; leader: number }
  }
  const text = await etcdctl('endpoint', 'status', '--cluster')
  // Member ids do not fit into a number of JavaScript.
  const members = JSON.parse(text.replaceAll(/:(\d{16,})/g, ':"$1"')) as Endpoint[]
  const wanted = members.find(({ Endpoint }) => Endpoint.includes(own))!
  const leader = members.find(({ Status }) => String(Status.header.member_id) === String(Status.leader))!
  if (wanted === leader) return
  const id = BigInt(wanted.Status.header.member_id).toString(16)
  await rig.lab.inside(
    host,
    ...['env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${leader.Endpoint}`],
    ...[`--cacert=${pki}/store-ca.crt`, `--cert=${pki}/store.crt`, `--key=${pki}/store.key`, 'move-leader', id],
  )
}
