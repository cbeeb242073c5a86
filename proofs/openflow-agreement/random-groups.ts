import type { Chance } from '../chance.ts'
import { plainPorts, tunnelPorts, underlay, watchPorts } from './dummy-switch.ts'
import { groupIds, macs, tableCount, tunnelIds, zones } from './universe.ts'

/** A random fast-failover group of every number. Later ones lead to earlier ones, since the switch refuses circles. */
export function randomGroups(chance: Chance): string[] {
  return groupIds.map((id) => [`group_id=${id},type=fast_failover`, ...randomBuckets(chance, id)].join(','))
}

function randomBuckets(chance: Chance, group: number): string[] {
  return Array.from({ length: chance.int(1, 4) }, () => {
    // The switch takes no bucket that watches nothing; tunnels always live.
    const watched = chance.pick([...watchPorts, ...Object.values(tunnelPorts)])
    return `bucket=watch_port=${watched},actions=${randomActions(chance, group).join(',')}`
  })
}

/** Some of them out of order, twice, or without a way out: a bucket is a set, of which not all counts. */
function randomActions(chance: Chance, group: number): string[] {
  const actions = Array.from({ length: chance.int(0, 3) }, () => randomSet(chance))
  for (let count = chance.pick([0, 1, 1, 1, 2, 3]); count > 0; count--) actions.splice(chance.int(0, actions.length), 0, randomWay(chance, group))
  return actions.length === 0 ? ['drop'] : actions
}

function randomSet(chance: Chance): string {
  return chance.pick([
    `set_field:${chance.pick(tunnelIds)}->tun_id`,
    `set_field:${chance.pick(Object.keys(underlay.ends))}->tun_dst`,
    `set_field:${chance.pick(macs)}->eth_dst`,
    `set_field:${chance.int(0, 3)}->reg0`,
    `load:${chance.int(0, 3)}->NXM_NX_REG1[0..3]`,
    'move:NXM_NX_REG0[0..3]->NXM_OF_ETH_SRC[0..3]',
    `push_vlan:0x8100`,
  ])
}

function randomWay(chance: Chance, group: number): string {
  return chance.weighted(
    [4, () => `output:${chance.pick(plainPorts)}`],
    [3, () => `output:${chance.pick(Object.values(tunnelPorts))}`],
    [2, () => `resubmit(,${chance.int(1, tableCount)})`],
    [1, () => `ct(table=${chance.int(1, tableCount)},zone=${chance.pick(zones)})`],
    [1, () => 'ct_clear'],
    [group > 1 ? 1 : 0, () => `group:${chance.int(1, Math.max(1, group - 1))}`],
  )
}
