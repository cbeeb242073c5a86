import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { asHoldfastError } from '../../core/errors.ts'
import type { TraceRequest, TraceResult } from '../../core/model/trace.ts'
import { parseFlowLine } from '../../core/net/openflow/flow.ts'
import { FlowTables } from '../../core/net/openflow/tables.ts'
import { fromHex, toHex } from '../../core/net/packet/bytes.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { judge, type Sighting } from '../../core/net/trace/judge.ts'
import { filterFor, sight, type Mark } from '../../core/net/trace/sightings.ts'
import { prepareTrace, traceSimulated, type PreparedTrace } from '../../core/net/trace/simulate.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { AgentClient } from '../deploy/clusters.ts'

/** How long taps may take to stand, and a packet to come back. */
const armMs = 5000
const answerMs = 1500
/** What is on its way from taps to this laptop when the answer is there. */
const settleMs = 150
/** Taps end by themselves, should this laptop vanish. */
const tapMs = 15_000

/** The agent of a host, or why it cannot be asked. */
export type AgentOf = (host: string) => AgentClient | { failure: string }

/**
 * Sends the packet for real and watches it: taps at every port and NIC on its way, and the flows that are in the switches of its hosts. What
 * conntrack learned of it is taken back.
 */
export async function traceLive(world: World, request: TraceRequest, agentOf: AgentOf): Promise<TraceResult> {
  const real = await realWorld(world, request, agentOf)
  const path = traceSimulated(real, request)
  const marks = { id: randomInt(0x1_0000), seq: randomInt(0x1_0000), sport: randomInt(49_152, 65_536) }
  const payload = randomBytes(16)
  const prepared = prepareTrace(real, request, marks, payload)
  const sender = agentOf(world.index.ports.get(request.from)!.host)
  // Without the MAC of its next hop a guest sends nothing.
  if (!prepared) return { ...path, mode: 'live' }
  if ('failure' in sender) return unseen(path, `The agent of ${prepared.from.port.host} cannot be asked to send it: ${sender.failure}`)
  const mark = markOf(prepared, request, marks, payload)
  using watch = new Watch(world, path, mark, agentOf, request.proto === 'udp' || request.proto === 17)
  await watch.armed()
  let sentAtUs: number
  try {
    ;({ atUs: sentAtUs } = await sender.network.inject({ port: request.from, frame: toHex(prepared.frame) }))
  } catch (thrown) {
    const { host } = prepared.from.port
    const drop = { host, device: 'br-int', reason: 'switch-down' as const, object: `forwarding/${host}`, hint: asHoldfastError(thrown).message }
    return { ...path, verdict: 'dropped', mode: 'live', hops: path.hops.slice(0, 1), drop, limit: null }
  }
  const answered = ['icmp', 'tcp', 'arp'].includes(mark.proto)
  await watch.until(
    answered ? { leg: 'return', device: request.from } : { leg: 'forward', device: path.hops.findLast((hop) => hop.leg === 'forward')!.device },
  )
  await forget(world, request, prepared, mark, marks, agentOf)
  return judge({ path, armed: watch.standing, blind: watch.blind, sightings: watch.sightings, sentAtUs, answered })
}

/** The world with the flows that are really there, on the hosts that the packet may pass. */
async function realWorld(world: World, request: TraceRequest, agentOf: AgentOf): Promise<World> {
  const network = world.index.networks.get(world.index.ports.get(request.from)?.network ?? '')
  const hosts = new Set(
    world.index.input.network.ports.filter((port) => world.index.networks.get(port.network)?.vpc === network?.vpc).map((port) => port.host),
  )
  for (const hop of traceSimulated(world, request).hops) if (world.hosts.has(hop.host)) hosts.add(hop.host)
  const tables = new Map<string, FlowTables>()
  await Promise.all(
    [...hosts].map(async (host) => {
      const agent = agentOf(host)
      if ('failure' in agent) return
      const answer = await agent.network.flows().catch(() => null)
      if (answer) tables.set(host, new FlowTables(answer.flows.map(parseFlowLine)))
    }),
  )
  return { ...world, tablesOf: (host) => tables.get(host) ?? world.tablesOf(host) }
}

function markOf({ frame }: PreparedTrace, { proto, sizeBytes }: TraceRequest, marks: { id: number; seq: number }, payload: Uint8Array): Mark {
  const packet = parseFrame(frame)!
  const kinds = { icmp: 'icmp', icmp6: 'icmp', tcp: 'tcp', udp: 'udp' } as const
  const kind = proto === 'arp' ? 'arp' : packet.transport && packet.transport.kind in kinds ? kinds[packet.transport.kind] : 'raw'
  return {
    proto: kind,
    src: packet.arp?.spa ?? packet.ip!.src,
    dst: packet.arp?.tpa ?? packet.ip!.dst,
    number: (marks.id * 0x1_0000 + marks.seq) >>> 0,
    payload: sizeBytes === undefined ? toHex(payload) : '',
  }
}

