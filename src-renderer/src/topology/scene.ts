import type { Topology } from '../../../core/topology/topology.ts'
import type { Nic } from '../../../core/model/index.ts'
import type { TraceHop } from '../../../core/model/trace.ts'
import type { NetworkView } from '../network/view.ts'
import { laneSizes, lanesAlone, lanesOverHosts, type Lanes, type LanesInput } from './lanes.ts'
import type { Layer } from './layers.ts'
import { layoutOf, type Layout, type Point } from './layout.ts'
import { vipBoxes, type VipBox, type VipPlace } from './vips.ts'

/** What is on a picture, and where. */
export interface Scene {
  layout: Layout | null
  lanes: Lanes | null
  topology: Topology
  nics: Nic[]
  vips: VipBox[]
}

export interface SceneInput {
  layer: Layer
  hosts: string[]
  nics: Nic[]
  topology: Topology
  view: Pick<NetworkView, 'networks' | 'routers' | 'ports'>
  stored: Readonly<Record<string, Point>>
  /** Names of ports by host, and by network, in the order in which they are to stand. */
  guests: ReadonlyMap<string, readonly string[]>
  members: ReadonlyMap<string, readonly string[]>
  expandedHosts: ReadonlySet<string>
  expandedLanes: ReadonlySet<string>
  pinned: ReadonlySet<string>
  slots: ReadonlyMap<string, number>
  vips: readonly VipPlace[]
  /** Whether it is about one trace: less room for names of networks, more beside those of hosts. */
  focused?: boolean
}

/** Room beside a host's name for the hops inside it. */
const focusedHostWidth = 236

export function sceneOf(input: SceneInput): Scene {
  const { layer, hosts, nics, topology, view, stored, guests, members, expandedHosts, expandedLanes, pinned, slots, focused = false } = input
  const withLanes = layer !== 'physical' && view.networks.length > 0
  const layout =
    layer === 'virtual'
      ? null
      : layoutOf({
          ...{ hosts, nics, switches: topology.switches, links: topology.links, stored, expanded: expandedHosts, pinned },
          ...(view.networks.length > 0 && { guests }),
          switchesBelow: withLanes,
          ...(focused && { hostWidth: focusedHostWidth, nicsRight: true }),
        })
  const place = new Map([...members.values()].flatMap((names) => names.map((name, i) => [name, i] as const)))
  const ports = view.ports.toSorted((a, b) => place.get(a.name)! - place.get(b.name)!)
  const lanesInput: LanesInput = { networks: view.networks, routers: view.routers, ports, slots }
  const lanes = !withLanes
    ? null
    : layout
      ? lanesOverHosts(lanesInput, layout.hosts, focused ? laneSizes.narrowLabel : laneSizes.labelWidth)
      : lanesAlone(lanesInput, expandedLanes, focused ? laneSizes.aloneNarrow : laneSizes.alone)
  return { layout, lanes, topology, nics, vips: vipBoxes(input.vips, layout, lanes) }
}

/**
 * What a trace passes and nothing else: its hosts side by side with the NICs, switches, networks and routers on its way, so that they can be
 * drawn large.
 */
export function focusOn(hops: readonly TraceHop[], input: SceneInput): SceneInput {
  const devices = new Set(hops.map(({ host, device }) => `${host}/${device}`))
  const passed = new Set(hops.map(({ host }) => host))
  const objects = new Set(hops.flatMap((hop) => hop.objects))
  const hosts = input.hosts.filter((host) => passed.has(host))
  const nics = input.nics.filter(({ host, name }) => devices.has(`${host}/${name}`))
  const links = input.topology.links.filter(({ host, nic }) => devices.has(`${host}/${nic}`))
  const used = new Set(links.map((link) => `${link.switch}/${link.port}`))
  const switches = input.topology.switches
    .map((device) => ({ ...device, ports: device.ports.filter((port) => used.has(`${device.name}/${port.id}`)) }))
    .filter(({ ports }) => ports.length > 0)
  const ends = input.view.ports.filter(({ host, name }) => devices.has(`${host}/${name}`))
  const onTheWay = new Set(ends.map(({ network }) => network))
  const networks = input.view.networks.filter(({ name }) => objects.has(`network/${name}`) || onTheWay.has(name))
  const routers = input.view.routers.filter(({ name }) => objects.has(`router/${name}`))
  // Of a host that ports on the way are on, only these are named.
  const guests = new Map(
    [...input.guests].map(([host, names]) => {
      const wanted = names.filter((name) => input.pinned.has(name))
      return [host, wanted.length > 0 && !input.expandedHosts.has(host) ? wanted : names]
    }),
  )
  // Alone, bands show only the ports on the way; over hosts, the taps count all.
  const ports = input.layer === 'virtual' ? ends : input.view.ports
  return {
    ...input,
    ...{ hosts, nics, guests, topology: { links, switches }, view: { networks, routers, ports } },
    ...{ stored: {}, slots: new Map(), vips: [], expandedLanes: new Set(networks.map(({ name }) => name)), focused: true },
  }
}
