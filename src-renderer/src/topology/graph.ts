import type { ElementDefinition, StylesheetJson } from 'cytoscape'
import { linkId, switchState, type Topology } from '../../../core/topology/topology.ts'
import type { SummaryState } from '../../../core/status/summary.ts'
import type { Status } from '../../../core/contract/desktop/inventory.ts'
import type { LiveState, Nic } from '../../../core/model/index.ts'
import { linkSpeed } from '../format.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'
import type { Layout } from './layout.ts'

/*
 * The layout as Cytoscape's elements. There are no compound nodes: they made pan and zoom 13 times slower, and a NIC sits on its host's
 * border, where no child of a compound may be. What belongs together carries the same `group` and is moved together.
 */

export interface GraphInput {
  layout: Layout
  topology: Topology
  status: Pick<Status, 'hosts' | 'cluster'>
  nics: Nic[]
  m: Messages
}

/** With more hosts than this, links crowd: only what is down is said in words. */
const roomyHosts = 8

type Data = Record<string, string | number>

export function elementsOf({ layout, topology, status, nics, m }: GraphInput): ElementDefinition[] {
  const elements: ElementDefinition[] = []
  const roomy = layout.hosts.size <= roomyHosts
  const node = (id: string, classes: string, position: { x: number; y: number }, data: Data): void =>
    void elements.push({
      group: 'nodes',
      data: { id, ...data },
      position: { x: position.x, y: position.y },
      classes,
      grabbable: classes === 'host' || classes === 'switch',
      selectable: false,
    })
  const label = (owner: string, at: { x: number; y: number }, name: string, state: SummaryState, word: string): void => {
    node(`${owner}#name`, 'name', at, { label: name, group: owner })
    node(`${owner}#state`, `state ${state}`, { x: at.x + 5, y: at.y + 19 }, { label: word, group: owner })
  }

  for (const [name, box] of layout.switches) {
    const id = `switch/${name}`
    const state = switchState(topology, name)
    node(id, 'switch', box, { width: box.width, height: box.height, group: id })
    label(id, { x: box.x - box.width / 2 + 12, y: box.y - 9 }, name, state, m.state[state])
  }
  for (const port of layout.ports)
    node(`port/${port.id}`, 'port', port, { label: port.label, width: port.width, height: port.height, group: `switch/${port.switch}` })
  for (const [name, box] of layout.hosts) {
    const id = `host/${name}`
    const state = status.hosts.find((host) => host.name === name)?.state ?? 'unknown'
    node(id, 'host', box, { width: box.width, height: box.height, group: id })
    label(
      id,
      { x: box.x - box.width / 2 + 14, y: box.y - 9 },
      name,
      state,
      status.cluster.leader === name ? `${m.hostState[state]} · ${m.topology.leader}` : m.hostState[state],
    )
  }
  for (const box of layout.nics) {
    const nic = nics.find((known) => known.host === box.host && known.name === box.name)
    const live = status.hosts.find((host) => host.name === box.host)?.state === 'up'
    node(`nic/${box.id}`, `nic ${live ? nic?.state : 'unknown'}`, box, {
      label: box.name,
      width: box.width,
      height: box.height,
      group: `host/${box.host}`,
    })
  }
  for (const link of topology.links) {
    const nic = nics.find((known) => known.host === link.host && known.name === link.nic)
    if (!nic) continue
    elements.push({
      group: 'edges',
      data: {
        id: `link/${linkId(link)}`,
        source: `nic/${link.host}/${link.nic}`,
        target: `port/${link.switch}/${link.port}`,
        label: roomy || link.state === 'down' ? linkLabel(link.state, nic.speedMbps, m) : '',
        width: speedWidth(nic.speedMbps),
      },
      classes: link.state,
      selectable: false,
    })
  }
  return elements
}

const linkLabel = (state: LiveState, speedMbps: number | undefined, m: Messages): string =>
  state !== 'up' ? m.state[state] : speedMbps ? linkSpeed(speedMbps) : ''

/** Faster links are drawn wider: 1.5 px up to 1 Gb/s, a little more for each step of the trade's speeds. */
const speedWidth = (mbps = 0): number => 1.5 + [1000, 10_000, 25_000, 40_000].filter((step) => mbps > step).length * 0.6