function unseen(path: TraceResult, limit: string): TraceResult {
  return { ...path, verdict: 'unknown', mode: 'live', drop: null, limit }
}

/** Taps along a path: what stands, what does not, and what was seen. */
class Watch implements Disposable {
  readonly standing = new Set<string>()
  readonly blind = new Map<string, string>()
  readonly sightings: Sighting[] = []
  readonly #end = new AbortController()
  readonly #arming: Promise<void>[] = []
  #wake: () => void = () => undefined

  constructor(world: World, path: TraceResult, mark: Mark, agentOf: AgentOf, swallowed: boolean) {
    const points = new Map<string, TapPoint[]>()
    const add = (host: string, point: TapPoint): void => void points.set(host, [...(points.get(host) ?? []), point])
    const seen = new Set<string>()
    for (const { host, device, kind } of path.hops) {
      const place = `${host}/${device}`
      if (seen.has(place) || !world.hosts.has(host)) continue
      seen.add(place)
      if (kind === 'physical') add(host, { id: place, place: { kind: 'nic', nic: device }, filter: filterFor(mark, true) })
      else if (world.index.ports.get(device)?.host === host)
        add(host, { id: place, place: { kind: 'port', port: device }, filter: filterFor(mark, false) })
    }
    const receiver = path.hops.findLast((hop) => hop.leg === 'forward' && world.index.ports.has(hop.device))?.device
    for (const [host, all] of points) {
      const agent = agentOf(host)
      const swallow =
        swallowed && receiver !== undefined && all.some((point) => point.place.kind === 'port' && point.place.port === receiver) ? [receiver] : []
      if ('failure' in agent) for (const { id } of all) this.blind.set(id, agent.failure)
      else this.#arming.push(this.#follow(agent, all, swallow, mark))
    }
  }

  /** Resolves when every tap stands or has failed to. */
  async armed(): Promise<void> {
    await Promise.race([Promise.all(this.#arming), sleep(armMs, undefined, { ref: false })])
  }

  /** Resolves a moment after the packet was seen there, or when that takes too long. */
  async until(place: { leg: Sighting['leg']; device: string }): Promise<void> {
    const endMs = performance.now() + answerMs
    const there = (): boolean => this.sightings.some(({ leg, device }) => (leg === place.leg || leg === 'error') && device === place.device)
    while (!there() && performance.now() < endMs) {
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), sleep(endMs - performance.now(), undefined, { ref: false })])
    }
    await sleep(settleMs)
  }

  [Symbol.dispose](): void {
    this.#end.abort()
  }

  /** Begins to read the taps of a host; resolves when they stand or have failed. */
  #follow(agent: AgentClient, points: TapPoint[], swallow: string[], mark: Mark): Promise<void> {
    const waiting = new Set(points.map(({ id }) => id))
    return new Promise((resolve) => {
      const read = async (): Promise<void> => {
        const events = await agent.network.tap({ points, ms: tapMs, snapBytes: 65_535, swallow }, { signal: this.#end.signal })
        for await (const event of events) {
          this.#take(event, mark)
          if (event.type === 'armed') waiting.delete(event.point)
          if (waiting.size === 0) resolve()
        }
      }
      read().catch((thrown: unknown) => {
        for (const id of waiting) this.blind.set(id, asHoldfastError(thrown).message)
        resolve()
      })
    })
  }

  #take(event: TapEvent, mark: Mark): void {
    if (event.type === 'armed') {
      if (event.failure === null) this.standing.add(event.point)
      else this.blind.set(event.point, event.failure)
    } else if (event.type === 'ended') {
      this.standing.delete(event.point)
      this.blind.set(event.point, 'its tap has ended')
    } else {
      const sighted = sight(fromHex(event.frame), mark)
      if (!sighted) return
      const slash = event.point.indexOf('/')
      this.sightings.push({ host: event.point.slice(0, slash), device: event.point.slice(slash + 1), leg: sighted.leg, atUs: event.atUs })
      this.#wake()
    }
  }
}

/** Connections that the packet made in the zones of the ports at both its ends. */
async function forget(
  world: World,
  request: TraceRequest,
  { from }: PreparedTrace,
  mark: Mark,
  marks: { id: number; sport: number },
  agentOf: AgentOf,
): Promise<void> {
  const protocol = { icmp: mark.src.includes(':') ? 58 : 1, tcp: 6, udp: 17, arp: null, raw: null }[mark.proto]
  if (protocol === null) return
  const ends = world.index.input.network.ports.filter((port) => port.name === from.port.name || port.ip === mark.dst || port.ip6 === mark.dst)
  const ports = mark.proto === 'icmp' ? { echoId: marks.id } : { sport: request.sport ?? marks.sport, dport: request.dport ?? 0 }
  await Promise.all(
    ends.map(async ({ name, host }) => {
      const agent = agentOf(host)
      if ('failure' in agent) return
      await agent.network.forget({ ports: [name], src: mark.src, dst: mark.dst, protocol, ...ports }).catch(() => undefined)
    }),
  )
}
