import { setTimeout as sleep } from 'node:timers/promises'
import { clusterDeclaration, type Guest } from './declaration.ts'
import type { Rig } from './rig.ts'
import type { Scene } from './scene.ts'

const all: readonly Guest[] = ['lan-1', 'lan-2', 'lan-3']

/** A node's agent, then a node, dies while members of a network come and go. */
export const membersChange: Scene = {
  name: 'node dies amid changes of members',
  async play(rig, { scale, chance }) {
    const changes = scale === 'full' ? 12 : 4
    await rig.begin({ lan: all })
    await wellKnown(rig)
    const { networks } = await rig.broadcast()
    const node = networks.find(({ name }) => name === 'lan')!.node!
    const deaths = {
      kill: () => rig.signal(node, 'KILL', '-f', '/network.mjs'),
      powerOff: () => rig.fault(node, 'power-off'),
    }
    const figures = { changes: 0, refused: 0 }
    for (const kind of scale === 'full' ? (['kill', 'powerOff'] as const) : (['kill'] as const)) {
      // A member leaves and joins; not one on the node that dies.
      const moving = all.find((guest) => guest !== `lan-${node.slice(1)}` && guest !== 'lan-1')!
      const diesAt = chance.int(0, changes * 200)
      const dies = sleep(diesAt).then(deaths[kind])
      for (let change = 0; change < changes; change++) {
        figures.changes++
        const declaration = clusterDeclaration({ lan: change % 2 === 0 ? all.filter((guest) => guest !== moving) : all })
        // Who is asked may be the one that dies: then it is refused, and the last one counts.
        await rig.lab.services.desktop.network.apply({ declaration, prune: true, waitMs: 300 }).catch(() => figures.refused++)
      }
      await dies
      if (kind === 'powerOff') await rig.boot(node)
      await rig.comesTrue('the last change is in place', async () => {
        await rig.begin({ lan: all })
        return []
      })
      await wellKnown(rig)
      for (const from of all)
        await rig.eachOnce(
          from,
          all.filter((guest) => guest !== from),
          '10.20.3.255',
          200,
        )
      rig.log(`${kind} of ${node} after ${diesAt} ms: each gets each frame once`)
    }
    await rig.begin()
    return figures
  },
}

/** Returns when every node knows exactly the members that there are. */
async function wellKnown(rig: Rig): Promise<void> {
  await rig.comesTrue('every node has every member in its list, and no other', async () => {
    const { networks, nodes } = await rig.broadcast()
    const { members } = networks.find(({ name }) => name === 'lan')!
    const names = members.map(({ host }) => host).join()
    return [
      ...(names === rig.hosts.join() ? [] : [`members are ${names}`]),
      ...nodes.flatMap(({ host, state }) => (state === 'up' ? [] : [`node ${host} is ${state}`])),
      ...members.flatMap(({ host, nodes: by }) => (by.join() === nodes.map((node) => node.host).join() ? [] : [`${host} is known to ${by.join()}`])),
    ]
  })
}
