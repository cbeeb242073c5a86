import { randomBytes, randomInt } from 'node:crypto'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { TraceRequest, TraceResult } from '../../core/model/trace.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { isHostSender } from '../../core/net/trace/from-host.ts'
import { judge } from '../../core/net/trace/judge.ts'
import { asksForAnswer } from '../../core/net/trace/guest-system.ts'
import { payloadBytes } from '../../core/net/trace/packets.ts'
import { markOf, type Mark } from '../../core/net/trace/sightings.ts'
import { prepareTrace } from '../../core/net/trace/simulate.ts'
import { lostForSize } from '../../core/net/trace/size.ts'
import type { World } from '../../core/net/trace/world.ts'
import { explain, explainMs, withWatches } from './explain.ts'
import type { AgentOf } from './host-agents.ts'
import { realWorld, within } from './real-world.ts'
import { SwitchWatch } from './switch-watch.ts'
import { TapWatch } from './tap-watch.ts'

/** What is on its way from taps to this laptop when the answer is there; and how long is waited for one that should not come. */
const settleMs = 150
const surpriseMs = 500

/**
 * Sends the packet for real and watches it: taps at every port and NIC on its way, and the flows that are in the switches of its hosts. What
 * conntrack learned of it is taken back. `sent` of the result is the very frame. Throws `not-supported` for a packet that would reach what it
 * must not.
 */
export async function traceLive(world: World, request: TraceRequest, agentOf: AgentOf): Promise<TraceResult> {
  const large = await traceOnce(world, request, agentOf)
  if (large.verdict !== 'unknown' || request.sizeBytes === undefined) return large
  // Where no agent can look, a second one tells whether it was for its size.
  const drop = lostForSize(world, large, await traceOnce(world, { ...request, sizeBytes: undefined }, agentOf), request.sizeBytes)
  return drop ? { ...large, verdict: 'dropped', drop, limit: null } : large
}

async function traceOnce(known: World, request: TraceRequest, agentOf: AgentOf): Promise<TraceResult> {
  const real = await realWorld(known, request, agentOf)
  const { mute } = real
  const marks = { id: randomInt(0x1_0000), seq: randomInt(0x1_0000) }
  const payload = randomBytes(payloadBytes)
  const prepare = (of: World) => prepareTrace(of, request, marks, payload)
  const { world, path, frame, runs } = await withWatches(real.world, prepare, agentOf, mute)
  const [first] = path.hops
  if (!frame || !first) return { ...path, mode: 'live' }
  const { host } = first
  const mark = markOf(frame)
  const swallowed = mustBeSwallowed(mark) && !request.deliver ? receiverIn(world, path) : null
  refuseWhatWouldArrive(world, request, frame, mark, swallowed)
  const sent = toHex(frame)
  const sender = agentOf(host)
  const silent = sender instanceof HoldfastError ? sender.message : mute.get(host)
  if (sender instanceof HoldfastError || silent !== undefined)
    return { ...path, verdict: 'unknown', mode: 'live', drop: null, limit: `The agent of ${host} cannot be asked to send it: ${silent}` }
  using watch = new TapWatch(world, path, frame, agentOf, swallowed)
  const explained = explain(path, runs, agentOf, mute)
  const switches = new SwitchWatch(world, path, frame, agentOf)
  await Promise.all([watch.armed(), switches.readBefore()])
  let sentAtUs: number
  try {
    ;({ atUs: sentAtUs } = await sender.network.inject(
      isHostSender(request) ? { nic: first.device, frame: sent } : { port: request.from, frame: sent },
    ))
  } catch (thrown) {
    const drop = { host, device: 'br-int', reason: 'switch-down' as const, object: `forwarding/${host}`, hint: asHoldfastError(thrown).message }
    return { ...path, verdict: 'dropped', mode: 'live', hops: path.hops.slice(0, 1), copies: undefined, drop, limit: null, sent }
  }
  const answered = asksForAnswer(parseFrame(frame)!)
  await seenAsFarAs(watch, path, answered)
  await Promise.all([explained, forget(world, path, frame, mark, agentOf)])
  const { standing: armed, blind, sightings } = watch
  const judged = judge({ path, armed, blind, sightings, sentAtUs, answered, lagging: laggingOf(world, mute) })
  return { ...(await switches.complete(judged)), sent }
}

