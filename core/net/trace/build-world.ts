import type { Entity, EntityDocs } from '../../model/entity.ts'
import type { LiveState, Plane } from '../../model/common.ts'
import type { TunnelEnd, VirtualNetwork } from '../../model/network.ts'
import { compileHost } from '../compile/compile.ts'
import { FlowOwners } from '../compile/cookie.ts'
import { compileGroups } from '../compile/groups.ts'
import { vlanGroups } from '../compile/vlans.ts'
import { indexNetwork, type CompileInput, type VipPlace } from '../compile/view.ts'
import { parseGroup } from '../openflow/group.ts'
import { tunnelMacOf } from '../tunnel-mac.ts'
import { sameJson } from '../../sync/same-json.ts'
import { FlowTables } from '../openflow/tables.ts'
import type { HostState, World } from './world.ts'

export interface WorldInput {
  network: VirtualNetwork
  /** Of every kind; `host`, `nic`, `neighbour`, `forwarding`, `broadcastNode` and `vipState` are used. */
  entities: Iterable<Entity>
  /** State of each host, by name. */
  hostStates: ReadonlyMap<string, LiveState>
  /** How each host hears the others on each plane, by the names of both. */
  heard?: readonly { name: string; planes: Readonly<Partial<Record<Plane, Readonly<Record<string, LiveState>>>>> }[]
  /** Of the network; null, or not said: it is a plan. */
  revision?: number | null
  /** An earlier world: where the network and the hosts' tunnel ends are still the same, what was compiled for it is not compiled again. */
  previous?: World | undefined
}

/** What is said of a host. */
interface Known {
  host?: EntityDocs['host']
  forwarding?: EntityDocs['forwarding']
  node?: EntityDocs['broadcastNode']
  nics: EntityDocs['nic'][]
  neighbours: EntityDocs['neighbour'][]
}

/** What a simulated trace goes by, from what a laptop knows. Flows of a host are compiled when the first trace passes it. */
export function buildWorld({ network, entities, hostStates, heard = [], revision = null, previous }: WorldInput): World {
  const known = new Map<string, Known>()
  const owners = new Map<string, VipPlace>()
  const of = (name: string) => {
    const found = known.get(name) ?? { nics: [], neighbours: [] }
    known.set(name, found)
    return found
  }
  for (const entity of entities) {
    if (entity.kind === 'host') of(entity.doc.name).host = entity.doc
    else if (entity.kind === 'forwarding') of(entity.doc.host).forwarding = entity.doc
    else if (entity.kind === 'broadcastNode') of(entity.doc.host).node = entity.doc
    else if (entity.kind === 'vipState' && entity.doc.owner) owners.set(entity.doc.name, entity.doc.owner)
    else if (entity.kind === 'nic') of(entity.doc.host).nics.push(entity.doc)
    else if (entity.kind === 'neighbour') of(entity.doc.host).neighbours.push(entity.doc)
  }
  const ends = new Map<string, TunnelEnd>()
  const hosts = new Map<string, HostState>()
  for (const [name, { host, forwarding, node, nics, neighbours }] of known) {
    const ip = host?.addresses.tenant ?? host?.addresses.mgmt
    const end = forwarding?.tunnelEnd ?? (ip === undefined ? undefined : { ip, mac: tunnelMacOf(ip) })
    if (end) ends.set(name, end)
    const plane = host?.addresses.tenant === undefined ? 'mgmt' : 'tenant'
    const nic = nicOn(plane, forwarding?.nic, nics)
    const neighbour = nic && neighbours.find((one) => one.nic === nic.name)
    hosts.set(name, {
      state: hostStates.get(name) ?? 'unknown',
      nic,
      cable: neighbour ? { switch: neighbour.systemName || neighbour.chassisId, port: neighbour.portId } : null,
      // Without its NIC the module says that the switch is down.
      switchState: nic?.state === 'missing' ? null : (forwarding?.state ?? null),
      portsDown: new Set(forwarding?.portsDown ?? []),
      hears: new Map(Object.entries(heard.find((row) => row.name === name)?.planes[plane] ?? {})),
      deadWatches: null,
      replicates: node ? node.way !== null : null,
      revision: forwarding?.revision ?? null,
    })
  }
  const input = { network, hosts: ends, owners }
  return { ...(previous && sameInput(previous.index.input, input) ? previous : compiled(input)), hosts, revision }
}

function compiled(input: CompileInput): Pick<World, 'index' | 'owners' | 'tablesOf'> {
  const index = indexNetwork(input)
  const tables = new Map<string, FlowTables>()
  return {
    index,
    owners: new FlowOwners(input.network),
    tablesOf(host) {
      const made =
        tables.get(host) ?? new FlowTables(compileHost(index, host), [...compileGroups(index.nodes), ...vlanGroups(index, host)].map(parseGroup))
      tables.set(host, made)
      return made
    },
  }
}

function sameInput(a: CompileInput, b: CompileInput): boolean {
  return sameJson(a.network, b.network) && sameJson([...a.hosts], [...b.hosts]) && sameJson([...(a.owners ?? [])], [...(b.owners ?? [])])
}

/** The NIC that carries tunnels: of this name, or of the plane where no name is known. Null: nothing is known of the host's NICs. */
function nicOn(plane: Plane, name: string | undefined, nics: readonly EntityDocs['nic'][]): HostState['nic'] {
  const nic = nics.find((one) => (name === undefined ? one.plane === plane : one.name === name))
  if (nic) return { name: nic.name, state: nic.state, mtuBytes: nic.mtuBytes, mac: nic.mac }
  return nics.length === 0 ? null : { name: name ?? plane, state: 'missing', mtuBytes: 0, mac: '' }
}
