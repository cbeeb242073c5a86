import type { ElementDefinition } from 'cytoscape'
import { linkId, switchState, type Topology } from '../../../core/topology/topology.ts'
import { worst, type SummaryState } from '../../../core/status/summary.ts'
import type { Status } from '../../../core/contract/desktop/inventory.ts'
import type { LiveState, Nic } from '../../../core/model/index.ts'
import type { HostRole } from '../../../core/model/network.ts'
import { linkSpeed } from '../format.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'
import type { NetworkView } from '../network/view.ts'
import type { Lanes } from './lanes.ts'
import type { Layout } from './layout.ts'
import type { VipBox } from './vips.ts'

/*
 * The layouts as Cytoscape's elements. There are no compound nodes: they made pan and zoom 13 times slower, and a NIC sits on its host's
 * border, where no child of a compound may be. What belongs together carries the same `group` and is moved together. Ids of what can be
 * selected are `kind/id`; a `toggle` is what a click expands or collapses.
 */

export interface GraphInput {
  /** Null while only the virtual network is shown. */
  layout: Layout | null
  /** Null while only the physical one is shown. */
  lanes: Lanes | null
  topology: Topology
  status: Pick<Status, 'hosts' | 'cluster'>
  nics: Nic[]
  vips: readonly VipBox[]
  view: Pick<NetworkView, 'network' | 'portsOf' | 'portsOn' | 'peerings' | 'port' | 'host'>
  /** State of a port of the virtual network. */
  stateOf: (port: string) => SummaryState
  /** State of a VIP. */
  vipStateOf: (vip: string) => SummaryState
  rolesOf: (host: string) => readonly HostRole[]
  /** Networks whose ports are all shown where the virtual network is alone. */
  expandedLanes: ReadonlySet<string>
  /** Whether names of networks stand alone in their band. */
  narrow?: boolean
  m: Messages
}

/** With more hosts than this, links crowd: only what is down is said in words. */
const roomyHosts = 8

type Data = Record<string, string | number>
interface At {
  x: number
  y: number
}

/** What stands before a name in trouble, so that colour is not all that tells. */
const glyphs: Record<SummaryState, string> = { up: '', degraded: '◐ ', down: '■ ', unknown: '◇ ' }
const grabbed = new Set(['host', 'switch', 'host foreign'])

class Elements {
  readonly list: ElementDefinition[] = []

  node(id: string, classes: string, { x, y }: At, data: Data): void {
    this.list.push({ group: 'nodes', data: { id, ...data }, position: { x, y }, classes, grabbable: grabbed.has(classes), selectable: false })
  }

  box(id: string, classes: string, box: At & { width: number; height: number }, data: Data): void {
    this.node(id, classes, box, { width: box.width, height: box.height, text: Math.max(8, box.width - 8), ...data })
  }

  edge(id: string, classes: string, source: string, target: string, data: Data = {}): void {
    this.list.push({ group: 'edges', data: { id, source, target, label: '', width: 1.5, ...data }, classes, selectable: false })
  }

  /** A name with its state in shape and word below. */
  label(owner: string, at: At, name: string, state: SummaryState, word: string): void {
    this.node(`${owner}#name`, 'name', at, { label: name, group: owner })
    this.node(`${owner}#state`, `state ${state}`, { x: at.x + 5, y: at.y + 19 }, { label: word, group: owner })
  }
}

export function elementsOf(input: GraphInput): ElementDefinition[] {
  const elements = new Elements()
  if (input.lanes) addLanes(elements, input, input.lanes)
  if (input.layout) addPhysical(elements, input, input.layout)
  addVips(elements, input)
  return elements.list
}

/** Id of a host on the picture. Hosts without an agent are another kind: they have no page of their own. */
const hostId = (view: GraphInput['view'], name: string): string => `${view.host.get(name)?.tunnelEnd ? 'networkHost' : 'host'}/${name}`

/** What a chip looks like: a physical server's has sharp corners, one that has a VIP is framed like it. */
function chipClass({ view, vips }: GraphInput, port: string, state: SummaryState): string {
  const physical = view.port.get(port)?.attach.kind === 'vlan'
  const holder = vips.some(({ owner }) => owner === port)
  return ['chip', physical && 'physical', holder && 'holder', state].filter(Boolean).join(' ')
}

