import { setTimeout as sleep } from 'node:timers/promises'
import type { TapEvent, TapPlace, TapPoint } from '../../core/contract/agent/network.ts'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { TraceHop, TraceResult } from '../../core/model/trace.ts'
import { fromHex } from '../../core/net/packet/bytes.ts'
import { everyHop } from '../../core/net/trace/copies.ts'
import type { Sighting } from '../../core/net/trace/judge.ts'
import { markOf, sight, type Mark } from '../../core/net/trace/sightings.ts'
import { exactFilter, filterFor } from '../../core/net/trace/tap-filter.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import type { AgentOf } from './host-agents.ts'

/** How long taps may take to stand, and a packet to come back. */
const armMs = 5000
const answerMs = 1500
/** Taps end by themselves, should this laptop vanish. */
const tapMs = 15_000

/** The network that a tunnel carries, if the hop is one. */
function networkOf({ action, objects }: TraceHop): string | undefined {
  const tunnel = action === 'encapsulated' || action === 'decapsulated'
  return tunnel ? objects.find((object) => object.startsWith('network/'))?.slice('network/'.length) : undefined
}

/** `host/device` of a tap. */
const placeOf = (id: string): string => id.split('/', 2).join('/')

/** Taps along a path: what stands, what does not, and what was seen. */
export class TapWatch implements Disposable {
  readonly standing = new Set<string>()
  readonly blind = new Map<string, string>()
  readonly sightings: Sighting[] = []
  readonly #places: string[] = []
  readonly #end = new AbortController()
  readonly #arming: Promise<void>[] = []
  #wake: () => void = () => undefined

  constructor(world: World, path: TraceResult, frame: Uint8Array, agentOf: AgentOf, swallowed: string | null) {
    const mark = markOf(frame)
    const seen = new Set<string>()
    const sessions = new Map<string, { host: string; points: TapPoint[] }>()
    const hops = everyHop(path)
    const followed = new Set(path.hops)
    const tunnelled = hops.some((hop) => hop.action === 'encapsulated')
    const inside = filterFor(frame, mark, false)
    for (const hop of hops) {
      const { host, device, kind } = hop
      // Of the copies that are not followed, what is at cables and ports is enough.
      const network = followed.has(hop) ? networkOf(hop) : undefined
      // A device carries the tunnels of many networks.
      const id = [host, device, network].filter((part) => part !== undefined).join('/')
      if (seen.has(id) || !world.hosts.has(host)) continue
      seen.add(id)
      // The switch itself makes the tap of a bridge, and may not know a network yet: the others must not wait for that, nor fail with it.
      const add = (place: TapPlace, filter: string): void => {
        const session = place.kind === 'bridge' || place.kind === 'tunnel' ? `${host} ${place.kind}` : host
        sessions.set(session, { host, points: [...(sessions.get(session)?.points ?? []), { id, place, filter }] })
      }
      if (kind === 'physical') add({ kind: 'nic', nic: device }, filterFor(frame, mark, tunnelled))
      else if (world.index.ports.get(device)?.host === host) add({ kind: 'port', port: device }, device === swallowed ? exactFilter(frame) : inside)
      else if (network !== undefined) add({ kind: 'tunnel', network }, inside)
      else if (followed.has(hop) && device === 'br-int' && world.hosts.get(host)?.switchState !== 'down') add({ kind: 'bridge' }, inside)
    }
    for (const { host, points } of sessions.values()) {
      this.#places.push(...points.map(({ id }) => placeOf(id)))
      const agent = agentOf(host)
      const swallow = swallowed !== null && points.some(({ place }) => place.kind === 'port' && place.port === swallowed) ? [swallowed] : []
      if (agent instanceof HoldfastError) for (const { id } of points) this.blind.set(placeOf(id), agent.message)
      else this.#arming.push(this.#follow(agent, points, swallow, mark))
    }
  }

  /** Resolves when every tap stands or has failed to. */
  async armed(): Promise<void> {
    await Promise.race([Promise.all(this.#arming), sleep(armMs, undefined, { ref: false })])
    for (const place of this.#places)
      if (!this.standing.has(place) && !this.blind.has(place)) this.blind.set(place, `no tap stood within ${armMs} ms`)
  }

  /** Resolves `settleMs` after all has been seen that is asked for, or when that takes too long. */
  async until(done: () => boolean, settleMs: number): Promise<void> {
    const endMs = performance.now() + answerMs
    while (!done() && performance.now() < endMs) {
      await Promise.race([
        new Promise<void>((resolve) => (this.#wake = resolve)),
        sleep(Math.max(1, endMs - performance.now()), undefined, { ref: false }),
      ])
    }
    await sleep(settleMs)
  }

  /** Whether it was seen at a place, on that leg or as an error about it. */
  saw(leg: Sighting['leg'], { host, device }: { host: string; device: string }): boolean {
    return this.sightings.some((one) => (one.leg === leg || one.leg === 'error') && one.host === host && one.device === device)
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
        for (const id of waiting) this.blind.set(placeOf(id), asHoldfastError(thrown).message)
        resolve()
      })
    })
  }

  #take(event: TapEvent, mark: Mark): void {
    const place = placeOf(event.point)
    if (event.type === 'armed') {
      if (event.failure === null) this.standing.add(place)
      else this.blind.set(place, event.failure)
    } else if (event.type === 'ended') {
      this.standing.delete(place)
      this.blind.set(place, 'its tap has ended')
    } else {
      const sighted = sight(fromHex(event.frame), mark)
      if (!sighted) return
      const [host = '', device = ''] = place.split('/')
      this.sightings.push({ host, device, leg: sighted.leg, atUs: event.atUs })
      this.#wake()
    }
  }
}
