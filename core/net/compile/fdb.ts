import type { Network, Port } from '../../model/network.ts'
import { cookieOf } from './cookie.ts'
import { groupOf } from './groups.ts'
import { deliver, drop, join, set, toMany, type Emit } from './emit.ts'
import { sendError } from './errors.ts'
import { switchPorts } from './tables.ts'
import { floatingMacs } from './floating-macs.ts'
import { emitToServer, guestsHere, vlansHere } from './vlans.ts'
import type { HostView, NetworkIndex } from './view.ts'

/**
 * Where frames go: to a local port, or once through a tunnel to the host of the port. What came out of a tunnel enters none. Broadcast and
 * multicast are for every port of the network: those here get them at once, and the other hosts' a copy each, from here or from the broadcast
 * cluster. Unknown unicast is dropped and counted: every port is known.
 */
export function emitForwarding(view: HostView, emit: Emit): void {
  const { index } = view
  for (const network of view.reachedNetworks) {
    for (const port of index.portsOf.get(network.name) ?? []) {
      emitToPort(view, network, port, `reg0=${network.vni},dl_dst=${port.mac}`, emit)
    }
  }
  for (const network of view.localNetworks) {
    const here = [...guestsHere(view, network), ...vlansHere(view, network)]
    const cookie = cookieOf('none', 'network', network.name)
    for (const many of [toMany, ...floatingMacs(view, network)]) {
      const priority = many === toMany ? 100 : 60
      emit('fdb', priority, cookie, `reg0=${network.vni},reg9=0,${many}`, join(...here, ...toOthers(view, network)))
      emit('fdb', priority, cookie, `reg0=${network.vni},reg9=1,${many}`, join(...here))
    }
    // Found too big where it was to leave its own network unrouted.
    for (const family of ['ip', 'ipv6']) emitTooBig(view, network, family, emit)
    emit('fdb', 1, cookieOf('unknown-destination', 'network', network.name), `reg0=${network.vni}`, drop)
  }
  emit('output', 1, cookieOf('none', 'pipeline', ''), '', 'output:NXM_NX_REG2[0..15]')
}

/** A router's networks learn it by ICMP; a network without one has nobody who could tell. */
function emitTooBig(view: HostView, network: Network, family: string, emit: Emit): void {
  const cookie = cookieOf('mtu', 'network', network.name)
  const told = view.index.routerOf.has(network.name) && (family === 'ip' || network.gateway6 !== undefined)
  emit('fdb', 200, cookie, `${family},reg0=${network.vni},reg8=0x1/0x1`, told ? sendError('too-big', network.mtuBytes) : drop)
}

/** A frame for a port of the network, whatever MAC the match says. */
export function emitToPort(view: HostView, network: Network, port: Port, match: string, emit: Emit): void {
  const vlan = port.attach.kind === 'vlan' && view.index.vlans.find(({ ports }) => ports.includes(port))
  if (vlan) emitToServer(view, vlan, port, match, emit)
  else if (port.host === view.host) emit('fdb', 100, cookieOf('none', 'port', port.name), match, deliver(port))
  else emitRemote(view, network, port, match, emit)
}

function emitRemote(view: HostView, network: Network, port: Port, match: string, emit: Emit): void {
  const end = view.index.ends.get(port.host)
  if (!end) return emit('fdb', 100, cookieOf('host-down', 'port', port.name), match, drop)
  emit(
    'fdb',
    100,
    cookieOf('none', 'port', port.name),
    `${match},reg9=0`,
    join(set('tun_id', network.vni), set('tun_dst', end.ip), `output:${switchPorts[network.tunnel]}`),
  )
  emit('fdb', 50, cookieOf('unknown-destination', 'port', port.name), match, drop)
}

/** The ways of a frame for many to the other hosts. A network that has nobody elsewhere asks the cluster all the same: who joins it is its business alone. */
function toOthers(view: HostView, network: Network): string[] {
  const { index } = view
  if (network.broadcast === 'source' || index.nodes.length === 0) return copies(view, network)
  return [set('tun_id', network.vni), `group:${groupOf(index.nodes, network)}`]
}

/** The hosts that have a port in a network, some of them more than once: servers in a VLAN are at every gateway. */
export function hostsOf(index: NetworkIndex, network: Network): string[] {
  const gateways = index.vlans.filter((vlan) => vlan.network === network).flatMap((vlan) => vlan.gateways)
  const ports = (index.portsOf.get(network.name) ?? []).filter(({ attach }) => attach.kind !== 'vlan')
  return [...ports.map((port) => port.host), ...gateways]
}

/** One copy to each other host that has a port in the network, in the order of their names. */
function copies(view: HostView, network: Network): string[] {
  const { index, host } = view
  const others = new Set(hostsOf(index, network).filter((name) => name !== host))
  const ends = [...others].sort().flatMap((name) => index.ends.get(name) ?? [])
  return ends.length === 0
    ? []
    : [set('tun_id', network.vni), ...ends.flatMap((end) => [set('tun_dst', end.ip), `output:${switchPorts[network.tunnel]}`])]
}
