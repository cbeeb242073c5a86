import type { Entity, EntityDocs, Link, LiveState, Switch } from '../model/index.ts'
import { Freshness, type Source } from '../status/freshness.ts'
import { summarise, type SummaryState } from '../status/summary.ts'

export interface TopologyInput {
  /** Of every kind; `neighbour`, `nic` and `host` are used. */
  entities: Iterable<Entity>
  sources: Iterable<Source>
  /** The laptop's wall clock. */
  nowMs: number
}

export interface Topology {
  switches: Switch[]
  links: Link[]
}

/**
 * The physical network as LLDP tells it. Both lists are in natural order.
 *
 * A link is `down` when its NIC has no carrier, `up` when LLDP hears the switch, and `unknown` when the NIC has a carrier but LLDP fell
 * silent, or when the host's monitor has not been heard lately. A neighbour that LLDP lost stays on the picture, with the time it was
 * lost, until another NIC is heard at the same port. Switches are told apart by their system name; a neighbour without one goes by its
 * chassis id. A neighbour that is itself a host of the cluster is no switch and is left out. Cables between switches cannot be heard from
 * a host, so none is shown.
 */
export function topologyOf(input: TopologyInput): Topology {
  const freshness = new Freshness(input.sources, input.nowMs)
  const nics = new Map<string, EntityDocs['nic']>()
  const neighbours: EntityDocs['neighbour'][] = []
  const hosts = new Set<string>()
  for (const entity of input.entities) {
    if (entity.kind === 'nic') nics.set(entity.id, entity.doc)
    else if (entity.kind === 'neighbour') neighbours.push(entity.doc)
    else if (entity.kind === 'host') hosts.add(entity.doc.name)
  }

  const seen = neighbours
    .map((doc) => ({ doc, switch: doc.systemName || doc.chassisId, seenAtMs: doc.lostAtMs ?? freshness.seenAtMs(doc.host, 'monitor') ?? 0 }))
    .filter((neighbour) => !hosts.has(neighbour.switch))
    .sort((a, b) => a.seenAtMs - b.seenAtMs || compare(a.doc.host, b.doc.host) || compare(a.doc.nic, b.doc.nic))
  const portOf = (neighbour: (typeof seen)[number]): string => JSON.stringify([neighbour.switch, neighbour.doc.portId])
  const taken = new Set(seen.filter(({ doc }) => doc.lostAtMs === undefined).map(portOf))

  const switches = new Map<string, { chassisId: string; ports: Map<string, Switch['ports'][number]> }>()
  const links: Link[] = []
  for (const neighbour of seen) {
    const { doc, switch: name, seenAtMs } = neighbour
    if (doc.lostAtMs !== undefined && taken.has(portOf(neighbour))) continue
    // Latest last: of several reports of a chassis or a port the newest is kept.
    const found = switches.get(name) ?? { chassisId: doc.chassisId, ports: new Map() }
    found.chassisId = doc.chassisId
    found.ports.set(doc.portId, { id: doc.portId, ...(doc.portDescription !== undefined && { description: doc.portDescription }) })
    switches.set(name, found)

    const nic = nics.get(`${doc.host}/${doc.nic}`)
    const state = freshness.isFresh(doc.host, 'monitor') ? linkState(doc, nic) : 'unknown'
    links.push({ host: doc.host, nic: doc.nic, ...(nic?.plane && { plane: nic.plane }), switch: name, port: doc.portId, state, seenAtMs })
  }
  return {
    switches: [...switches]
      .map(([name, { chassisId, ports }]) => ({ name, chassisId, ports: [...ports.values()].sort((a, b) => compare(a.id, b.id)) }))
      .sort((a, b) => compare(a.name, b.name)),
    links: links.sort((a, b) => compare(linkId(a), linkId(b))),
  }
}

/** Id of a link: `host/nic--switch/port`. */
export function linkId(link: Link): string {
  return `${link.host}/${link.nic}--${link.switch}/${link.port}`
}

/** How a switch fares by what its links say: `up` and `degraded` mean that some host hears it. */
export function switchState(topology: Topology, name: string): SummaryState {
  return summarise(topology.links.filter((link) => link.switch === name).map((link) => link.state))
}

const naturalOrder = new Intl.Collator('en', { numeric: true })

/** Natural order, and code units where that sees no difference, so that the order never depends on the input's. */
function compare(a: string, b: string): number {
  return naturalOrder.compare(a, b) || (a < b ? -1 : Number(a > b))
}

function linkState(neighbour: EntityDocs['neighbour'], nic: EntityDocs['nic'] | undefined): LiveState {
  if (nic?.state === 'down') return 'down'
  return neighbour.lostAtMs === undefined ? 'up' : 'unknown'
}
