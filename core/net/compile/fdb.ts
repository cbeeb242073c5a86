import type { Network, Port } from '../../model/network.ts'
import { cookieOf } from './cookie.ts'
import { drop, goOn, join, set, toMany, type Emit } from './emit.ts'
import { sendError } from './errors.ts'
import { switchPorts } from './tables.ts'
import type { HostView } from './view.ts'

/**
 * Where frames go: to a local port, or once through a tunnel to the host of the port. What came out of a tunnel enters none. Broadcast and
 * multicast are copied to every port of the network, one copy a host. Unknown unicast is dropped and counted: every port is known.
 */
export function emitForwarding(view: HostView, emit: Emit): void {
  const { index, host } = view
  for (const network of view.reachedNetworks) {
    for (const port of index.portsOf.get(network.name) ?? []) {
      const cookie = cookieOf('none', 'port', port.name)
      const match = `reg0=${network.vni},dl_dst=${port.mac}`
      if (port.host === host) emit('fdb', 100, cookie, match, deliver(port))
      else emitRemote(view, network, port, match, emit)
    }
  }
  for (const network of view.localNetworks) {
    const local = view.localPorts.filter((port) => port.network === network.name)
    const here = local.map(deliver)
    const cookie = cookieOf('none', 'network', network.name)
    emit('fdb', 100, cookie, `reg0=${network.vni},reg9=0,${toMany}`, join(...here, ...copies(view, network)))
    emit('fdb', 100, cookie, `reg0=${network.vni},reg9=1,${toMany}`, join(...here))
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

function deliver(port: Port): string {
  return join(set('reg2', port.number), goOn('trackIn'))
}

function emitRemote(view: HostView, network: Network, port: Port, match: string, emit: Emit): void {
  const end = view.index.input.hosts.get(port.host)
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

/** One copy to each other host that has a port in the network, in the order of their names. */
function copies(view: HostView, network: Network): string[] {
  const { index, host } = view
  const others = new Set((index.portsOf.get(network.name) ?? []).map((port) => port.host).filter((name) => name !== host))
  const ends = [...others].sort().flatMap((name) => index.input.hosts.get(name) ?? [])
  return ends.length === 0
    ? []
    : [set('tun_id', network.vni), ...ends.flatMap((end) => [set('tun_dst', end.ip), `output:${switchPorts[network.tunnel]}`])]
}
