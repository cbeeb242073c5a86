import type { Network, Port, VirtualNetwork } from '../../model/network.ts'
import { hash32 } from '../hash.ts'
import { ranked } from '../rendezvous.ts'
import { cookieOf } from './cookie.ts'
import { deliver, drop, join, set, toMany, type Emit } from './emit.ts'
import { gatewayWatchPortOf } from './groups.ts'
import { switchPorts, tables, type Stage } from './tables.ts'
import type { HostView, NetworkIndex } from './view.ts'

/**
 * A VLAN that gateways join to a network: at a NIC of each of them. All of them have it on their switch, and the first of them that lives
 * forwards: the others see in the data path itself that it does. Should two forward for a moment, since they do not see each other, nothing
 * goes round: only servers' frames are taken from the VLAN, and a server's frame does not go back into its VLAN.
 */
export interface Vlan {
  network: Network
  nic: string
  vlan: number
  /** The servers in it, by number. */
  ports: readonly Port[]
  /** In the order in which they are to forward: the one that the ports are declared to be at comes first. */
  gateways: readonly string[]
}

/** Those of all networks. */
export function vlansOf(network: VirtualNetwork): Vlan[] {
  const all = network.hosts.filter(({ roles }) => roles.includes('gateway')).map(({ name }) => name)
  const networks = new Map(network.networks.map((one) => [one.name, one]))
  const found = new Map<string, Vlan & { ports: Port[] }>()
  const servers = network.ports.filter(({ attach }) => attach.kind === 'vlan').sort((a, b) => a.number - b.number)
  for (const port of servers) {
    if (port.attach.kind !== 'vlan') continue
    const { nic, vlan } = port.attach
    const key = `${port.network} ${nic} ${vlan}`
    const known = found.get(key)
    if (known) {
      known.ports.push(port)
      continue
    }
    const others = ranked(`${nic} ${vlan}`, all).filter((name) => name !== port.host)
    found.set(key, {
      network: networks.get(port.network)!,
      nic,
      vlan,
      ports: [port],
      gateways: [...all.filter((name) => name === port.host), ...others],
    })
  }
  return [...found.values()]
}

/** The OpenFlow port of its device on a gateway. */
export function vlanPortOf({ ports }: Vlan): number {
  return ports[0]!.number
}

/** What a group decides: which gateway a frame goes to; whether this one hands it on into the VLAN, or takes it from there. */
const deciders = ['to', 'into', 'from'] as const
type Decider = (typeof deciders)[number]

function vlanGroupOf({ nic, vlan, network }: Vlan, decider: Decider): number {
  return 0x10000 + (vlan * 8 + (hash32(nic) % 8)) * 8 + deciders.indexOf(decider) * 2 + Number(network.tunnel === 'gre')
}

/** The groups of the VLANs on a host, as ovs-ofctl(8) writes them. */
export function vlanGroups(index: Pick<NetworkIndex, 'vlans' | 'watched' | 'ends'>, host: string): string[] {
  return index.vlans.flatMap((vlan) => {
    const { gateways, network } = vlan
    const group = (decider: Decider, buckets: readonly string[]): string =>
      join(`group_id=${vlanGroupOf(vlan, decider)},type=fast_failover`, ...buckets.map((bucket) => `bucket=watch_port=${bucket}`))
    const others = (names: readonly string[], actions: (ip: string) => string): string[] =>
      names.flatMap((name) => {
        const watch = gatewayWatchPortOf(index.watched, name)
        const end = index.ends.get(name)
        return watch === null || !end ? [] : [`${watch},actions=${actions(end.ip)}`]
      })
    const away = (ip: string): string => join(set('tun_dst', ip), `output:${switchPorts[network.tunnel]}`)
    const rank = gateways.indexOf(host)
    if (rank < 0) {
      const last = gateways.flatMap((name) => index.ends.get(name) ?? []).slice(0, 1)
      const buckets = [...others(gateways, away), ...last.map(({ ip }) => `${switchPorts[network.tunnel]},actions=${away(ip)}`)]
      return buckets.length === 0 ? [] : [group('to', buckets)]
    }
    // Its own device is live while its NIC has a carrier.
    const here = (stage: Stage): string => `${vlanPortOf(vlan)},actions=resubmit(,${tables[stage]})`
    const before = gateways.slice(0, rank)
    return [
      group('to', [...others(before, away), here('trackIn'), ...others(gateways.slice(rank + 1), away)]),
      group('into', [...others(before, () => drop), here('trackIn')]),
      group('from', [...others(before, () => drop), here('portSecurity')]),
    ]
  })
}

/** What comes from a VLAN: known servers' frames, as of their ports. */
export function emitFromVlans(view: HostView, emit: Emit): void {
  for (const vlan of view.localVlans) {
    const { network } = vlan
    const device = `in_port=${vlanPortOf(vlan)}`
    for (const port of vlan.ports) {
      const known = join(set('reg0', network.vni), set('reg1', port.number), set('reg10', network.vni), `group:${vlanGroupOf(vlan, 'from')}`)
      emit('classify', 100, cookieOf('none', 'port', port.name), `${device},dl_src=${port.mac}`, known)
      // What this gateway has put there itself, or another one.
      const back = join(...vlansHere(view, network, vlan), ...guestsHere(view, network))
      emit('fdb', 110, cookieOf('none', 'port', port.name), `reg0=${network.vni},reg9=1,dl_src=${port.mac},${toMany}`, back)
      if (port.number !== vlanPortOf(vlan))
        emit('output', 2, cookieOf('none', 'port', port.name), `reg2=${port.number}`, `output:${vlanPortOf(vlan)}`)
    }
    emit('classify', 1, cookieOf('port-security', 'network', network.name), device, drop)
  }
}

/** Hands a frame for many on to each port of a network on this host that has a device of its own. */
export function guestsHere(view: HostView, network: Network): string[] {
  return view.localPorts.filter((port) => port.network === network.name && port.attach.kind !== 'vlan').map(deliver)
}

/** The same for each VLAN, once whatever servers are in it. */
export function vlansHere(view: HostView, network: Network, but?: Vlan): string[] {
  const vlans = view.localVlans.filter((vlan) => vlan.network === network && vlan !== but)
  return vlans.map((vlan) => join(set('reg2', vlanPortOf(vlan)), `group:${vlanGroupOf(vlan, 'into')}`))
}

/** A frame for a server, whatever MAC the match says. */
export function emitToServer(view: HostView, vlan: Vlan, port: Port, match: string, emit: Emit): void {
  const cookie = cookieOf('none', 'port', port.name)
  const { network, gateways } = vlan
  if (!gateways.some((name) => view.index.ends.has(name))) return emit('fdb', 100, cookieOf('host-down', 'port', port.name), match, drop)
  const way = join(set('reg2', port.number), set('tun_id', network.vni), `group:${vlanGroupOf(vlan, 'to')}`)
  emit('fdb', 100, cookie, `${match},reg9=0`, way)
  if (view.localVlans.includes(vlan)) emit('fdb', 100, cookie, `${match},reg9=1`, deliver(port))
  else emit('fdb', 50, cookieOf('unknown-destination', 'port', port.name), match, drop)
}
