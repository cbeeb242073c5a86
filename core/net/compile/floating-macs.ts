import type { Network, Vip } from '../../model/network.ts'
import type { HostView } from './view.ts'

/** MACs of virtual routers (RFC 5798 §7.3): the last byte is the router's number. */
export const vrrpMacs = { 4: '00:00:5e:00:01:00/ff:ff:ff:ff:ff:00', 6: '00:00:5e:00:02:00/ff:ff:ff:ff:ff:00' } as const

export const familyOf = ({ ip }: Vip): 4 | 6 => (ip.includes(':') ? 6 : 4)

/** Matches of the MACs that float with a network's VIPs: frames to them are for whoever has taken one. */
export function floatingMacs(view: HostView, network: Network): string[] {
  const families = new Set((view.index.vipsOf.get(network.name) ?? []).map(familyOf))
  return [...families].sort().map((family) => `dl_dst=${vrrpMacs[family]}`)
}
