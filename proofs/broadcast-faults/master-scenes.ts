import { setTimeout as sleep } from 'node:timers/promises'
import { clusterDeclaration, floating, type Guest } from './declaration.ts'
import { must, type Rig } from './rig.ts'
import { router, type Scene } from './scene.ts'

/** Neither of two virtual routers hears the other; what both announce goes on. */
export const twoMasters: Scene = {
  name: 'two masters at once',
  async play(rig, { scale }) {
    await rig.claim('web-1', router('high'))
    await rig.isWith('web-1', floating)
    const before = await rig.vip(floating.vip)
    const acls = ['web-1', 'web-2'].map(
      (port) => `  - {name: deaf-${port}, port: ${port}, direction: in, priority: 100, match: {proto: 112}, action: drop, stateful: false}`,
    )
    await rig.lab.apply(clusterDeclaration({ acls }), { prune: true })
    await rig.claim('web-2', router('low'))
    const shownMs = await rig.comesTrue('both are claimants, and the later one has it', async () => {
      const { claimants, owner } = await rig.vip(floating.vip)
      const ports = claimants.map(({ port }) => port).join()
      return [...(ports === 'web-1,web-2' ? [] : [`claimants are ${ports}`]), ...(owner?.port === 'web-2' ? [] : [`${owner?.port} has it`])]
    })
    const shown = (await rig.vip(floating.vip)).owner!
    must(shown.epoch > before.owner!.epoch, 'the later one has the later epoch')
    await sleep(scale === 'full' ? 20_000 : 6000)
    const later = (await rig.vip(floating.vip)).owner!
    must(later.epoch === shown.epoch, `nothing moved, and the epoch is ${later.epoch}, not ${shown.epoch}`)
    const flaps = await flap(rig)
    await rig.lab.apply(clusterDeclaration(), { prune: true })
    const healedMs = await rig.isWith('web-1', floating)
    return { shownMs, flaps, healedMs }
  },
}

/** Both announce it in turn: moves are held back. Answers how many there were. */
async function flap(rig: Rig): Promise<number> {
  const before = (await rig.vip(floating.vip)).history.length
  let damped = false
  const rounds = 14
  for (let round = 0; round < rounds; round++) {
    const guest: Guest = round % 2 === 0 ? 'web-1' : 'web-2'
    await rig.inside(guest, 'arping', '-U', '-c', '1', '-I', 'eth0', floating.address)
    damped ||= (await rig.vip(floating.vip)).damped
  }
  await rig.comesTrue('it is damped', async () => ((damped ||= (await rig.vip(floating.vip)).damped) ? [] : ['it is not']))
  const moves = (await rig.vip(floating.vip)).history.length - before
  must(moves < rounds, `${rounds} announcements in turn made ${moves} moves`)
  return moves
}

/** The host of the master is cut off from the others, and comes back. */
export const splitBrain: Scene = {
  name: 'split brain',
  async play(rig, { scale, chance }) {
    const figures = { splits: 0, longestHealMs: 0 }
    const orders = scale === 'full' ? ([true, false, true, false, true, false] as const) : ([chance.is(0.5)] as const)
    for (const oldOneWins of orders) {
      await rig.noClaims()
      await rig.claim('web-1', router(oldOneWins ? 'high' : 'low'))
      await rig.isWith('web-1', floating)
      await rig.claim('web-2', router(oldOneWins ? 'low' : 'high', { yields: true }))
      await sleep(5000)
      must((await rig.vip(floating.vip)).owner?.port === 'web-1', 'who came first has it')
      await rig.fault('h1', 'link-down')
      try {
        await rig.comesTrue('on the other side web-2 has it', async () => {
          const { owner } = await rig.vip(floating.vip)
          const clients = await rig.astrayClients({ address: floating.address, clients: ['web-3', 'db-1'] }, 'web-2')
          return owner?.port === 'web-2'
            ? [...clients, ...(await rig.astrayFlows(floating.address, owner.mac, ['h2', 'h3']))]
            : [`${owner?.port} has it`]
        })
      } finally {
        await rig.fault('h1', 'link-up')
      }
      const healMs = await rig.isWith(oldOneWins ? 'web-1' : 'web-2', floating)
      rig.log(`${oldOneWins ? 'the old master wins' : 'the new master stays'}: right everywhere after ${healMs} ms`)
      figures.longestHealMs = Math.max(figures.longestHealMs, healMs)
      figures.splits++
    }
    return figures
  },
}

/** The host of the backup is cut off: its guest takes itself for the master, where nobody can reach it. */
export const backupCutOff: Scene = {
  name: 'backup cut off',
  async play(rig) {
    await rig.claim('web-1', router('high'))
    await rig.isWith('web-1', floating)
    await rig.claim('web-2', router('low'))
    await sleep(5000)
    await rig.fault('h2', 'link-down')
    try {
      await rig.comesTrue('web-2 takes itself for the master', async () =>
        (await rig.inside('web-2', 'ip', 'address')).stdout.includes(floating.address) ? [] : ['no'],
      )
      await sleep(5000)
      const wrong = await rig.astrayClients(floating, 'web-1')
      must(wrong.length === 0, `clients still reach web-1: ${wrong.join('; ')}`)
    } finally {
      await rig.fault('h2', 'link-up')
    }
    return { healedMs: await rig.isWith('web-1', floating) }
  },
}