/** Waits until it has been seen as far as it should come, and for what may come in spite of that. */
async function seenAsFarAs(watch: TapWatch, { hops, copies = [], drop }: TraceResult, answered: boolean): Promise<void> {
  const first = hops[0]!
  const delivered = copies.flatMap(({ host, port, verdict }) => (port !== null && verdict === 'delivered' ? [{ host, device: port }] : []))
  const watched = delivered.filter(({ host, device }) => watch.standing.has(`${host}/${device}`))
  const everywhere = (): boolean => watched.every((place) => watch.saw('forward', place))
  const back = (): boolean => watch.saw('return', first) && everywhere()
  if (drop) {
    const before = hops.filter(
      (hop) => hop.n > 1 && watch.standing.has(`${hop.host}/${hop.device}`) && (hop.host !== drop.host || hop.device !== drop.device),
    )
    await watch.until(() => back() || (before.every((hop) => watch.saw(hop.leg, hop)) && everywhere()), surpriseMs)
  } else if (answered) await watch.until(back, settleMs)
  else
    await watch.until(
      () =>
        everywhere() &&
        watch.saw(
          'forward',
          hops.findLast((hop) => hop.leg === 'forward')!,
        ),
      settleMs,
    )
}

/** Packets for which some application may wait: all but those that a system answers by itself. */
function mustBeSwallowed({ proto }: Mark): boolean {
  return proto === 'udp' || proto === 'raw' || proto === 'frame'
}

/** A gratuitous ARP request, RFC 5944 §4.6. */
function isAnnouncement(frame: Uint8Array): boolean {
  const arp = parseFrame(frame)?.arp
  return arp?.op === 1 && arp.spa === arp.tpa
}

/** The port that a packet is to come to. */
function receiverIn(world: World, { hops }: TraceResult): string | null {
  const last = hops.findLast((hop) => hop.leg === 'forward' && hop.action === 'received')
  return last && world.index.ports.has(last.device) ? last.device : null
}

/** A marked packet reaches no application unless that is asked for: what cannot be kept from one is not sent. */
function refuseWhatWouldArrive(world: World, request: TraceRequest, frame: Uint8Array, { proto }: Mark, receiver: string | null): void {
  if (request.deliver || !(mustBeSwallowed({ proto } as Mark) || isAnnouncement(frame))) return
  const refuse = (message: string): never => {
    throw new HoldfastError(
      'not-supported',
      message,
      'Trace it with mode simulated; or ICMP or TCP, which no application gets to see; or say that it may arrive (--deliver).',
      {
        proto,
      },
    )
  }
  if (isAnnouncement(frame)) refuse('It announces an address: all that hear it would send there what is for it')
  if (isHostSender(request)) refuse(`A packet of this kind would reach what listens on the other host`)
  if ((frame[0]! & 1) === 1) refuse('A packet to many would reach every guest of the network')
  const attachment = receiver === null ? undefined : world.index.ports.get(receiver)?.attach.kind
  if (attachment !== undefined && attachment !== 'netns')
    refuse(`What goes to ${receiver} cannot be kept from its guest: it is attached as ${attachment}`)
}

/** Hosts that do not answer and had an older revision in place when they last did. */
function laggingOf(world: World, mute: ReadonlyMap<string, string>): Map<string, string> {
  const lagging = new Map<string, string>()
  for (const [host, why] of mute) {
    const revision = world.hosts.get(host)?.revision ?? null
    if (world.revision === null || revision === null || revision >= world.revision) continue
    lagging.set(host, `${host} had revision ${revision} in place when it last answered, not ${world.revision}, and cannot be asked: ${why}.`)
  }
  return lagging
}

/** Connections that the packet made in the zones of the ports at both its ends. */
async function forget(world: World, path: TraceResult, frame: Uint8Array, mark: Mark, agentOf: AgentOf): Promise<void> {
  const packet = parseFrame(frame)!
  const { ip, transport } = packet
  if (!ip) return
  const ports = transport?.kind === 'tcp' || transport?.kind === 'udp' ? { sport: transport.sport, dport: transport.dport } : {}
  const echo = mark.proto === 'icmp' ? { echoId: mark.number >>> 16 } : {}
  const ends = new Set(path.hops.flatMap((hop) => world.index.ports.get(hop.device) ?? []))
  await Promise.all(
    [...ends].map(async ({ name, host }) => {
      const agent = agentOf(host)
      if (agent instanceof HoldfastError) return
      const forgotten = agent.network.forget({ ports: [name], src: ip.src, dst: ip.dst, protocol: ip.protocol, ...ports, ...echo })
      await within(explainMs, forgotten, `the agent of ${host} does not answer`).catch(() => undefined)
    }),
  )
}