/** The look, in the colours of the theme that is shown. */
export function styleOf(token: (name: string) => string): StylesheetJson {
  const sans = 'Inter Variable, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif'
  const mono = 'JetBrains Mono Variable, monospace'
  const state = (name: string) => token(name)
  return [
    {
      selector: 'node',
      style: {
        'shape': 'rectangle',
        'font-family': sans,
        'font-size': 12,
        'color': token('text'),
        'border-width': 0,
        'overlay-opacity': 0,
        'active-bg-opacity': 0,
        'text-events': 'no',
        'min-zoomed-font-size': 6,
      } as object,
    },
    {
      selector: '.host, .switch',
      style: {
        'shape': 'round-rectangle',
        'corner-radius': '6px',
        'width': 'data(width)',
        'height': 'data(height)',
        'background-color': token('raised'),
        'border-width': 1,
        'border-color': token('line-strong'),
        'z-index': 2,
      } as object,
    },
    { selector: '.switch', style: { 'background-color': token('canvas') } },
    {
      selector: '.nic, .port',
      style: {
        'shape': 'round-rectangle',
        'corner-radius': '3px',
        'width': 'data(width)',
        'height': 'data(height)',
        'label': 'data(label)',
        'text-valign': 'center',
        'text-halign': 'center',
        'background-color': token('surface'),
        'border-width': 1,
        'border-color': token('line-strong'),
        'color': token('dim'),
        'z-index': 4,
      } as object,
    },
    { selector: '.port', style: { 'font-family': mono, 'color': token('dim') } },
    { selector: '.nic.down', style: { 'border-color': state('down'), 'color': state('down'), 'border-width': 1.5 } },
    { selector: '.nic.unknown', style: { 'border-style': 'dashed', 'border-color': state('unknown'), 'color': state('unknown') } },
    {
      selector: '.name',
      style: {
        'width': 1,
        'height': 1,
        'background-opacity': 0,
        'label': 'data(label)',
        'text-halign': 'right',
        'text-valign': 'center',
        'font-weight': 600,
        'font-size': 14,
        'events': 'no',
        'z-index': 5,
      } as object,
    },
    {
      selector: '.state',
      style: {
        'width': 9,
        'height': 9,
        'label': 'data(label)',
        'text-halign': 'right',
        'text-valign': 'center',
        'text-margin-x': 6,
        'events': 'no',
        'z-index': 5,
        'background-opacity': 1,
      } as object,
    },
    { selector: '.state.up', style: { 'shape': 'ellipse', 'background-color': state('up'), 'color': state('up') } },
    { selector: '.state.down', style: { 'shape': 'rectangle', 'background-color': state('down'), 'color': state('down') } },
    {
      selector: '.state.unknown',
      style: { 'shape': 'diamond', 'background-opacity': 0, 'border-width': 1.5, 'border-color': state('unknown'), 'color': state('unknown') },
    },
    {
      selector: '.state.degraded',
      style: {
        'shape': 'ellipse',
        'background-opacity': 0,
        'border-width': 1.5,
        'border-color': state('degraded'),
        'color': state('degraded'),
        'pie-size': '100%',
        'pie-1-background-color': state('degraded'),
        'pie-1-background-size': 50,
      } as object,
    },
    {
      selector: 'edge',
      style: {
        'curve-style': 'straight',
        'width': 'data(width)',
        'line-color': token('line-strong'),
        'label': 'data(label)',
        'font-family': sans,
        'font-size': 12,
        'color': token('faint'),
        'min-zoomed-font-size': 11,
        'text-background-color': token('surface'),
        'text-background-opacity': 1,
        'text-background-padding': '2px',
        'overlay-opacity': 0,
        'z-index': 1,
      } as object,
    },
    {
      selector: 'edge.down',
      style: {
        'line-style': 'dashed',
        'line-dash-pattern': [6, 5],
        'line-color': state('down'),
        'color': state('down'),
        'min-zoomed-font-size': 5,
        'font-weight': 600,
      } as object,
    },
    {
      selector: 'edge.unknown',
      style: { 'line-style': 'dotted', 'line-color': state('unknown'), 'color': state('unknown'), 'min-zoomed-font-size': 8 } as object,
    },
    { selector: 'node.chosen', style: { 'border-color': token('accent'), 'border-width': 2, 'background-color': token('selected') } },
    // A chosen link keeps the colour of its state: the choice lies under it.
    { selector: 'edge.chosen', style: { 'underlay-color': token('accent'), 'underlay-opacity': 0.45, 'underlay-padding': 6 } as object },
  ]
}
