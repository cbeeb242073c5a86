import { emptyVirtualNetwork, type TunnelEnd, type VirtualNetwork } from '../core/model/network.ts'
import { parseDeclaration } from '../core/net/declaration/parse.ts'
import { planNetwork } from '../core/net/declaration/plan.ts'
import { indexNetwork, type NetworkIndex } from '../core/net/compile/view.ts'
import { buildWorld } from '../core/net/trace/build-world.ts'
import { tunnelMacOf } from '../core/net/tunnel-mac.ts'
import type { World } from '../core/net/trace/world.ts'

/** How large a virtual network is to be. Its ports are spread evenly over networks and hosts. */
export interface NetworkShape {
  hosts: readonly string[]
  vpcs: number
  networksPerVpc: number
  portsPerNetwork: number
}

/** What a sample's ports hang on. A `vm` has no device while nobody has started it. */
type SampleAttachment = 'netns' | 'vm'

/** Names `h1` to `hN`. */
export function hostNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `h${index + 1}`)
}

/** Name of a port of the sample. */
export function portName(vpc: number, network: number, port: number): string {
  return `p${vpc}-${network}-${port}`
}

/** Address of a port of the sample. */
export function portIp(vpc: number, network: number, port: number): string {
  return `10.${vpc}.${network}.${port + 10}`
}

/** The host that a port of the sample is on. */
export function hostOfPort({ hosts, networksPerVpc, portsPerNetwork }: NetworkShape, vpc: number, network: number, port: number): string {
  return hosts[((vpc * networksPerVpc + network) * portsPerNetwork + port) % hosts.length]!
}

/** One port of the sample, as a line of a declaration. */
export function portLine(
  vpc: number,
  network: number,
  port: number,
  host: string,
  attach: SampleAttachment,
  ip = portIp(vpc, network, port),
): string {
  const name = portName(vpc, network, port)
  const kind = attach === 'vm' ? `{kind: vm, vm: ${name}}` : '{kind: netns}'
  return `  - {name: ${name}, network: n${vpc}-${network}, ip: ${ip}, host: ${host}, attach: ${kind}}`
}

/**
 * A declaration of VPCs that each route between their networks. Every network refuses SSH from the next one and PostgreSQL from half of the
 * one after it.
 */
export function sampleDeclaration(shape: NetworkShape, attach: SampleAttachment = 'netns'): string {
  const { vpcs, networksPerVpc, portsPerNetwork } = shape
  const lines = { networks: [] as string[], routers: [] as string[], acls: [] as string[], ports: [] as string[] }
  for (let vpc = 0; vpc < vpcs; vpc++) {
    const names = Array.from({ length: networksPerVpc }, (_, network) => `n${vpc}-${network}`)
    lines.routers.push(`  - {name: r${vpc}, vpc: v${vpc}, networks: [${names.join(', ')}]}`)
    for (const [network, name] of names.entries()) {
      const from = (distance: number): string => `10.${vpc}.${(network + distance) % networksPerVpc}.0`
      lines.networks.push(`  - {name: ${name}, vpc: v${vpc}, subnet: 10.${vpc}.${network}.0/24, gateway: 10.${vpc}.${network}.1}`)
      lines.acls.push(
        `  - {name: ssh-${vpc}-${network}, network: ${name}, direction: in, priority: 100, match: {proto: tcp, dport: 22, src: ${from(1)}/24}, action: drop}`,
        `  - {name: pg-${vpc}-${network}, network: ${name}, direction: in, priority: 90, match: {proto: tcp, dport: 5432, src: ${from(2)}/26}, action: drop}`,
      )
      for (let port = 0; port < portsPerNetwork; port++) lines.ports.push(portLine(vpc, network, port, hostOfPort(shape, vpc, network, port), attach))
    }
  }
  return Object.entries(lines)
    .flatMap(([section, items]) => [`${section}:`, ...items])
    .join('\n')
}

/** The network that declarations make, applied one after the other. */
export function planned(hosts: readonly string[], ...declarations: string[]): VirtualNetwork {
  let network = emptyVirtualNetwork
  for (const declaration of declarations) network = planNetwork(network, parseDeclaration(declaration), { hosts, prune: false }).next
  return network
}

/** Where the hosts' tunnels end: made up. */
function sampleEnds(hosts: readonly string[]): Map<string, TunnelEnd> {
  return new Map(hosts.map((host, index) => [host, { ip: tenantIp(index), mac: tunnelMacOf(tenantIp(index)) }]))
}

const tenantIp = (index: number): string => `172.16.${index >> 8}.${(index & 255) + 1}`

/** What the compiler starts from. */
export function sampleIndex(hosts: readonly string[], network: VirtualNetwork): NetworkIndex {
  return indexNetwork({ network, hosts: sampleEnds(hosts) })
}

/** What a laptop knows of these hosts, all of which are well and hang on two switches. */
export function sampleWorld(hosts: readonly string[], network: VirtualNetwork): World {
  const entities = hosts.flatMap((host, index) => [
    {
      ...{ kind: 'host' as const, id: host, atMs: 0 },
      doc: {
        name: host,
        addresses: { mgmt: `172.17.${index >> 8}.${(index & 255) + 1}`, tenant: tenantIp(index) },
        role: 'voter' as const,
        joinedAtMs: 0,
      },
    },
    {
      ...{ kind: 'nic' as const, id: `${host}/tenant`, atMs: 0 },
      doc: { host, name: 'tenant', plane: 'tenant' as const, mac: '02:00:00:00:00:01', addresses: [], state: 'up' as const, mtuBytes: 1600 },
    },
    {
      ...{ kind: 'neighbour' as const, id: `${host}/tenant`, atMs: 0 },
      doc: { host, nic: 'tenant', chassisId: `c${index % 2}`, systemName: `tor${(index % 2) + 1}`, portId: `swp${index}` },
    },
  ])
  return buildWorld({ network, entities, hostStates: new Map(hosts.map((host) => [host, 'up'])) })
}
