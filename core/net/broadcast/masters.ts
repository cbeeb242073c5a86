import type { Announcement } from '../../model/broadcast.ts'
import type { Port, VirtualNetwork } from '../../model/network.ts'
import { virtualRouterMac } from './announcements.ts'

/** A port that advertises itself as the master of a virtual router (RFC 5798) on ports that may have a VIP. `atMs`: since when it is heard. */
export interface Master extends Announcement {
  port: string
  /** Number of the virtual router. */
  router: number
}

/** What one node of the broadcast cluster hears, by VIP. */
export type Masters = Readonly<Record<string, readonly Master[]>>

/** A virtual router's sender that is heard of now. */
export interface HeardSender {
  vni: number
  router: number
  /** Of its addresses. */
  family: 4 | 6
  mac: string
  /** Where it is, if that is known: under the MAC of a virtual router it is found by this. */
  host: string | null
  sinceMs: number
}

/** A hand-over is over by then: whoever was master before is heard no more. */
const handOverMs = 10_000

/** The masters of each VIP that the guests drive; a VIP of which none is heard is left out. */
export function mastersOf({ networks, ports, vips }: VirtualNetwork, senders: readonly HeardSender[]): Masters {
  const masters: Record<string, Master[]> = {}
  if (senders.length === 0) return masters
  const macs = new Set(senders.map(({ mac }) => mac))
  const portAt = new Map(ports.filter(({ mac }) => macs.has(mac)).map((port) => [`${port.network} ${port.mac}`, port]))
  const portNamed = new Map(ports.map((port) => [port.name, port]))
  const networkNamed = new Map(networks.map((network) => [network.name, network]))
  for (const { name, network, ip, ports: allowed, healthCheck } of vips) {
    const { vni, broadcast } = networkNamed.get(network)!
    if (healthCheck || broadcast !== 'cluster+garp') continue
    const portOf = ({ mac, host }: HeardSender): Port | undefined => {
      if (!virtualRouterMac.test(mac)) return portAt.get(`${network} ${mac}`)
      const possible = allowed.flatMap((one) => portNamed.get(one) ?? []).filter((port) => port.host === host)
      return possible.length === 1 ? possible[0] : undefined
    }
    const found = senders.flatMap((sender): Master[] => {
      const port = sender.vni === vni && sender.family === (ip.includes(':') ? 6 : 4) ? portOf(sender) : undefined
      if (!port || !allowed.includes(port.name)) return []
      return [{ network, ip, mac: sender.mac, port: port.name, host: port.host, atMs: Math.trunc(sender.sinceMs), router: sender.router }]
    })
    if (found.length > 0) masters[name] = found.sort((a, b) => a.router - b.router || (a.port < b.port ? -1 : 1))
  }
  return masters
}

/**
 * The ports that hold themselves for the master of one and the same virtual router of a VIP, and not just because one hands over to another;
 * none where there are fewer than two. `heard`: what each node hears, for in a split network none hears all.
 */
export function claimantsOf(heard: Iterable<Masters>, vip: string, nowMs: number): Announcement[] {
  const routers = Map.groupBy(settled(heard, vip, nowMs), ({ router }) => router)
  const [most = []] = [...routers.values()].sort((a, b) => b.length - a.length)
  return most.length < 2 ? [] : most.map(({ network, ip, mac, port, host, atMs }) => ({ network, ip, mac, port, host, atMs }))
}

/** The one port that any node hears as a master of a VIP's; null: none, or several. */
export function onlyMaster(heard: Iterable<Masters>, vip: string): Master | null {
  const masters = [...heard].flatMap((doc) => doc[vip] ?? [])
  return new Set(masters.map(({ port }) => port)).size === 1 ? masters[0]! : null
}

/** Each port once a router. */
function settled(heard: Iterable<Masters>, vip: string, nowMs: number): Master[] {
  const masters = new Map<string, Master>()
  for (const doc of heard) {
    for (const master of doc[vip] ?? []) {
      const key = `${master.router} ${master.port}`
      if (nowMs - master.atMs >= handOverMs && !masters.has(key)) masters.set(key, master)
    }
  }
  return [...masters.values()].sort((a, b) => (a.port < b.port ? -1 : 1))
}
