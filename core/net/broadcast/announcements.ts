import type { Announcement } from '../../model/broadcast.ts'
import type { Network, Port, TunnelEnd, Vip, VirtualNetwork } from '../../model/network.ts'
import { formatIp, parseIp } from '../address.ts'
import { allEnds } from '../compile/view.ts'

/** What a program at a NIC saw: in this VNI the address was announced with this MAC. */
export interface Seen {
  vni: number
  ip: string
  mac: string
  /** Underlay address of the host that it came from; null where that is not known. */
  host: string | null
  atMs: number
}

/** An announcement, and the VIP that it is of, if it is of one. */
export interface Recognized {
  announcement: Announcement
  network: Network
  vip: Vip | null
}

/** RFC 5798 §7.3. */
export const virtualRouterMac = /^00:00:5e:00:0[12]:/

/** Puts names to what was seen; null for a VNI that nobody has. */
export function recognize(virtual: VirtualNetwork, ends: ReadonlyMap<string, TunnelEnd>, { vni, mac, atMs, ...seen }: Seen): Recognized | null {
  const network = virtual.networks.find((one) => one.vni === vni)
  if (!network) return null
  const ip = canonical(seen.ip)
  const host = seen.host === null ? null : ([...allEnds(virtual, ends)].find(([, end]) => end.ip === seen.host)?.[0] ?? null)
  const vip = virtual.vips.find((one) => one.network === network.name && canonical(one.ip) === ip) ?? null
  const port = portOf(virtual.ports, network, vip, mac, host)
  return {
    announcement: { network: network.name, ip, mac, port: port?.name ?? null, host: port?.host ?? host, atMs: Math.trunc(atMs) },
    network,
    vip,
  }
}

/** By its own MAC; a virtual router's is that of the one port on this host that may have the VIP. */
function portOf(ports: readonly Port[], network: Network, vip: Vip | null, mac: string, host: string | null): Port | undefined {
  const own = ports.find((port) => port.mac === mac && port.network === network.name)
  if (own || !vip || !virtualRouterMac.test(mac)) return own
  const possible = ports.filter((port) => port.host === host && vip.ports.includes(port.name))
  return possible.length === 1 ? possible[0] : undefined
}

function canonical(ip: string): string {
  const parsed = parseIp(ip)
  return parsed ? formatIp(parsed) : ip
}
