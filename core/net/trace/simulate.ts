import { HoldfastError } from '../../errors.ts'
import type { TraceDrop, TraceHop, TraceRequest, TraceResult } from '../../model/trace.ts'
import type { DropReason } from '../../model/trace.ts'
import { parseIp } from '../address.ts'
import { answerError } from '../compile/error-answer.ts'
import { switchPorts } from '../compile/tables.ts'
import { StatefulConntrack } from '../openflow/conntrack.ts'
import { runPipeline, type Output, type Tunnel } from '../openflow/pipeline.ts'
import type { Step } from '../openflow/step.ts'
import { parseFrame } from '../packet/parse.ts'
import type { Packet } from '../packet/packet.ts'
import { isHostSender, traceFromHost } from './from-host.ts'
import { addressLike, answerTo, askedFor, groupOf, questionFor, routesFor, solicitedAnswer, solicitedBy, type GuestPort } from './guest-system.ts'
import { hintOf } from './hints.ts'
import { explainSteps, HopList } from './hops.ts'
import { describe, givenFrame, requestedFrame, simulatedMarks, type Marks } from './packets.ts'
import { remedyOf } from './remedy.ts'
import { passUnderlay } from './underlay.ts'
import { unknownHost, type Connections, type World } from './world.ts'

/** How a packet ended. Broadcast ends in several places; the first delivery counts. */
type Ending =
  | { type: 'delivered'; to: GuestPort; frame: Uint8Array }
  /** It came back to its sender changed: an answer by flow, to ARP or to a ping of the gateway. */
  | { type: 'answered'; frame: Uint8Array }
  | { type: 'dropped'; drop: TraceDrop }

/** Tunnels that a packet can be in at most, before it is going in circles. */
const maxTunnels = 4

/**
 * Where a packet goes, computed from flows alone: question and, for ICMP echo, TCP SYN and ARP, the answer. Throws `not-found` for a port
 * that there is not and `bad-input` for an address that is none.
 */
export function traceSimulated(world: World, request: TraceRequest): TraceResult {
  return isHostSender(request) ? traceFromHost(world, request).path : new Simulation(world, request, { marks: simulatedMarks }).run()
}

/** One run of a frame through a host's pipeline, at a hop of the trace. */
export interface PipelineRun {
  hop: TraceHop
  inPort: number
  tunnel?: Tunnel
  frame: Uint8Array
}

/** A trace with what of it a live one puts in and asks the switches about. */
export interface PreparedTrace {
  path: TraceResult
  /** What the sender sends; null when it does not get to know whom to send it to. */
  frame: Uint8Array | null
  runs: readonly PipelineRun[]
}

/** A simulated trace of a packet with these marks. Throws as `traceSimulated` does. */
export function prepareTrace(world: World, request: TraceRequest, marks: Marks, payload: Uint8Array): PreparedTrace {
  if (isHostSender(request)) return traceFromHost(world, request, marks, payload)
  const simulation = new Simulation(world, request, { marks, payload })
  const path = simulation.run()
  return { path, frame: simulation.frame, runs: simulation.runs }
}

class Simulation {
  readonly #world: World
  readonly #request: TraceRequest
  readonly #hops = new HopList()
  readonly #connections: Connections = new Map()
  readonly #marks: Marks
  readonly #payload: Uint8Array | undefined
  readonly runs: PipelineRun[] = []
  frame: Uint8Array | null = null

  constructor(world: World, request: TraceRequest, { marks, payload }: { marks: Marks; payload?: Uint8Array }) {
    this.#world = world
    this.#request = request
    this.#marks = marks
    this.#payload = payload
  }

  run(): TraceResult {
    const from = this.#guest(this.#request.from)
    const given = givenFrame(this.#request)
    const to = given?.to ?? this.#destination(from)
    const sender = this.#world.hosts.get(from.port.host) ?? unknownHost
    const ready = this.#hops.add({
      kind: 'virtual',
      host: from.port.host,
      device: from.port.name,
      out: 'br-int',
      action: 'sent',
      detail: '',
      objects: [`port/${from.port.name}`],
    })
    const early = this.#beforeSending(from, sender)
    if (early) return this.#dropped(early)

