import { HoldfastError } from '../../errors.ts'
import type { DropReason, TraceDrop, TraceRequest, TraceResult } from '../../model/trace.ts'
import { parseIp } from '../address.ts'
import { parseFrame } from '../packet/parse.ts'
import type { Packet } from '../packet/packet.ts'
import { leftLimit, receivedHop } from './copies.ts'
import { dropOf } from './drops.ts'
import { isHostSender, traceFromHost } from './from-host.ts'
import {
  addressLike,
  answerTo,
  askedFor,
  groupOf,
  guestAt,
  macFor,
  questionFor,
  routesFor,
  solicitedAnswer,
  solicitedBy,
  type GuestPort,
} from './guest-system.ts'
import { HopList } from './hops.ts'
import { describe, givenFrame, requestedFrame, simulatedMarks, type Marks } from './packets.ts'
import { Passage, type Ending, type PipelineRun } from './passage.ts'
import { remedyOf } from './remedy.ts'
import { gatewayOf } from './vlans.ts'
import { unknownHost, type HostState, type World } from './world.ts'

/**
 * Where a packet goes, computed from flows alone: question and, for ICMP echo, TCP SYN and ARP, the answer. Throws `not-found` for a port
 * that there is not and `bad-input` for an address that is none.
 */
export function traceSimulated(world: World, request: TraceRequest): TraceResult {
  return isHostSender(request) ? traceFromHost(world, request).path : new Simulation(world, request, { marks: simulatedMarks }).run()
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

/** How the copy ended that is followed, and on which host. */
type Ended = Ending & { host: string }

class Simulation {
  readonly #world: World
  readonly #request: TraceRequest
  readonly #hops = new HopList()
  readonly #passage: Passage
  readonly #marks: Marks
  readonly #payload: Uint8Array | undefined
  frame: Uint8Array | null = null

  constructor(world: World, request: TraceRequest, { marks, payload }: { marks: Marks; payload?: Uint8Array }) {
    this.#world = world
    this.#passage = new Passage(world)
    this.#request = request
    this.#marks = marks
    this.#payload = payload
  }

  get runs(): readonly PipelineRun[] {
    return this.#passage.runs
  }

  run(): TraceResult {
    const from = this.#guest(this.#request.from)
    const given = givenFrame(this.#request)
    const to = given?.to ?? this.#destination(from)
    const sender = this.#world.hosts.get(from.host) ?? unknownHost
    const ready = this.#hops.add({
      kind: 'virtual',
      host: from.host,
      device: from.port.name,
      out: 'br-int',
      action: 'sent',
      detail: '',
      objects: [`port/${from.port.name}`],
    })
    if (from.port.attach.kind === 'remote')
      return this.#unknown(`It is sent on ${from.host}, which has no agent: what becomes of it there cannot be observed.`)
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
    if (there.type === 'left') return this.#unknown(leftLimit(there.host))
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
    if (asked === null) return { drop: this.#drop('no-route', from.host, from.port.name, `network/${from.network.name}`, `to ${to}`) }
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
      if (arrived && solicitedBy(arrived) !== null) return this.#dropped(this.#unanswered(from, solicitedBy(arrived)!, describe(sent)))
      // Nobody answers UDP, nor what is for no address of the guest that got it.
      if (sent.ip && routesFor(to, sent.ip.dst))
        return this.#unknown(`It was handed to ${to.port.name}, which routes on to ${sent.ip.dst}. What that guest does with it cannot be observed.`)
      const meant = sent.ip && macFor(to, sent.ip.dst) !== undefined
      if (meant || !sent.ip || isMany(sent.dst)) return this.#delivered()
      return this.#dropped(this.#drop('unknown-destination', to.host, to.port.name, `port/${to.port.name}`, describe(sent)))
    }
    this.#hops.leg = 'return'
    const resolved = asked === null ? null : this.#resolve(to, asked)
    if (!resolved) return this.#dropped(this.#drop('no-route', to.host, to.port.name, `network/${to.network.name}`, describe(arrived)))
    if ('drop' in resolved) return this.#dropped(resolved.drop)
    const answer = answerTo(arrived, to, resolved.mac)!
    this.#sends(to, answer)
    const back = this.#follow(to, answer)
    if (back.type === 'dropped') return this.#dropped(back.drop)
    if (back.type === 'left') return this.#unknown(leftLimit(back.host))
    if (back.type === 'delivered') {
      this.#received(back.to, back.frame)
      if (back.to.port.name === from.port.name) return this.#delivered()
    }
    return this.#dropped(this.#drop('unknown-destination', to.host, 'br-int', `port/${from.port.name}`, describe(parseFrame(answer)!)))
  }

  #guest(name: string): GuestPort {
    const port = this.#world.index.ports.get(name)
    if (port) return guestAt(this.#world.index, port, gatewayOf(this.#world, port) ?? port.host)
    throw new HoldfastError('not-found', `There is no port ${name}`, 'See: holdfast inventory list ports.', { port: name })
  }

  /** The address that is meant: itself, or that of the port or VIP by this name. */
  #destination(from: GuestPort): string {
    const { to, proto } = this.#request
    const port = this.#world.index.ports.get(to)
    const vip = this.#world.index.input.network.vips.find(({ name }) => name === to)
    if (!port && !vip && parseIp(to) === null)
      throw new HoldfastError('bad-input', `${to} is neither an address nor a port or VIP`, 'Give an IP address, or the name of a port or VIP.', {
        to,
      })
    const ip = port ? (proto === 58 ? port.ip6 : port.ip) : (vip?.ip ?? to)
    if (ip === undefined) throw new HoldfastError('bad-input', `Port ${to} has no IPv6 address`, 'Declare ip6 for it, or trace IPv4.', { to })
    if (addressLike(from.port, ip) === undefined && this.#request.sourceIp === undefined) {
      throw new HoldfastError('bad-input', `Port ${from.port.name} has no IPv6 address to send from`, 'Declare ip6 for it, or trace IPv4.', {
        from: from.port.name,
      })
    }
    return ip
  }

  #beforeSending({ port, host }: GuestPort, sender: HostState): TraceDrop | null {
    if (sender.state === 'down') return this.#drop('host-down', host, port.name, `host/${host}`, '')
    if (sender.portsDown.has(port.name)) return this.#drop('port-down', host, port.name, `port/${port.name}`, '')
    if (sender.switchState === 'down') return this.#drop('switch-down', host, 'br-int', `forwarding/${host}`, '')
    return null
  }

  /** A question for a MAC, answered by flows or by the guest whose address it asks for. */
  #ask(guest: GuestPort, question: Uint8Array, hops: HopList): Ended {
    const there = this.#follow(guest, question, hops)
    if (there.type !== 'delivered') return there
    const answer = solicitedAnswer(parseFrame(there.frame)!, there.to)
    if (!answer) return there
    this.#received(there.to, there.frame, hops)
    hops.leg = 'return'
    this.#sends(there.to, answer, hops)
    const back = this.#follow(there.to, answer, hops)
    return back.type === 'delivered' && back.to.port.name === guest.port.name ? { type: 'answered', frame: back.frame, host: back.host } : back
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
    if (reason === 'arp-unanswered') return { drop: this.#unanswered(guest, ip, what) }
    return { drop: this.#drop(reason, guest.host, 'br-int', `network/${guest.network.name}`, what) }
  }

  #follow(from: GuestPort, frame: Uint8Array, hops: HopList = this.#hops): Ended {
    const ways = this.#passage.follow(from, frame, rankOf)
    const packet = parseFrame(frame)
    if (hops.leg === 'forward') hops.addWays(ways, packet !== null && isMany(packet.dst))
    else hops.append({ hops: ways[0].hops, copies: null })
    return { ...ways[0].ending, host: ways[0].host }
  }

  /** Nobody said whose an address is. */
  #unanswered({ host, network }: GuestPort, ip: string, packet: string): TraceDrop {
    const vip = this.#world.index.vipsOf.get(network.name)?.find((one) => one.ip === ip)
    return this.#drop('arp-unanswered', host, 'br-int', vip ? `vip/${vip.name}` : `network/${network.name}`, packet)
  }

  #drop(reason: DropReason, host: string, device: string, object: string | null, packet: string): TraceDrop {
    return dropOf({ reason, host, device, object, packet })
  }

  /** A guest's own system sends an answer. */
  #sends({ host, port: { name } }: GuestPort, frame: Uint8Array, hops: HopList = this.#hops): void {
    const detail = describe(parseFrame(frame)!)
    hops.add({ kind: 'virtual', host, device: name, out: 'br-int', action: 'sent', detail, objects: [`port/${name}`] })
  }

  #received(to: GuestPort, frame: Uint8Array, hops: HopList = this.#hops): void {
    hops.add(receivedHop(to, frame))
  }

  #delivered(): TraceResult {
    return this.#result({ verdict: 'delivered', drop: null, limit: null })
  }

  #unknown(limit: string): TraceResult {
    return this.#result({ verdict: 'unknown', drop: null, limit })
  }

  #dropped(drop: TraceDrop): TraceResult {
    const packet = this.frame && parseFrame(this.frame)
    const remedy = packet && remedyOf(this.#world.index.input.network, drop, packet, this.#hops.leg)
    return this.#result({ verdict: 'dropped', drop: { ...drop, ...(remedy && { remedy }) }, limit: null })
  }

  #result(outcome: Pick<TraceResult, 'verdict' | 'drop' | 'limit'>): TraceResult {
    const { hops, copies } = this.#hops
    return { mode: 'simulated', hops, ...(copies && { copies }), ...outcome, rttMs: null }
  }
}

const highestRank = 3

/** How much an ending tells of a packet that was copied: of a question, that it came to whom it is for. */
function rankOf(ending: Ending): number {
  if (ending.type === 'dropped') return 0
  if (ending.type === 'left') return 1
  const packet = ending.type === 'delivered' ? parseFrame(ending.frame) : null
  if (ending.type === 'answered' || !packet) return highestRank
  if (solicitedBy(packet) !== null) return solicitedAnswer(packet, ending.to) ? highestRank : 2
  // To the MAC of a virtual router that nobody is known to have, all get what is for one of them.
  return packet.ip && !isMany(packet.dst) && macFor(ending.to, packet.ip.dst) === undefined ? 2 : highestRank
}

function isMany(mac: string): boolean {
  return (parseInt(mac.slice(0, 2), 16) & 1) === 1
}
