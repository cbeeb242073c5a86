import { withNetworkLab } from '../../bench/network-lab.ts'
import { Chance } from '../chance.ts'
import type { Proof } from '../proof.ts'
import { kinds } from './kind-scenes.ts'
import { backupCutOff, splitBrain, twoMasters } from './master-scenes.ts'
import { membersChange } from './member-scenes.ts'
import { Rig } from './rig.ts'
import type { Scene } from './scene.ts'
import { leaderLost, leaderLostAside, storeAway } from './store-scenes.ts'

const scenes: readonly Scene[] = [twoMasters, splitBrain, backupCutOff, storeAway, leaderLost, leaderLostAside, membersChange, ...kinds]

/** Bad luck of the broadcast cluster and of floating addresses, played one after the other on real hosts. */
export default {
  name: 'broadcast-faults',
  title: 'Broadcast and floating addresses come right after faults of the store, of masters, of links and of nodes',
  kind: 'lab',
  outsideTests: true,
  async run({ seed, scale, log }) {
    const chance = new Chance(seed)
    return await withNetworkLab(`bf${process.pid}`, 3, log, async (lab) => {
      const rig = new Rig(lab, log)
      const figures: Record<string, number | string> = { scenes: scenes.length }
      await rig.begin()
      for (const scene of scenes) {
        await rig.noClaims()
        log(scene.name)
        const found = await scene.play(rig, { scale, chance })
        log(`${scene.name}: ${JSON.stringify(found)}`)
        for (const [figure, value] of Object.entries(found)) figures[`${scene.name}: ${figure}`] = value
      }
      return figures
    })
  },
} satisfies Proof
