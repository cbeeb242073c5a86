import {
  defaultBroadcastMode,
  defaultMtuBytes,
  type Acl,
  type Network,
  type NetworkHost,
  type Peering,
  type Port,
  type Router,
  type Vip,
} from '../../model/network.ts'
import { formatIp, parseIp } from '../address.ts'
import type { DeclaredAcl, DeclaredHost, DeclaredNetwork, DeclaredPeering, DeclaredPort, DeclaredRouter, DeclaredVip } from './schema.ts'

/**
 * Declared objects in the form in which they are stored: with their defaults and what was assigned to them, addresses in canonical text
 * (RFC 5952), keys in one order, absent ones left out. Lists keep their order.
 */

export function completeNetwork(declared: DeclaredNetwork, vni: number): Network {
  const {
    name,
    vpc,
    subnet,
    gateway,
    subnet6,
    gateway6,
    tunnel = 'vxlan',
    broadcast = defaultBroadcastMode,
    mtu: mtuBytes = defaultMtuBytes,
  } = declared
  return {
    name,
    vpc,
    vni,
    subnet,
    ...(gateway !== undefined && { gateway }),
    ...(subnet6 !== undefined && { subnet6: canonicalCidr(subnet6) }),
    ...(gateway6 !== undefined && { gateway6: canonicalIp(gateway6) }),
    tunnel,
    broadcast,
    mtuBytes,
  }
}

export function completeRouter({ name, vpc, networks, routes = [] }: DeclaredRouter, number: number, mac: string): Router {
  return { name, vpc, networks, routes: routes.map(({ to, via }) => ({ to: canonicalCidr(to), via: canonicalIp(via) })), number, mac }
}

export function completePeering({ name, routers, routes = [] }: DeclaredPeering): Peering {
  return { name, routers, routes: routes.map(({ on, to }) => ({ on, to: canonicalCidr(to) })) }
}

export function completeAcl({ name, network, port, direction, priority, match, action, stateful = true, log = false }: DeclaredAcl): Acl {
  const { proto, src, dst, sport, dport } = match
  return {
    name,
    ...(network !== undefined && { network }),
    ...(port !== undefined && { port }),
    direction,
    priority,
    match: {
      ...(proto !== undefined && { proto }),
      ...(src !== undefined && { src: canonicalCidr(src) }),
      ...(dst !== undefined && { dst: canonicalCidr(dst) }),
      ...(sport !== undefined && { sport }),
      ...(dport !== undefined && { dport }),
    },
    action,
    stateful,
    log,
  }
}

export function completePort(declared: DeclaredPort, { number, mac, host }: Pick<Port, 'number' | 'mac' | 'host'>): Port {
  const { name, network, ip, ip6, allow = [], attach } = declared
  return {
    name,
    network,
    mac,
    ip,
    ...(ip6 !== undefined && { ip6: canonicalIp(ip6) }),
    allow: allow.map(canonicalCidr),
    host,
    attach,
    number,
  }
}

export function completeHost({ name, roles = [], tunnelEnd }: DeclaredHost): NetworkHost {
  return { name, roles, ...(tunnelEnd && { tunnelEnd: { ip: tunnelEnd.ip, mac: tunnelEnd.mac.toLowerCase() } }) }
}

export function completeVip({ name, network, ip, ports, healthCheck, priorities }: DeclaredVip): Vip {
  return {
    name,
    network,
    ip: canonicalIp(ip),
    ports,
    ...(healthCheck && { healthCheck }),
    ...(priorities && { priorities }),
  }
}

function canonicalIp(text: string): string {
  return formatIp(parseIp(text)!)
}

/** Bits behind the length stay, to be complained about. */
function canonicalCidr(text: string): string {
  const [address, length] = text.split('/')
  return `${canonicalIp(address!)}/${length}`
}
