import { untrack } from 'svelte'
import type { VipDoc } from '../../../core/contract/desktop/broadcast.ts'
import type { Nic } from '../../../core/model/index.ts'
import { everyHop } from '../../../core/net/trace/copies.ts'
import type { Topology } from '../../../core/topology/topology.ts'
import type { Layer } from '../topology/layers.ts'
import { slotsOf } from '../topology/lanes.ts'
import { switchKey, type Layout, type Point } from '../topology/layout.ts'
import { keepOrder } from '../topology/order.ts'
import { focusOn, sceneOf, type Scene, type SceneInput } from '../topology/scene.ts'
import { app } from './app.svelte.ts'
import { navigation } from './navigation.svelte.ts'
import { settings } from './settings.svelte.ts'
import { traces } from './traces.svelte.ts'
import type { VipPlace } from '../topology/vips.ts'
import { virtual } from './virtual.svelte.ts'

/** With no more ports than this, the virtual network shows them all unless a band was collapsed by hand. */
const fewPorts = 60

/** How long the move of a VIP is drawn, in ms. */
const newsMs = 30_000

/** What the picture of the topology shows, wherever it is: its layer, what is expanded in it, and where everything lies. */
class TopologyState {
  stored = $state.raw<Record<string, Point> | null>(null)
  /** Hosts and networks that were expanded or collapsed by hand, by `kind/name`. */
  #toggled = $state.raw<ReadonlyMap<string, boolean>>(new Map())

