import type { Flow } from '../../../core/net/openflow/flow.ts'
import type { TunnelEnd } from '../../../core/model/network.ts'
import { replicatorRoute } from '../../../core/net/broadcast/nodes.ts'
import type { DesiredSwitch, SwitchBase } from './desired-switch.ts'
import { vxlanUdpPort } from './ports.ts'
import type { Unixctl } from './unixctl.ts'

/** Cookies of br-phy's flows. */
export const underlayCookies = { vxlanIn: '0x70687901', greIn: '0x70687902', out: '0x70687903', notOurs: '0x70687904', vlan: '0x70687905' } as const

/**
 * The flows of br-phy: tunnels to this host's end go to the bridge itself, which takes them apart; what it wraps goes out by the NIC. All
 * else at the NIC is the host's own, and not touched. Open vSwitch sees what comes for a replicator at this NIC, too, and leaves it alone.
 */
export function underlayFlows({ tunnelEnd: { ip }, notOurs, vlans }: Pick<DesiredSwitch, 'tunnelEnd' | 'notOurs' | 'vlans'>): Flow[] {
  const flow = (cookie: string, match: string, actions: string): Flow => ({ table: 0, priority: 100, cookie, match, actions })
  return [
    flow(underlayCookies.vxlanIn, `udp,in_port=1,nw_dst=${ip},tp_dst=${vxlanUdpPort}`, 'LOCAL'),
    flow(underlayCookies.greIn, `ip,in_port=1,nw_dst=${ip},nw_proto=47`, 'LOCAL'),
    flow(underlayCookies.out, 'in_port=LOCAL', 'output:1'),
    // OFPVID_PRESENT of OpenFlow 1.5 says that there is a tag.
    ...vlans.flatMap(({ number, vlan }) => [
      flow(underlayCookies.vlan, `in_port=1,dl_vlan=${vlan}`, `pop_vlan,output:${number}`),
      flow(underlayCookies.vlan, `in_port=${number}`, `push_vlan:0x8100,set_field:${0x1000 | vlan}->vlan_vid,output:1`),
    ]),
    ...notOurs.map((address) => flow(underlayCookies.notOurs, `ip,in_port=1,nw_dst=${address}`, 'drop')),
  ]
}

/** How often `setNeighbours` must be repeated: ovs-vswitchd forgets a neighbour after 15 minutes. */
export const neighbourPeriodMs = 5 * 60_000

/** Gives br-phy its address, and says which way tunnels go. An ovs-vswitchd that was just started knows neither. */
export async function routeTunnels(control: Unixctl, { tunnelEnd: { ip, prefixLength } }: SwitchBase): Promise<void> {
  const ways = [
    // A route needs an address in its prefix, when it is made. Nothing is sent from this one: tunnels have an address of their own.
    { address: replicatorRoute.source, prefix: replicatorRoute.prefix },
    { address: `${ip}/${prefixLength}`, prefix: `${subnetOf(ip, prefixLength)}/${prefixLength}` },
  ]
  // The last address takes the place of the others, and is where tunnels end.
  for (const { address, prefix } of ways) {
    await control.call('netdev-dummy/ip4addr', 'br-phy', address)
    await control.call('ovs/route/add', prefix, 'br-phy')
  }
}

/** Says where the peers are, so that the first packet to one need not wait until it is found. */
export async function setNeighbours(control: Unixctl, peers: readonly TunnelEnd[]): Promise<void> {
  await Promise.all(peers.map(({ ip, mac }) => control.call('tnl/neigh/set', 'br-phy', ip, mac)))
}

function subnetOf(ip: string, prefixLength: number): string {
  const bits = ip.split('.').reduce((value, byte) => value * 256 + Number(byte), 0)
  const start = bits - (bits % 2 ** (32 - prefixLength))
  return [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.')
}
