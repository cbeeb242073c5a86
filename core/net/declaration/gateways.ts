import type { Attachment, NetworkHost, Port } from '../../model/network.ts'
import { ranked } from '../rendezvous.ts'

/** A port, or what is declared of one. */
interface Placed {
  attach: Attachment
  host?: string | undefined
}

/** What a port in a VLAN is attached to: `VLAN 100 of tenant`; undefined for other ports. */
export function vlanOf({ attach }: Pick<Placed, 'attach'>): string | undefined {
  return attach.kind === 'vlan' ? `VLAN ${attach.vlan} of ${attach.nic}` : undefined
}

/** Names of the hosts with the role `gateway`. */
export function gatewaysAmong(hosts: readonly NetworkHost[]): string[] {
  return hosts.filter(({ roles }) => roles.includes('gateway')).map(({ name }) => name)
}

/**
 * The gateway of each VLAN that has ports: the first that is declared, else the one that it had, as long as that is one, else the one that prefers
 * it most (rendezvous hashing, as for `nodesFor`). None where there is no gateway.
 */
export function gatewayOfVlans(declared: readonly Placed[], before: readonly Port[], gateways: readonly string[]): Map<string, string> {
  const ports = [...declared, ...before].filter(({ attach }) => attach.kind === 'vlan')
  const gatewayOf = new Map<string, string>()
  const said = ({ host }: Placed): string | undefined => gateways.find((name) => name === host)
  for (const choose of [said, (port: Placed) => preferred(port, gateways)]) {
    for (const port of ports) {
      const vlan = vlanOf(port)!
      const host = gatewayOf.has(vlan) ? undefined : choose(port)
      if (host !== undefined) gatewayOf.set(vlan, host)
    }
  }
  return gatewayOf
}

function preferred({ attach }: Placed, gateways: readonly string[]): string | undefined {
  return attach.kind === 'vlan' ? ranked(`${attach.nic} ${attach.vlan}`, gateways)[0] : undefined
}
