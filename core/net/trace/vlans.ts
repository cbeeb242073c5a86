import type { Port } from '../../model/network.ts'
import { vlanPortOf, type Vlan } from '../compile/vlans.ts'
import type { World } from './world.ts'

/* Servers in VLANs as a trace passes them: which gateway forwards, and whom a frame reaches there. */

/** The gateway that forwards for a server in a VLAN: the first that can; null for any other port, or where none can. */
export function gatewayOf(world: World, port: Port): string | null {
  const vlan = world.index.vlans.find(({ ports }) => ports.includes(port))
  return vlan?.gateways.find((host) => forwards(world, vlan, host)) ?? null
}

function forwards({ hosts }: World, vlan: Vlan, host: string): boolean {
  const state = hosts.get(host)
  return state?.state !== 'down' && state?.switchState !== 'down' && !isCut(vlan, state?.portsDown)
}

function isCut({ ports }: Vlan, portsDown: ReadonlySet<string> | undefined): boolean {
  return portsDown?.has(ports[0]!.name) ?? false
}

/** The VLAN whose device has a number on a host's switch. */
export function vlanAt({ index }: World, host: string, number: number): Vlan | undefined {
  return index.vlans.find((vlan) => vlan.gateways.includes(host) && vlanPortOf(vlan) === number)
}

/** Where a server's frames come into the switch of its gateway, and by which NIC. Null for any other port. */
export function vlanEntry({ index }: World, port: Port): { inPort: number; inName: string; vlan: number } | null {
  const vlan = index.vlans.find(({ ports }) => ports.includes(port))
  return vlan ? { inPort: vlanPortOf(vlan), inName: vlan.nic, vlan: vlan.vlan } : null
}

/** The servers that a frame reaches in its VLAN: the one that it is for, or all. */
export function serversFor({ ports }: Vlan, dst: string): readonly Port[] {
  const meant = ports.filter(({ mac }) => mac === dst)
  return meant.length > 0 ? meant : ports
}

/** Devices of VLANs on a host's switch that have no carrier, by number: groups watch them. */
export function deadVlans({ index, hosts }: World, host: string): number[] {
  return index.vlans.flatMap((vlan) => (vlan.gateways.includes(host) && isCut(vlan, hosts.get(host)?.portsDown) ? [vlanPortOf(vlan)] : []))
}
