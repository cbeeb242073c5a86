import type { TraceDrop, TraceHop } from '../../model/trace.ts'
import { answerError } from '../compile/error-answer.ts'
import { stageOf, switchPorts } from '../compile/tables.ts'
import type { Vlan } from '../compile/vlans.ts'
import { StatefulConntrack } from '../openflow/conntrack.ts'
import { at } from '../openflow/fields.ts'
import { runPipeline, type Output, type Tunnel } from '../openflow/pipeline.ts'
import type { Step } from '../openflow/step.ts'
import { macAt } from '../packet/bytes.ts'
import { parseFrame } from '../packet/parse.ts'
import { dropOf, explainDrop } from './drops.ts'
import { guestAt, type GuestPort } from './guest-system.ts'
import { explainSteps, HopList } from './hops.ts'
import { describe } from './packets.ts'
import { deadWatches, membersBehind, nobodyElse, nodesDown, nodeWithAddress, passToNode } from './replication.ts'
import { decapsulate, encapsulate, passWire, tunnelOverheadBytes, type Stop } from './underlay.ts'
import { serversFor, vlanAt, vlanEntry } from './vlans.ts'
import type { World } from './world.ts'

/** How a copy of a frame ended. */
export type Ending =
  | { type: 'delivered'; to: GuestPort; frame: Uint8Array }
  /** It came back to its sender changed: an answer by flow, to ARP or to a ping of the gateway. */
  | { type: 'answered'; frame: Uint8Array }
  | { type: 'dropped'; drop: TraceDrop }
  /** It came to a host without our agent. */
  | { type: 'left' }

/** One copy of a frame: all its hops, and how it ended. What copies pass before they part are the same objects. */
export interface Way {
  hops: TraceHop[]
  ending: Ending
  /** Where it goes to, as far as that is settled where it ended. */
  host: string
  port: string | null
  /** How it left each switch. */
  exits: { hop: TraceHop; exit: Exit }[]
}

type Exit = Pick<TraceHop, 'out' | 'action'>

/** One run of a frame through a host's pipeline, at a hop of the trace. */
export interface PipelineRun {
  hop: TraceHop
  inPort: number
  tunnel?: Tunnel
  frame: Uint8Array
}

/** A frame where it enters a switch; `tunnels`: how many it has passed. */
interface Entry {
  host: string
  inPort: number
  inName: string
  tunnel?: Tunnel
  frame: Uint8Array
  tunnels: number
}

/** How one copy leaves a switch, and on what ways that leads. */
interface Departure {
  exit: Exit
  ways: Way[]
}

/** Tunnels that a packet can be in at most, before it is going in circles. */
const maxTunnels = 4

/** Follows frames through the flows of hosts and what lies between these. The connections that they make are known to the next ones. */
export class Passage {
  readonly runs: PipelineRun[] = []
  readonly #world: World
  readonly #connections = new Map<string, StatefulConntrack>()
  readonly #watches = new Map<string, ReadonlySet<number>>()

  constructor(world: World) {
    this.#world = world
  }

