import { setTimeout as sleep } from 'node:timers/promises'
import type { TraceRequest, TraceResult } from '../../core/model/trace.ts'
import { macAt, toHex } from '../../core/net/packet/bytes.ts'
import { groupMac } from '../../core/net/packet/compose.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { guestAt, solicitedBy } from '../../core/net/trace/guest-system.ts'
import { simulatedMarks } from '../../core/net/trace/packets.ts'
import { prepareTrace } from '../../core/net/trace/simulate.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { Chance } from '../chance.ts'
import type { Arrived, Sending } from './host-commands.ts'
import { legOf, packetOf, type Sent } from './observe.ts'
import type { Rig } from './rig.ts'

/** What became of a packet, in the words in which both sides can be compared. */
export interface Outcome {
  verdict: TraceResult['verdict']
  /** Guests that the question came to; of a broadcast, whether it came to any. */
  reached: string[]
  /** Whether the sender was told by an ICMP error of the switch. */
  refused: boolean
}

/** How a simulated and the real outcome differ. */
export interface Difference {
  request: TraceRequest
  simulated: Outcome
  real: Outcome
  result: TraceResult
}

/** Packets that were sent, and every frame that came to a guest meanwhile. */
export interface Observation {
  sent: Sent[]
  arrived: { guest: string; frame: string }[]
  /** Of each guest. */
  addresses: ReadonlyMap<string, readonly string[]>
}

/** Sends packets all at once, and sees what comes within a time. */
export async function observe(rig: Rig, world: World, requests: readonly TraceRequest[], chance: Chance, waitMs: number): Promise<Observation> {
  const packets = requests.flatMap((request, index) => {
    const prepared = prepare(world, request, index, chance)
    return prepared ? [prepared] : []
  })
  for (const [host, sendings] of Map.groupBy(packets, ({ sent }) => sent.from.port.host)) {
    await rig.hosts.get(host)!.do({ do: 'send', packets: sendings.map(({ sending }) => sending) })
  }
  await sleep(waitMs)
  const arrived: Observation['arrived'] = []
  for (const [host, one] of rig.hosts) {
    for (const { number, frame } of await one.do<Arrived[]>({ do: 'seen' })) {
      const port = world.index.portsOnHost.get(host)?.find((known) => known.number === number)
      if (port) arrived.push({ guest: port.name, frame })
    }
  }
  const addresses = new Map([...world.index.ports.values()].map(({ name, ip, ip6 }) => [name, ip6 === undefined ? [ip] : [ip, ip6]]))
  return { sent: packets.map(({ sent }) => sent), arrived, addresses }
}

/** How what is simulated differs from what was observed. */
export function differencesOf(world: World, observation: Observation): Difference[] {
  return observation.sent.flatMap((one) => {
    const { path, frame } = prepareTrace(world, one.request, simulatedMarks, new Uint8Array())
    const simulated = outcomeOfTrace(path, leaves(frame, one.request))
    const real = realOutcome(one, observation, simulated)
    return JSON.stringify(simulated) === JSON.stringify(real) ? [] : [{ request: one.request, simulated, real, result: path }]
  })
}

/** Null for what cannot be sent: a forged source MAC towards a next hop that nobody could know. */
function prepare(world: World, request: TraceRequest, index: number, chance: Chance): { sent: Sent; sending: Sending } | null {
  const port = world.index.ports.get(request.from)!
  const from = guestAt(world.index, port)
  const marks = { id: 1 + chance.int(0, 0xfffe), seq: index }
  const payload = chance.bytes(16)
  const question = request.proto === 'arp'
  const byWire = request.sourceMac !== undefined || question || toMany(request)
  const prepared = byWire && !question ? prepareTrace(world, request, marks, payload).frame : null
  if (byWire && !question && !leaves(prepared, request)) return null
  const mac = prepared ? macAt(prepared, 0) : '00:00:00:00:00:00'
  const { frame, ...sent } = packetOf(request, from, mac, marks, payload)
  const sending: Sending = byWire
    ? { number: port.number, way: 'wire', bytes: toHex(frame) }
    : { number: port.number, way: 'kernel', bytes: toHex(frame.subarray(14)) }
  return { sent, sending }
}

/** Whether what a sender puts out is the packet, and not just the question for its next hop. */
function leaves(frame: Uint8Array | null, { proto }: TraceRequest): boolean {
  const packet = frame && parseFrame(frame)
  return packet !== null && (proto === 'arp' || solicitedBy(packet) === null)
}

function toMany({ to }: TraceRequest): boolean {
  return groupMac(to) !== null
}

/** Whether the sender waits for an answer. */
function answered(sent: Sent): boolean {
  return ['icmp', 'tcp', 'arp'].includes(sent.mark.proto) && !toMany(sent.request)
}

/** `left`: whether the packet is sent at all; else the hops are those of the question for its next hop. */
function outcomeOfTrace({ verdict, hops, copies }: TraceResult, left: boolean): Outcome {
  if (!left) return { verdict, reached: [], refused: false }
  const reached = hops.filter(({ leg, action }) => leg === 'forward' && action === 'received').filter(({ kind }) => kind === 'virtual')
  const names = copies?.flatMap((copy) => (copy.verdict === 'delivered' ? [copy.port!] : [])) ?? reached.map(({ device }) => device)
  const refused = hops.some(({ leg, action }) => leg === 'forward' && action === 'refused')
  return { verdict, reached: distinct(names), refused }
}

function realOutcome(sent: Sent, { arrived, addresses }: Observation, simulated: Outcome): Outcome {
  const { request, from } = sent
  const came = new Set<string>()
  let [back, error] = [false, false]
  for (const { guest, frame } of arrived) {
    const leg = legOf(frame, sent)
    if (leg === 'forward' && guest !== from.port.name) came.add(guest)
    if (leg === 'return' && guest === from.port.name) back = true
    if (leg === 'error' && guest === from.port.name) error = true
  }
  // What a guest that routes does with what it was handed, an observer cannot know: that it was handed it is all there is to compare.
  const handed = simulated.verdict === 'unknown' && came.size > 0 && !back
  const taken = toMany(request) ? came.size > 0 : [...came].some((guest) => addresses.get(guest)!.includes(request.to))
  const delivered = answered(sent) ? back : taken
  return {
    verdict: handed ? 'unknown' : delivered ? 'delivered' : 'dropped',
    reached: [...came].sort(),
    // Guests, too, tell of what they do not take.
    refused: error && came.size === 0,
  }
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}