/** State of a port in its label; of what nobody can tell nothing is said. */
const chipLabel = (view: GraphInput['view'], port: string, state: SummaryState): string =>
  view.port.get(port)?.attach.kind === 'remote' ? port : glyphs[state] + port

function addVips(elements: Elements, { vips, view, vipStateOf, layout, m }: GraphInput): void {
  for (const vip of vips) {
    const several = vip.all.length > 1
    const id = several ? `vips/${vip.on}` : `vip/${vip.name}`
    const state = worst(vip.all.map(vipStateOf))
    elements.box(id, `vip ${state}`, vip, {
      ...{ label: glyphs[state] + (several ? m.vip.several(vip.all.length) : vip.name), owner: vip.owner },
      ...(vip.on !== null && { group: hostId(view, vip.on) }),
    })
    if (vip.at) elements.edge(`held/${vip.name}`, layout ? 'held' : 'held hanging', id, vip.at)
    if (vip.from)
      elements.edge(`moved/${vip.name}`, 'moved', vip.from.at, id, { label: vip.from.outageMs === null ? '' : m.vip.outage(vip.from.outageMs) })
  }
}

function addPhysical(elements: Elements, input: GraphInput, layout: Layout): void {
  const { topology, status, nics, view, stateOf, rolesOf, lanes, narrow, m } = input
  const rows = new Set([...layout.hosts.values()].map(({ y, height }) => Math.round((y - height / 2) / 60))).size
  const roomy = layout.hosts.size <= roomyHosts && !narrow
  for (const [name, box] of layout.switches) {
    const id = `switch/${name}`
    const state = switchState(topology, name)
    elements.box(id, 'switch', box, { group: id })
    elements.label(id, { x: box.x - box.width / 2 + 12, y: box.y - 9 }, name, state, m.state[state])
  }
  for (const port of layout.ports) elements.box(`socket/${port.id}`, 'socket', port, { label: port.label, group: `switch/${port.switch}` })
  for (const [name, box] of layout.hosts) {
    const id = hostId(view, name)
    const foreign = id !== `host/${name}`
    const state = status.hosts.find((host) => host.name === name)?.state ?? 'unknown'
    elements.box(id, foreign ? 'host foreign' : 'host', box, { group: id })
    const roles = rolesOf(name).map((role) => m.broadcast.role[role])
    if (roles.length > 0)
      elements.node(`${id}#roles`, 'note', { x: box.x + box.width / 2 - 12, y: box.y - box.height / 2 + 29 }, { label: roles.join(' · '), group: id })
    elements.label(
      id,
      { x: box.x - box.width / 2 + 14, y: box.y - box.height / 2 + 29 },
      name,
      state,
      foreign ? m.broadcast.noAgent : status.cluster.leader === name ? `${m.hostState[state]} · ${m.topology.leader}` : m.hostState[state],
    )
  }
  for (const box of layout.nics) {
    const nic = nics.find((known) => known.host === box.host && known.name === box.name)
    const live = status.hosts.find((host) => host.name === box.host)?.state === 'up'
    elements.box(`nic/${box.id}`, `nic ${live ? nic?.state : 'unknown'}`, box, { label: box.name, group: `host/${box.host}` })
  }
  for (const chip of layout.chips) {
    const state = stateOf(chip.name)
    elements.box(`port/${chip.name}`, chipClass(input, chip.name, state), chip, {
      ...{ label: chipLabel(view, chip.name, state), group: hostId(view, chip.host) },
    })
  }
  for (const count of layout.counts) {
    const state = worst(view.portsOn(count.host).map(({ name }) => stateOf(name)))
    const text =
      count.hidden === 0 ? `▾ ${m.layer.portsHere(count.all)}` : count.hidden < count.all ? `+${count.hidden}` : `▸ ${m.layer.portsHere(count.all)}`
    elements.box(`count/${count.host}`, `count ${state}`, count, {
      label: glyphs[state] + text,
      group: hostId(view, count.host),
      toggle: `host/${count.host}`,
    })
  }
  for (const link of topology.links) {
    const nic = nics.find((known) => known.host === link.host && known.name === link.nic)
    if (!nic) continue
    elements.edge(
      `link/${linkId(link)}`,
      [link.state, lanes && 'below', rows > 1 && 'bus'].filter(Boolean).join(' '),
      `nic/${link.host}/${link.nic}`,
      `socket/${link.switch}/${link.port}`,
      {
        label: roomy || link.state === 'down' ? linkLabel(link.state, nic.speedMbps, m) : '',
        width: speedWidth(nic.speedMbps),
      },
    )
  }
}

