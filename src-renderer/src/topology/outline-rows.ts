import type { Status } from '../../../core/contract/desktop/inventory.ts'
import type { SummaryState } from '../../../core/status/summary.ts'
import { linkId, switchState, type Topology } from '../../../core/topology/topology.ts'
import { byName } from '../format.ts'
import type { NetworkView } from '../network/view.ts'
import type { Ref } from '../state/place.ts'
import type { Layer } from './layers.ts'

/** A line of the outline: a head, or an object. */
export type OutlineRow =
  | { head: 'networks' | 'hosts' | 'switches' }
  | {
      ref: Ref
      name: string
      /** Null for what has no state of its own. */
      state: SummaryState | null
      level: 1 | 2
      /** Whether its ports follow it; null for what has none to show. */
      open: boolean | null
    }

export interface OutlineInput {
  layer: Layer
  status: Pick<Status, 'hosts'>
  topology: Topology
  view: Pick<NetworkView, 'networks' | 'routers' | 'portsOf' | 'portsOn' | 'vips' | 'hosts'>
  expandedHosts: ReadonlySet<string>
  expandedLanes: ReadonlySet<string>
  stateOf: (ports: readonly { name: string; host: string }[]) => SummaryState
  vipStateOf: (vip: string) => SummaryState
}

/** The picture in words, line by line. */
export function outlineRows({ layer, status, topology, view, expandedHosts, expandedLanes, stateOf, vipStateOf }: OutlineInput): OutlineRow[] {
  const rows: OutlineRow[] = []
  const addPorts = (ports: readonly { name: string; host: string }[]): void => {
    for (const port of ports) rows.push({ ref: { kind: 'port', id: port.name }, name: port.name, state: stateOf([port]), level: 2, open: null })
  }
  if (layer !== 'physical' && view.networks.length > 0) {
    rows.push({ head: 'networks' })
    for (const { name } of view.networks) {
      const ports = view.portsOf(name)
      const open = layer === 'virtual' && ports.length > 0 ? expandedLanes.has(name) : null
      rows.push({ ref: { kind: 'network', id: name }, name, state: ports.length > 0 ? stateOf(ports) : null, level: 1, open })
      if (open) addPorts(ports)
    }
    for (const { name } of view.vips) rows.push({ ref: { kind: 'vip', id: name }, name, state: vipStateOf(name), level: 1, open: null })
    for (const { name } of view.routers) rows.push({ ref: { kind: 'router', id: name }, name, state: null, level: 1, open: null })
  }
  if (layer !== 'virtual') {
    rows.push({ head: 'hosts' })
    for (const { name, state } of status.hosts) {
      const ports = view.portsOn(name)
      const open = ports.length > 0 ? expandedHosts.has(name) : null
      rows.push({ ref: { kind: 'host', id: name }, name, state, level: 1, open })
      if (open) addPorts(ports)
    }
    for (const { name } of view.hosts.filter(({ tunnelEnd }) => tunnelEnd)) {
      const ports = view.portsOn(name)
      const open = ports.length > 0 ? expandedHosts.has(name) : null
      rows.push({ ref: { kind: 'networkHost', id: name }, name, state: null, level: 1, open })
      if (open) addPorts(ports)
    }
    if (topology.switches.length > 0) rows.push({ head: 'switches' })
    for (const { name } of topology.switches) {
      rows.push({ ref: { kind: 'switch', id: name }, name, state: switchState(topology, name), level: 1, open: null })
      for (const link of topology.links.filter((each) => each.switch === name).toSorted((a, b) => byName(a.port, b.port)))
        rows.push({
          ref: { kind: 'link', id: linkId(link) },
          name: `${link.port} – ${link.host} ${link.nic}`,
          state: link.state,
          level: 2,
          open: null,
        })
    }
  }
  return rows
}
