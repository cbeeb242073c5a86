import type { Drops } from '../../core/contract/agent/network.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { FlowOwners } from '../../core/net/compile/cookie.ts'
import { dropCounts } from '../../core/net/compile/drop-counts.ts'
import { errorMeter } from '../../core/net/compile/tables.ts'
import { ofctl } from './switch/ovs-programs.ts'
import type { VirtualSwitch } from './switch/virtual-switch.ts'

/** What the switch of this host drops, and what became of the ICMP errors that packets earned. Throws `module-unhealthy` while none forwards. */
export async function readDrops(virtualSwitch: VirtualSwitch, network: VirtualNetwork): Promise<Drops> {
  const [flows, meter] = await Promise.all([virtualSwitch.flowStats(), ofctl(['meter-stats', virtualSwitch.target(), `meter=${errorMeter}`])])
  return { drops: dropCounts(flows, new FlowOwners(network)), errors: parseMeterStats(meter) }
}

/** Reads what `ovs-ofctl meter-stats` prints of one meter: what came to it, and what its band dropped of that. */
export function parseMeterStats(text: string): Drops['errors'] {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)
  return { earned: number(/packet_in_count:(\d+)/), suppressed: number(/^0: packet_count:(\d+)/m) }
}