function addLanes(elements: Elements, input: GraphInput, lanes: Lanes): void {
  const { view, stateOf, expandedLanes, layout, narrow, m } = input
  for (const { key, vpc, x, y } of lanes.vpcs) elements.node(`run/${key}`, 'vpc', { x, y }, { label: `VPC ${vpc}`, group: `vpc/${vpc}` })
  for (const lane of lanes.lanes) {
    const id = `network/${lane.name}`
    const network = view.network.get(lane.name)
    const ports = view.portsOf(lane.name)
    elements.box(id, 'lane', lane, { group: id })
    elements.node(`${id}#name`, narrow && layout ? 'name short' : 'name', lane.label, { label: lane.name, group: id })
    if (!(narrow && layout))
      elements.node(`${id}#subnet`, 'subnet', { x: lane.label.x + 112, y: lane.y }, { label: network?.subnet ?? '', group: id })
    const right = { x: lane.x + lane.width / 2 - 10, y: lane.y }
    const count = m.layer.portsHere(ports.length)
    if (layout && !narrow) elements.node(`${id}#count`, 'note', right, { label: count, group: id })
    else if (!layout)
      elements.box(
        `count/${id}`,
        'count up',
        { x: right.x - chipRoom / 2, y: lane.y, width: chipRoom, height: 20 },
        {
          ...{ label: `${expandedLanes.has(lane.name) ? '▾' : '▸'} ${count}`, group: id, toggle: id },
        },
      )
    elements.node(`end/${lane.name}`, 'end', { x: lane.x - lane.width / 2, y: lane.y }, { group: id })
  }
  for (const tap of lanes.taps) {
    const state = worst(tap.ports.map(stateOf))
    const label = layout ? String(tap.count) : `${tap.host} ${tap.count}`
    elements.box(`tap/${tap.id}`, `tap ${state}`, tap, { label: glyphs[state] + label, group: `network/${tap.network}` })
  }
  for (const port of lanes.ports) {
    const state = stateOf(port.name)
    elements.box(`port/${port.name}`, chipClass(input, port.name, state), port, {
      ...{ label: chipLabel(view, port.name, state), group: `network/${port.network}` },
    })
  }
  for (const rest of lanes.rests)
    elements.box(`rest/${rest.network}`, 'count up', rest, {
      label: `+${rest.count}`,
      group: `network/${rest.network}`,
      toggle: `network/${rest.network}`,
    })
  for (const { host } of lanes.stems) {
    const topmost = lanes.taps.filter((tap) => tap.host === host).reduce((top, tap) => (tap.y < top.y ? tap : top))
    elements.edge(`stem/${host}`, 'stem', hostId(view, host), `tap/${topmost.id}`)
  }
  for (const router of lanes.routers) {
    elements.box(`router/${router.name}`, 'router', router, { label: router.name })
    for (const network of router.networks) elements.edge(`join/${router.name}/${network}`, 'join', `router/${router.name}`, `end/${network}`)
  }
  const shown = new Set(lanes.routers.map(({ name }) => name))
  for (const { name, routers } of view.peerings) {
    if (!routers.every((router) => shown.has(router))) continue
    elements.edge(`peering/${name}`, 'peering', `router/${routers[0]}`, `router/${routers[1]}`, { label: name })
  }
}

/** Room for a count of ports at the right end of a band. */
const chipRoom = 88

const linkLabel = (state: LiveState, speedMbps: number | undefined, m: Messages): string =>
  state !== 'up' ? m.state[state] : speedMbps ? linkSpeed(speedMbps) : ''

/** Faster links are drawn wider: 1.5 px up to 1 Gb/s, a little more for each step of the trade's speeds. */
const speedWidth = (mbps = 0): number => 1.5 + [1000, 10_000, 25_000, 40_000].filter((step) => mbps > step).length * 0.6