  layer: Layer = $derived(settings.layout.topologyLayer)
  // Status and links are worked out anew each second: what is drawn is not, unless they say something else.
  #hostsKey = $derived(
    [...app.status.hosts, ...virtual.view.hosts.filter(({ name, tunnelEnd }) => tunnelEnd && virtual.view.portsOn(name).length > 0)]
      .map(({ name }) => name)
      .join(),
  )
  #hosts = $derived(this.#hostsKey === '' ? [] : this.#hostsKey.split(','))
  #topologyKey = $derived(JSON.stringify(app.topology, (key, value: unknown) => (key === 'seenAtMs' ? undefined : value)))
  #topology: Topology = $derived(this.#topologyKey ? untrack(() => app.topology) : app.topology)
  #nicsKey = $derived(JSON.stringify(app.inventory.all('nic').map(({ doc }) => doc)))
  #nics: Nic[] = $derived(JSON.parse(this.#nicsKey))
  expandedHosts = $derived(new Set(this.#hosts.filter((name) => this.#toggled.get(`host/${name}`) ?? false)))
  expandedLanes = $derived(
    new Set(
      virtual.view.networks.map(({ name }) => name).filter((name) => this.#toggled.get(`network/${name}`) ?? virtual.view.ports.length <= fewPorts),
    ),
  )
  /** Orders in which ports stand, by `host/name` and `network/name`, as long as this window is open. */
  #orders = new Map<string, string[]>()
  #guests = $derived(new Map(this.#hosts.map((name) => [name, this.#inOrder(`host/${name}`, virtual.view.portsOn(name))])))
  #members = $derived(new Map(virtual.view.networks.map(({ name }) => [name, this.#inOrder(`network/${name}`, virtual.view.portsOf(name))])))
  /** Ports that are shown in any case: the selected one, and both ends of the trace. */
  #pinned = $derived(
    new Set([
      ...(navigation.selection?.kind === 'port' ? [navigation.selection.id] : []),
      ...(navigation.selection?.kind === 'vip' ? [virtual.vips.get(navigation.selection.id)?.owner?.port ?? ''] : []),
      ...(traces.drawn?.hops.flatMap(({ device }) => (virtual.view.port.has(device) ? [device] : [])) ?? []),
      ...(traces.drawn && traces.asked && virtual.view.port.has(traces.asked.form.to) ? [traces.asked.form.to] : []),
    ]),
  )
  /** VIPs and where they are. Each second has the same, unless one moved. */
  #vipsKey = $derived(JSON.stringify([...virtual.vips.values()].map((vip) => this.#placeOf(vip))))
  #vips: VipPlace[] = $derived(JSON.parse(this.#vipsKey))
  /** Ports that have a VIP, on hosts where no other port is shown for itself. */
  #owners = $derived.by(() => {
    const busy = new Set([...this.#pinned].map((port) => virtual.view.port.get(port)?.host))
    return this.#vips.flatMap(({ owner }) => (owner && !busy.has(owner.host) ? [owner.port] : []))
  })
  /** Slots of the bands, as they were given once. */
  #slots = $derived(
    new Map(virtual.view.networks.flatMap(({ name }) => (this.stored?.[`lane/${name}`] ? [[name, this.stored[`lane/${name}`]!.y] as const] : []))),
  )
  #input: SceneInput | null = $derived(
    this.stored && {
      layer: this.layer,
      hosts: this.#hosts,
      nics: this.#nics,
      topology: this.#topology,
      view: virtual.view,
      stored: this.stored,
      guests: this.#guests,
      members: this.#members,
      expandedHosts: this.expandedHosts,
      expandedLanes: this.expandedLanes,
      pinned: new Set([...this.#pinned, ...this.#owners]),
      slots: this.#slots,
      vips: this.#vips,
    },
  )
  /** All of it. */
  scene: Scene | null = $derived(this.#input && sceneOf(this.#input))
  /** What the trace on the screen passes. */
  focus: Scene | null = $derived(this.#input && traces.drawn && sceneOf(focusOn(everyHop(traces.drawn), { ...this.#input, pinned: this.#pinned })))

  /** Reads the places on each connection. The body of an effect. */
  follow(): () => void {
    return app.whileOpen(async (client) => {
      this.stored = await client.inventory.positions()
    })
  }

  /** Whoever was placed once stays there: a place given by the layout is kept like one given by hand. The body of an effect. */
  keepPlaces(): void {
    const known = this.stored
    if (!known) return
    const found = { ...this.#placesIn(this.scene?.layout), ...(this.scene?.lanes && this.#slotPlaces()) }
    const fresh = Object.entries(found).filter(([id]) => !known[id])
    if (fresh.length > 0) this.#keep(Object.fromEntries(fresh))
  }

  /** A host or switch was put somewhere by hand. */
  move(id: string, { x, y }: Point): void {
    const [kind, name] = [id.slice(0, id.indexOf('/')), id.slice(id.indexOf('/') + 1)]
    const box = kind !== 'switch' ? this.scene?.layout?.hosts.get(name) : this.scene?.layout?.switches.get(name)
    this.#keep({ [kind !== 'switch' ? `host/${name}` : switchKey(name, this.#below)]: { x, y: y - (box?.dy ?? 0) } })
  }

  /** Everything back to where the layout would put it. */
  tidy(): void {
    if (!this.#input) return
    const order = [...slotsOf(virtual.view.networks, new Map())]
    this.#keep({
      ...this.#placesIn(sceneOf({ ...this.#input, stored: {} }).layout),
      ...Object.fromEntries(order.map(([name, slot]) => [`lane/${name}`, { x: 0, y: slot }])),
    })
  }

  toggle(id: string): void {
    const [kind, name] = [id.slice(0, id.indexOf('/')), id.slice(id.indexOf('/') + 1)]
    const open = kind === 'network' ? this.expandedLanes.has(name) : this.expandedHosts.has(name)
    this.#toggled = new Map([...this.#toggled, [kind === 'network' ? id : `host/${name}`, !open]])
  }

  /** All that the shown layer can expand, or nothing of it. */
  expandAll(open: boolean): void {
    const ids = [...this.#hosts.map((name) => `host/${name}`), ...virtual.view.networks.map(({ name }) => `network/${name}`)]
    this.#toggled = new Map(ids.map((id) => [id, open]))
  }

  /** A VIP as the picture has it; its last move for as long as it is news. */
  #placeOf({ name, network, owner, history }: VipDoc): VipPlace {
    const last = history.at(-1)
    const from = last?.from && app.nowMs - Date.parse(last.at) < newsMs ? virtual.view.port.get(last.from) : undefined
    return {
      ...{ name, network, owner: owner && { port: owner.port, host: owner.host } },
      moved: from ? { from: { port: from.name, host: from.host }, outageMs: last!.outageMs } : null,
    }
  }

  get #below(): boolean {
    return this.layer === 'both' && !virtual.empty
  }

  #placesIn(layout: Layout | null | undefined): Record<string, Point> {
    if (!layout) return {}
    return Object.fromEntries([
      ...[...layout.hosts].map(([name, { x, y, dy }]) => [`host/${name}`, { x, y: y - dy }]),
      ...[...layout.switches].map(([name, { x, y, dy }]) => [switchKey(name, this.#below), { x, y: y - dy }]),
    ])
  }

  #inOrder(key: string, ports: readonly { name: string }[]): string[] {
    const order = keepOrder(
      this.#orders.get(key) ?? [],
      ports.map(({ name }) => name),
    )
    this.#orders.set(key, order)
    return order
  }

  #slotPlaces(): Record<string, Point> {
    return Object.fromEntries([...slotsOf(virtual.view.networks, this.#slots)].map(([name, slot]) => [`lane/${name}`, { x: 0, y: slot }]))
  }

  #keep(places: Record<string, Point>): void {
    this.stored = { ...this.stored, ...places }
    if (!app.readOnly) void app.client.inventory.savePositions(places).catch(() => {})
  }
}

export const topologyState = new TopologyState()