    const found = given ?? this.#compose(from, to)
    if ('drop' in found) return this.#dropped(found.drop)
    const { frame } = found
    this.frame = frame
    const packet = parseFrame(frame)!
    ready.detail = describe(packet)
    const there = solicitedBy(packet) === null ? this.#follow(from, frame) : this.#ask(from, frame, this.#hops)
    if (there.type === 'dropped') return this.#dropped(there.drop)
    if (there.type === 'answered') {
      this.#hops.leg = 'return'
      this.#received(from, there.frame)
      return this.#delivered()
    }
    return this.#answer(from, there.to, packet, there.frame)
  }

  /** What the sender's own system sends, once it knows the MAC of the next hop. */
  #compose(from: GuestPort, to: string): { frame: Uint8Array } | { drop: TraceDrop } {
    const arp = this.#request.proto === 'arp'
    const asked = arp || groupOf(from, to) !== null ? to : askedFor(from, to)
    if (asked === null) return { drop: this.#drop('no-route', from.port.host, from.port.name, `network/${from.network.name}`, `to ${to}`) }
    const resolved = arp ? { mac: from.port.mac } : this.#resolve(from, asked)
    if ('drop' in resolved) {
      // All that its system sends is the question.
      this.frame = questionFor(from, asked)
      return resolved
    }
    return { frame: requestedFrame(this.#request, from, to, resolved.mac, this.#marks, this.#payload) }
  }

  /** The way back, for packets that a system answers by itself. */
  #answer(from: GuestPort, to: GuestPort, sent: Packet, frame: Uint8Array): TraceResult {
    this.#received(to, frame)
    const arrived = parseFrame(frame)
    const asked = arrived?.ip ? askedFor(to, arrived.ip.src) : null
    if (!arrived || !answerTo(arrived, to, from.port.mac)) {
      if (arrived && solicitedBy(arrived) !== null)
        return this.#dropped(this.#drop('arp-unanswered', from.port.host, 'br-int', `network/${from.network.name}`, describe(sent)))
      // Nobody answers UDP, nor what is for no address of the guest that got it.
      if (sent.ip && routesFor(to, sent.ip.dst))
        return this.#unknown(`It was handed to ${to.port.name}, which routes on to ${sent.ip.dst}. What that guest does with it cannot be observed.`)
      const meant = sent.ip && addressLike(to.port, sent.ip.dst) === sent.ip.dst
      if (meant || !sent.ip || isMany(sent.dst)) return this.#delivered()
      return this.#dropped(this.#drop('unknown-destination', to.port.host, to.port.name, `port/${to.port.name}`, describe(sent)))
    }
    this.#hops.leg = 'return'
    const resolved = asked === null ? null : this.#resolve(to, asked)
    if (!resolved) return this.#dropped(this.#drop('no-route', to.port.host, to.port.name, `network/${to.network.name}`, describe(arrived)))
    if ('drop' in resolved) return this.#dropped(resolved.drop)
    const answer = answerTo(arrived, to, resolved.mac)!
    this.#sends(to, answer)
    const back = this.#follow(to, answer)
    if (back.type === 'dropped') return this.#dropped(back.drop)
    if (back.type === 'delivered') {
      this.#received(back.to, back.frame)
      if (back.to.port.name === from.port.name) return this.#delivered()
    }
    return this.#dropped(this.#drop('unknown-destination', to.port.host, 'br-int', `port/${from.port.name}`, describe(parseFrame(answer)!)))
  }

  #guest(name: string): GuestPort {
    const port = this.#world.index.ports.get(name)
    if (port) return { port, network: this.#world.index.networks.get(port.network)! }
    throw new HoldfastError('not-found', `There is no port ${name}`, 'See: holdfast inventory list ports.', { port: name })
  }

  /** The address that is meant: itself, or that of the port by this name. */
  #destination(from: GuestPort): string {
    const { to, proto } = this.#request
    const port = this.#world.index.ports.get(to)
    if (!port && parseIp(to) === null)
      throw new HoldfastError('bad-input', `${to} is neither an address nor a port`, 'Give an IP address, or the name of a port.', { to })
    const six = port ? proto === 58 : to.includes(':')
    const ip = port ? (six ? port.ip6 : port.ip) : to
    if (ip === undefined) throw new HoldfastError('bad-input', `Port ${to} has no IPv6 address`, 'Declare ip6 for it, or trace IPv4.', { to })
    if (addressLike(from.port, ip) === undefined && this.#request.sourceIp === undefined) {
      throw new HoldfastError('bad-input', `Port ${from.port.name} has no IPv6 address to send from`, 'Declare ip6 for it, or trace IPv4.', {
        from: from.port.name,
      })
    }
    return ip
  }

  #beforeSending({ port }: GuestPort, sender: ReturnType<World['hosts']['get']> & object): TraceDrop | null {
    if (sender.state === 'down') return this.#drop('host-down', port.host, port.name, `host/${port.host}`, '')
    if (sender.portsDown.has(port.name)) return this.#drop('port-down', port.host, port.name, `port/${port.name}`, '')
    if (sender.switchState === 'down') return this.#drop('switch-down', port.host, 'br-int', `forwarding/${port.host}`, '')
    return null
  }

  /** A question for a MAC, answered by flows or by the guest whose address it asks for. */
  #ask(guest: GuestPort, question: Uint8Array, hops: HopList): Ending {
    const there = this.#follow(guest, question, hops)
    if (there.type !== 'delivered') return there
    const answer = solicitedAnswer(parseFrame(there.frame)!, there.to)
    if (!answer) return there
    this.#received(there.to, there.frame, hops)
    hops.leg = 'return'
    this.#sends(there.to, answer, hops)
    const back = this.#follow(there.to, answer, hops)
    return back.type === 'delivered' && back.to.port.name === guest.port.name ? { type: 'answered', frame: back.frame } : back
  }

  /** The MAC for an address, as a guest learns it. Its question leaves no hops unless it is what fails. */
  #resolve(guest: GuestPort, ip: string): { mac: string } | { drop: TraceDrop } {
    const group = groupOf(guest, ip)
    if (group !== null) return { mac: group }
    const question = questionFor(guest, ip)
    const hops = new HopList()
    const ending = this.#ask(guest, question, hops)
    if (ending.type === 'answered') return { mac: parseFrame(ending.frame)!.src }
    this.#hops.append(hops)
    if (ending.type === 'dropped' && ending.drop.reason !== 'unknown-destination') return { drop: ending.drop }
    const what = describe(parseFrame(question)!)
    // Nobody answers for the gateway of a network that no router is attached to.
    const gateway = ip === guest.network.gateway || ip === guest.network.gateway6
    const reason = gateway && !this.#world.index.routerOf.has(guest.network.name) ? 'no-route' : 'arp-unanswered'
    return { drop: this.#drop(reason, guest.port.host, 'br-int', `network/${guest.network.name}`, what) }
  }

  #follow(from: GuestPort, frame: Uint8Array, hops: HopList = this.#hops): Ending {
    return this.#run(from.port.host, { inPort: from.port.number, inName: from.port.name }, frame, hops, 0)
  }

  /** One run through a host's pipeline, and on through whatever it goes out of. */
  #run(
    host: string,
    entry: { inPort: number; inName: string; tunnel?: { id: number; src: string; dst: string } },
    frame: Uint8Array,
    hops: HopList,
    tunnels: number,
  ): Ending {
    const conntrack = this.#conntrackOf(host)
    const { steps, outputs } = runPipeline(this.#world.tablesOf(host), frame, {
      inPort: entry.inPort,
      ...(entry.tunnel && { tunnel: entry.tunnel }),
      conntrack,
    })
    const hop = hops.add({
      kind: 'virtual',
      host,
      device: 'br-int',
      in: entry.inName,
      action: 'forwarded',
      ...explainSteps(steps, this.#world.owners),
    })
    this.runs.push({ hop, inPort: entry.inPort, ...(entry.tunnel && { tunnel: entry.tunnel }), frame })
    const packet = parseFrame(frame)
    const what = packet ? describe(packet) : 'a frame'
    const start = hops.hops.length
    let best: { ending: Ending; rank: number; hops: TraceHop[]; hop: { out: string | null; action: string } } | null = null
    for (const output of outputs) {
      const ending = this.#leave(host, entry, output, hop, hops, steps, what, tunnels)
      const branch = hops.hops.splice(start)
      const rank = rankOf(ending)
      if (!best || rank > best.rank) best = { ending, rank, hops: branch, hop: { out: hop.out, action: hop.action } }
      if (rank === highestRank) break
    }
    if (best) {
      hops.hops.push(...best.hops)
      Object.assign(hop, best.hop)
      return best.ending
    }
    hop.action = 'dropped'
    return { type: 'dropped', drop: this.#explainDrop(host, steps, what) }
  }

  #leave(
    host: string,
    entry: { inPort: number },
    output: Output,
    hop: { out: string | null; action: string },
    hops: HopList,
    steps: readonly Step[],
    what: string,
    tunnels: number,
  ): Ending {
    if (output.port === entry.inPort) {
      hop.out = this.#portName(host, output.port)
      hop.action = 'answered'
      return { type: 'answered', frame: output.frame }
    }
    if (output.port === switchPorts.error) {
      // Whether the sender gets to know why is up to the ACLs that its error meets.
      const error = answerError(output.frame)
      const back = error && this.#run(host, { inPort: output.port, inName: 'hf-icmp' }, error, new HopList(), maxTunnels)
      hop.action = back?.type === 'delivered' ? 'refused' : 'dropped'
      hop.out = 'hf-icmp'
      return { type: 'dropped', drop: this.#explainDrop(host, steps, what) }
    }
    if (output.port === switchPorts.vxlan || output.port === switchPorts.gre) {
      const tunnel = output.port === switchPorts.vxlan ? 'vxlan' : 'gre'
      hop.out = tunnel
      const target = this.#hostAt(output.tunnel.dst)
      if (target === null || tunnels >= maxTunnels) return { type: 'dropped', drop: this.#drop('host-down', host, tunnel, null, what) }
      const vni = Number(output.tunnel.id)
      const stopped = passUnderlay(this.#world, { from: host, to: target, tunnel, vni, frameBytes: output.frame.length }, hops)
      if (stopped) return { type: 'dropped', drop: this.#drop(stopped.reason, stopped.host, stopped.device, stopped.object, what) }
      const end = this.#world.index.input.hosts
      const arrival = { id: vni, src: end.get(host)?.ip ?? '0.0.0.0', dst: end.get(target)?.ip ?? '0.0.0.0' }
      return this.#run(target, { inPort: output.port, inName: tunnel, tunnel: arrival }, output.frame, hops, tunnels + 1)
    }
    const port = this.#world.index.portsOnHost.get(host)?.find(({ number }) => number === output.port)
    hop.out = port?.name ?? String(output.port)
    if (!port) return { type: 'dropped', drop: this.#drop('port-down', host, String(output.port), null, what) }
    if (this.#world.hosts.get(host)?.portsDown.has(port.name)) {
      return { type: 'dropped', drop: this.#drop('port-down', host, port.name, `port/${port.name}`, what) }
    }
    return { type: 'delivered', to: { port, network: this.#world.index.networks.get(port.network)! }, frame: output.frame }
  }

  #conntrackOf(host: string): StatefulConntrack {
    const known = this.#connections.get(host)
    if (known) return known
    const made = new StatefulConntrack()
    this.#connections.set(host, made)
    return made
  }

  #hostAt(ip: string | undefined): string | null {
    for (const [name, end] of this.#world.index.input.hosts) if (end.ip === ip) return name
    return null
  }

  #portName(host: string, number: number): string {
    return this.#world.index.portsOnHost.get(host)?.find((port) => port.number === number)?.name ?? String(number)
  }

  /** The last flow that it hit says why; where no flow was hit, one is missing. */
  #explainDrop(host: string, steps: readonly Step[], what: string): TraceDrop {
    const last = steps.at(-1)
    if (!last?.flow) return this.#drop('flow-missing', host, 'br-int', null, what)
    const found = this.#world.owners.find(last.flow.cookie)
    if (!found) return this.#drop('flow-missing', host, 'br-int', null, what)
    const { kind, name } = found.owner
    const reason: DropReason = found.reason === 'none' ? 'unknown-destination' : found.reason
    return this.#drop(reason, host, 'br-int', kind === 'pipeline' ? null : `${kind}/${name}`, what)
  }

  #drop(reason: DropReason, host: string, device: string, object: string | null, packet: string): TraceDrop {
    return { host, device, reason, object, hint: hintOf({ reason, host, device, object, packet }) }
  }

  /** A guest's own system sends an answer. */
  #sends({ port: { host, name } }: GuestPort, frame: Uint8Array, hops: HopList = this.#hops): void {
    const detail = describe(parseFrame(frame)!)
    hops.add({ kind: 'virtual', host, device: name, out: 'br-int', action: 'sent', detail, objects: [`port/${name}`] })
  }

  #received({ port }: GuestPort, frame: Uint8Array, hops: HopList = this.#hops): void {
    const packet = parseFrame(frame)
    const detail = packet ? describe(packet) : ''
    hops.add({ kind: 'virtual', host: port.host, device: port.name, in: 'br-int', action: 'received', detail, objects: [`port/${port.name}`] })
  }

  #delivered(): TraceResult {
    return { verdict: 'delivered', mode: 'simulated', hops: this.#hops.hops, drop: null, limit: null, rttMs: null }
  }

  #unknown(limit: string): TraceResult {
    return { verdict: 'unknown', mode: 'simulated', hops: this.#hops.hops, drop: null, limit, rttMs: null }
  }

  #dropped(drop: TraceDrop): TraceResult {
    const packet = this.frame && parseFrame(this.frame)
    const remedy = packet && remedyOf(this.#world.index.input.network, drop, packet, this.#hops.leg)
    return {
      verdict: 'dropped',
      mode: 'simulated',
      hops: this.#hops.hops,
      drop: { ...drop, ...(remedy && { remedy }) },
      limit: null,
      rttMs: null,
    }
  }
}

const highestRank = 2

/** How much an ending tells of a packet that was copied: of a question, that it came to whom it is for. */
function rankOf(ending: Ending): number {
  if (ending.type === 'dropped') return 0
  if (ending.type === 'answered') return highestRank
  const packet = parseFrame(ending.frame)
  return packet && solicitedBy(packet) !== null && !solicitedAnswer(packet, ending.to) ? 1 : highestRank
}

function isMany(mac: string): boolean {
  return (parseInt(mac.slice(0, 2), 16) & 1) === 1
}
