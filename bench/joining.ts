import { bundleText, flowChanges, type FlowChanges } from '../agent/network/switch/flow-changes.ts'
import type { BroadcastMode, VirtualNetwork } from '../core/model/network.ts'
import { compileHost } from '../core/net/compile/compile.ts'
import { toMany } from '../core/net/compile/emit.ts'
import type { Flow } from '../core/net/openflow/flow.ts'
import { hostNames, planned, sampleIndex } from './sample-network.ts'

/** Flows of some hosts that change. */
interface Changed {
  hosts: number
  flows: number
  /** Of what ovs-ofctl is given for them. */
  bytes: number
}

/** What a host that gets its first port in a network changes at the hosts that have one there already. */
export interface Joining {
  /** Flows by which broadcast goes from host to host. */
  broadcast: Changed
  /** Flows by which the new port is found: ARP, next hop, MAC. */
  unicast: Changed
  /** Flows of the host that joins. */
  own: number
  /** What ovs-ofctl is given on one of the hosts for its broadcast; empty where nothing changes. */
  bundle: string
}

/** So many hosts are compiled at most: all have one port, and the same ones elsewhere. */
export const compiledHosts = 100

/** A network with a port on each of `members` hosts, and then one on another. Mode `source` is not refused, however many they are. */
export function joining(mode: BroadcastMode, members: number): Joining {
  const hosts = hostNames(members + 1)
  const before = planned(hosts, declarationOf(hosts.slice(0, -1)))
  const after = planned(hosts, declarationOf(hosts.slice(0, -1)), `ports:\n${portOn(hosts.at(-1)!)}`)
  const [first, then] = [before, after].map((network) => sampleIndex(hosts, inMode(network, mode)))
  const joined: Joining = { broadcast: { hosts: 0, flows: 0, bytes: 0 }, unicast: { hosts: 0, flows: 0, bytes: 0 }, own: 0, bundle: '' }
  const compiled = some(hosts.slice(0, -1))
  for (const host of [...compiled, hosts.at(-1)!]) {
    const changes = flowChanges(compileHost(first!, host), compileHost(then!, host))
    if (host === hosts.at(-1)) {
      joined.own = changes.added.length
      continue
    }
    const broadcast = only(changes, isBroadcast)
    count(joined.broadcast, broadcast)
    count(
      joined.unicast,
      only(changes, (flow) => !isBroadcast(flow)),
    )
    joined.bundle ||= bundleText(broadcast)
  }
  const scaled = ({ hosts, flows, bytes }: Changed): Changed => {
    const all = (value: number): number => Math.round((value * members) / compiled.length)
    return { hosts: all(hosts), flows: all(flows), bytes: all(bytes) }
  }
  return { ...joined, broadcast: scaled(joined.broadcast), unicast: scaled(joined.unicast) }
}

/** At most so many, evenly spread. */
function some(hosts: readonly string[]): string[] {
  const count = Math.min(hosts.length, compiledHosts)
  return Array.from({ length: count }, (_, index) => hosts[Math.floor((index * hosts.length) / count)]!)
}

const isBroadcast = ({ match }: Flow): boolean => match.includes(toMany)

function only({ removed, added }: FlowChanges, is: (flow: Flow) => boolean): FlowChanges {
  return { removed: removed.filter(is), added: added.filter(is) }
}

function count(sum: Changed, changes: FlowChanges): void {
  const flows = changes.removed.length + changes.added.length
  if (flows === 0) return
  sum.hosts++
  sum.flows += flows
  sum.bytes += bundleText(changes).length
}

const portOn = (host: string): string => {
  const number = Number(host.slice(1)) + 10
  return `  - {name: p${host}, network: wide, ip: 10.20.${number >> 8}.${number & 255}, host: ${host}, attach: {kind: netns}}`
}

function declarationOf(hosts: readonly string[]): string {
  const network = '{name: wide, vpc: shop, subnet: 10.20.0.0/16, gateway: 10.20.0.1}'
  const router = '{name: shop, vpc: shop, networks: [wide]}'
  return [`networks: [${network}]`, `routers: [${router}]`, 'ports:', ...hosts.map(portOn)].join('\n')
}

function inMode(network: VirtualNetwork, broadcast: BroadcastMode): VirtualNetwork {
  return { ...network, networks: network.networks.map((each) => ({ ...each, broadcast })) }
}