  /** Every copy of a frame that a guest sends; there is at least one. First those that rank highest, of these those that go furthest. */
  follow({ port, host }: GuestPort, frame: Uint8Array, rankOf: (ending: Ending) => number): [Way, ...Way[]] {
    const vlan = vlanEntry(this.#world, port)
    const hops = new HopList()
    if (vlan) hops.add({ kind: 'physical', host, device: vlan.inName, out: 'br-int', action: 'received', detail: `VLAN ${vlan.vlan}` })
    const { inPort, inName } = vlan ?? { inPort: port.number, inName: port.name }
    const ways = behind(hops, this.#run({ host, inPort, inName, frame, tunnels: 0 }))
    const ranked = ways.map((way) => ({ way, rank: rankOf(way.ending) })).sort((a, b) => b.rank - a.rank || b.way.hops.length - a.way.hops.length)
    // A hop has one way out: that of the first.
    for (const { way } of ranked.toReversed()) for (const { hop, exit } of way.exits) Object.assign(hop, exit)
    return ranked.map(({ way }) => way) as [Way, ...Way[]]
  }

  /** One run through a host's pipeline, and on through whatever it goes out of. */
  #run(entry: Entry): Way[] {
    const { host, inPort, inName, tunnel, frame } = entry
    const { steps, outputs } = runPipeline(this.#world.tablesOf(host), frame, {
      ...{ inPort, conntrack: this.#conntrackOf(host), portsDown: this.#watchesOf(host) },
      ...(tunnel && { tunnel }),
    })
    const explained = explainSteps(steps, this.#world.owners)
    const hop = new HopList().add({ kind: 'virtual', host, device: 'br-int', in: inName, action: 'forwarded', ...explained })
    this.runs.push({ hop, inPort, ...(tunnel && { tunnel }), frame })
    const packet = parseFrame(frame)
    const what = packet ? describe(packet) : 'a frame'
    const departures = outputs.map((output) => this.#leave(entry, output, steps, what))
    departures.push(...this.#keptBack(entry, steps, what))
    if (departures.every(({ ways }) => ways.length === 0)) departures.push(lost(host, explainDrop(this.#world, host, steps, what)))
    return departures.flatMap(({ exit, ways }) => ways.map((way) => ({ ...way, hops: [hop, ...way.hops], exits: [{ hop, exit }, ...way.exits] })))
  }

  #leave(entry: Entry, output: Output, steps: readonly Step[], what: string): Departure {
    const { host } = entry
    const { port: number, frame } = output
    const name = this.#portAt(host, number)?.name ?? String(number)
    if (number === entry.inPort)
      return { exit: { out: name, action: 'answered' }, ways: [{ ...end(host, name), ending: { type: 'answered', frame } }] }
    if (number === switchPorts.error) {
      // Whether the sender gets to know why is up to the ACLs that its error meets.
      const error = answerError(frame)
      const back = error ? this.#run({ host, inPort: number, inName: 'hf-icmp', frame: error, tunnels: maxTunnels }) : []
      const told = back.some(({ ending }) => ending.type === 'delivered')
      return lost(host, explainDrop(this.#world, host, steps, what), { out: 'hf-icmp', action: told ? 'refused' : 'dropped' })
    }
    if (number === switchPorts.vxlan || number === switchPorts.gre) return this.#enterTunnel(entry, output, what)
    const vlan = vlanAt(this.#world, host, number)
    if (vlan) return this.#intoVlan(host, vlan, frame)
    const exit = { out: name, action: 'forwarded' }
    const port = this.#portAt(host, number)
    if (!port) return lost(host, dropOf({ reason: 'port-down', host, device: name, object: null, packet: what }), exit)
    if (this.#world.hosts.get(host)?.portsDown.has(name))
      return lost(host, dropOf({ reason: 'port-down', host, device: name, object: `port/${name}`, packet: what }), exit, name)
    const to = guestAt(this.#world.index, port)
    return { exit, ways: [{ ...end(host, name), ending: { type: 'delivered', to, frame } }] }
  }

  #intoVlan(host: string, vlan: Vlan, frame: Uint8Array): Departure {
    const hops = new HopList()
    hops.add({ kind: 'physical', host, device: vlan.nic, in: 'br-int', action: 'sent', detail: `VLAN ${vlan.vlan}` })
    const ways = serversFor(vlan, macAt(frame, 0)).map((server): Way => {
      const to = guestAt(this.#world.index, server, host)
      return { ...end(host, server.name), ending: { type: 'delivered', to, frame } }
    })
    return { exit: { out: vlan.nic, action: 'forwarded' }, ways: behind(hops, ways) }
  }

  #enterTunnel({ host, tunnels }: Entry, { port, frame, tunnel: { id: vni, dst } }: Output, what: string): Departure {
    const { index } = this.#world
    const name = port === switchPorts.vxlan ? 'vxlan' : 'gre'
    const exit = { out: name, action: 'forwarded' }
    const node = nodeWithAddress(index, dst)
    const target = node?.host ?? [...index.ends].find(([, { ip }]) => ip === dst)?.[0]
    if (target === undefined || tunnels >= maxTunnels)
      return lost(host, dropOf({ reason: 'host-down', host, device: name, object: null, packet: what }), exit)
    const hops = new HopList()
    const ending = (stop: Stop): TraceDrop => dropOf({ ...stop, packet: what })
    encapsulate(
      this.#world,
      { host, tunnel: name, vni, to: target, ...(node && { passedOver: nodesDown(index, this.#watchesOf(host), node, vni) }) },
      hops,
    )
    const passage = { from: host, to: target, bytes: frame.length + tunnelOverheadBytes[name], inside: name }
    const arrived = { inPort: port, inName: name, frame, tunnels: tunnels + 1 }
    const arrive = (at: string, src: string, taken: HopList): Way[] => {
      if (!index.input.hosts.has(at)) return [{ ...end(at, null), ending: { type: 'left' } }]
      const stop = decapsulate(this.#world, { host: at, tunnel: name, vni }, taken)
      if (stop) return lost(at, ending(stop)).ways
      return this.#run({ ...arrived, host: at, tunnel: { id: vni, src, dst: index.ends.get(at)!.ip } })
    }
    if (!node) {
      const stop = passWire(this.#world, passage, hops)
      const ways = stop ? lost(target, ending(stop)).ways : arrive(target, index.ends.get(host)?.ip ?? '0.0.0.0', hops)
      return { exit, ways: behind(hops, ways) }
    }
    const members = membersBehind(index, vni, host)
    const stop = passToNode(this.#world, { ...passage, node, vni, members, watches: this.#watchesOf(host) }, hops)
    if (stop) return { exit, ways: behind(hops, lost(target, 'hint' in stop ? stop : ending(stop)).ways) }
    if (members.length === 0) return { exit, ways: behind(hops, lost(target, nobodyElse(index, vni, target)).ways) }
    const copies = members.flatMap((member) => {
      const own = new HopList()
      const cut = member === target ? null : passWire(this.#world, { ...passage, from: target, to: member }, own)
      return behind(own, cut ? lost(member, ending(cut)).ways : arrive(member, node.replicator.ip, own))
    })
    return { exit, ways: behind(hops, copies) }
  }

  /** Copies that an ACL of their receiver drops: they have no output. The sender itself gets none. */
  #keptBack({ host, inPort }: Entry, steps: readonly Step[], what: string): Departure[] {
    return steps.flatMap((step) => {
      const receiver = step.before[at.registers + 2]!
      const reason = step.flow && stageOf(step.table) === 'aclIn' ? this.#world.owners.find(step.flow.cookie)?.reason : undefined
      if (reason !== 'acl' || receiver === inPort) return []
      const drop = explainDrop(this.#world, host, [step], what)
      return [lost(host, drop, { out: null, action: 'dropped' }, this.#portAt(host, receiver)?.name ?? null)]
    })
  }

  #conntrackOf(host: string): StatefulConntrack {
    const known = this.#connections.get(host) ?? new StatefulConntrack()
    this.#connections.set(host, known)
    return known
  }

  #watchesOf(host: string): ReadonlySet<number> {
    const known = this.#watches.get(host) ?? deadWatches(this.#world, host)
    this.#watches.set(host, known)
    return known
  }

  #portAt(host: string, number: number): GuestPort['port'] | undefined {
    return this.#world.index.portsOnHost.get(host)?.find((port) => port.number === number)
  }
}

const end = (host: string, port: string | null): Omit<Way, 'ending'> => ({ host, port, hops: [], exits: [] })

function lost(host: string, drop: TraceDrop, exit: Exit = { out: null, action: 'dropped' }, port: string | null = null): Departure {
  return { exit, ways: [{ ...end(host, port), ending: { type: 'dropped', drop } }] }
}

/** These ways with hops before them. */
function behind({ hops }: HopList, ways: readonly Way[]): Way[] {
  return ways.map((way) => ({ ...way, hops: [...hops, ...way.hops] }))
}
