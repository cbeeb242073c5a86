import { HoldfastError } from '../../errors.ts'
import type { TraceDrop, TraceRequest, TraceResult } from '../../model/trace.ts'
import type { DropReason } from '../../model/trace.ts'
import { cidrHasIp, parseCidr, parseIp } from '../address.ts'
import { switchPorts } from '../compile/tables.ts'
import { StatefulConntrack } from '../openflow/conntrack.ts'
import { runPipeline, type Output } from '../openflow/pipeline.ts'
import type { Step } from '../openflow/step.ts'
import { parseFrame } from '../packet/parse.ts'
import type { Packet } from '../packet/packet.ts'
import { allowAnyway, hintOf } from './hints.ts'
import { explainSteps, HopList } from './hops.ts'
import { addressLike, answerTo, askedFor, describe, questionFor, requestedFrame, simulatedMarks, type GuestPort, type Marks } from './packets.ts'
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
  return new Simulation(world, request).run()
}

/** The frame that a live trace puts in, and what it is known by again. */
export interface PreparedTrace {
  from: GuestPort
  /** Address that is meant. */
  to: string
  frame: Uint8Array
}

/** What the sender of a request would send, with other marks than a simulated trace; null when it would not get to know whom to send it to. */
export function prepareTrace(world: World, request: TraceRequest, marks: Marks, payload: Uint8Array): PreparedTrace | null {
  return new Simulation(world, request).prepare(marks, payload)
}

class Simulation {
  readonly #world: World
  readonly #request: TraceRequest
  readonly #hops = new HopList()
  readonly #connections: Connections = new Map()

  constructor(world: World, request: TraceRequest) {
    this.#world = world
    this.#request = request
  }

  run(): TraceResult {
    const from = this.#guest(this.#request.from)
    const to = this.#destination(from)
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

    const arp = this.#request.proto === 'arp'
    const asked = arp ? to : askedFor(from, to)
    if (asked === null) {
      return this.#dropped(this.#drop('no-route', from.port.host, from.port.name, `network/${from.network.name}`, `to ${to}`))
    }
    const resolved = arp ? { mac: from.port.mac } : this.#resolve(from, asked)
    if ('drop' in resolved) return this.#dropped(resolved.drop)
    const frame = requestedFrame(this.#request, from, to, resolved.mac, simulatedMarks)
    const packet = parseFrame(frame)!
    ready.detail = describe(packet)
    const there = this.#follow(from, frame)
    if (there.type === 'dropped') return this.#dropped(there.drop)
    if (there.type === 'answered') {
      this.#hops.leg = 'return'
      this.#received(from, there.frame)
      return this.#delivered()
    }
    return this.#answer(from, there.to, packet, there.frame)
  }

  prepare(marks: Marks, payload: Uint8Array): PreparedTrace | null {
    const from = this.#guest(this.#request.from)
    const to = this.#destination(from)
    const asked = this.#request.proto === 'arp' ? to : askedFor(from, to)
    if (asked === null) return null
    const resolved = this.#request.proto === 'arp' ? { mac: from.port.mac } : this.#resolve(from, asked)
    if ('drop' in resolved) return null
    return {
      from,
      to,
      frame: requestedFrame(this.#request, from, to, resolved.mac, marks, this.#request.sizeBytes === undefined ? payload : undefined),
    }
  }

  /** The way back, for packets that a system answers by itself. */
  #answer(from: GuestPort, to: GuestPort, sent: Packet, frame: Uint8Array): TraceResult {
    this.#received(to, frame)
    const arrived = parseFrame(frame)
    const asked = arrived?.ip ? askedFor(to, arrived.ip.src) : null
    if (!arrived || !answerTo(arrived, to, from.port.mac)) {
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
    this.#hops.add({
      kind: 'virtual',
      host: to.port.host,
      device: to.port.name,
      out: 'br-int',
      action: 'sent',
      detail: describe(parseFrame(answer)!),
      objects: [`port/${to.port.name}`],
    })
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

  /** The MAC for an address, as a guest learns it. Its question leaves no hops unless it is what fails. */
  #resolve(guest: GuestPort, ip: string): { mac: string } | { drop: TraceDrop } {
    const question = questionFor(guest, ip)
    const hops = new HopList()
    const ending = this.#follow(guest, question, hops)
    if (ending.type === 'answered') return { mac: parseFrame(ending.frame)!.src }
    if (ending.type === 'delivered' && addressLike(ending.to.port, ip) === ip) return { mac: ending.to.port.mac }
    for (const hop of hops.hops) this.#hops.add({ ...hop, n: this.#hops.hops.length + 1, leg: this.#hops.leg })
    if (ending.type === 'dropped' && ending.drop.reason !== 'unknown-destination') return { drop: ending.drop }
    const what = describe(parseFrame(question)!)
    return { drop: this.#drop('arp-unanswered', guest.port.host, 'br-int', `network/${guest.network.name}`, what) }
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
    const packet = parseFrame(frame)
    const what = packet ? describe(packet) : 'a frame'
    let failure: Ending | null = null
    for (const output of outputs) {
      const ending = this.#leave(host, entry, output, hop, hops, steps, what, tunnels)
      if (ending.type !== 'dropped') return ending
      failure ??= ending
    }
    if (failure) return failure
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
      hop.action = 'refused'
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

  #received({ port }: GuestPort, frame: Uint8Array): void {
    const packet = parseFrame(frame)
    const detail = packet ? describe(packet) : ''
    this.#hops.add({ kind: 'virtual', host: port.host, device: port.name, in: 'br-int', action: 'received', detail, objects: [`port/${port.name}`] })
  }

  #delivered(): TraceResult {
    return { verdict: 'delivered', mode: 'simulated', hops: this.#hops.hops, drop: null, limit: null, rttMs: null }
  }

  #unknown(limit: string): TraceResult {
    return { verdict: 'unknown', mode: 'simulated', hops: this.#hops.hops, drop: null, limit, rttMs: null }
  }

  #dropped(drop: TraceDrop): TraceResult {
    const remedy = this.#remedy(drop)
    return {
      verdict: 'dropped',
      mode: 'simulated',
      hops: this.#hops.hops,
      drop: { ...drop, ...(remedy !== null && { remedy }) },
      limit: null,
      rttMs: null,
    }
  }

  /** A declaration that would let the packet pass, where one object alone decides. */
  #remedy({ reason, object }: TraceDrop): string | null {
    if (reason !== 'acl' || !object) return null
    const { proto, dport, from, to } = this.#request
    const sender = this.#world.index.ports.get(from)!
    const target = this.#world.index.ports.get(to)
    const dst = target ? target.ip : to
    const src = this.#request.sourceIp ?? addressLike(sender, dst)
    if (src === undefined) return null
    const [a, b] = this.#hops.leg === 'forward' ? [src, dst] : [dst, src]
    const matched = proto === 'icmp' && dst.includes(':') ? 'icmp6' : proto === 'arp' ? undefined : proto
    return allowAnyway(this.#world.index.input.network, object.slice('acl/'.length), {
      src: a,
      dst: b,
      proto: matched,
      dport: this.#hops.leg === 'forward' ? dport : undefined,
    })
  }
}

function isMany(mac: string): boolean {
  return (parseInt(mac.slice(0, 2), 16) & 1) === 1
}

/** Whether a guest forwards for an address, by what its port may send. */
function routesFor({ port }: GuestPort, ip: string): boolean {
  return port.allow.some((cidr) => cidrHasIp(parseCidr(cidr)!, parseIp(ip)!))
}
