import { setTimeout as sleep } from 'node:timers/promises'
import type { TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { asHoldfastError } from '../../core/errors.ts'
import type { TraceResult } from '../../core/model/trace.ts'
import { fromHex } from '../../core/net/packet/bytes.ts'
import type { Sighting } from '../../core/net/trace/judge.ts'
import { markOf, sight, type Mark } from '../../core/net/trace/sightings.ts'
import { exactFilter, filterFor } from '../../core/net/trace/tap-filter.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import type { AgentOf } from './real-world.ts'

/** How long taps may take to stand, and a packet to come back. */
const armMs = 5000
const answerMs = 1500
/** Taps end by themselves, should this laptop vanish. */
const tapMs = 15_000

/** Taps along a path: what stands, what does not, and what was seen. */
export class TapWatch implements Disposable {
  readonly standing = new Set<string>()
  readonly blind = new Map<string, string>()
  readonly sightings: Sighting[] = []
  readonly #points: string[] = []
  readonly #end = new AbortController()
  readonly #arming: Promise<void>[] = []
  #wake: () => void = () => undefined

  constructor(world: World, path: TraceResult, frame: Uint8Array, agentOf: AgentOf, swallowed: string | null) {
    const mark = markOf(frame)
    const points = new Map<string, TapPoint[]>()
    const add = (host: string, point: TapPoint): void => void points.set(host, [...(points.get(host) ?? []), point])
    const seen = new Set<string>()
    const tunnelled = path.hops.some((hop) => hop.action === 'encapsulated')
    for (const { host, device, kind } of path.hops) {
      const place = `${host}/${device}`
      if (seen.has(place) || !world.hosts.has(host)) continue
      seen.add(place)
      if (kind === 'physical') add(host, { id: place, place: { kind: 'nic', nic: device }, filter: filterFor(frame, mark, tunnelled) })
      else if (world.index.ports.get(device)?.host === host)
        add(host, {
          id: place,
          place: { kind: 'port', port: device },
          filter: device === swallowed ? exactFilter(frame) : filterFor(frame, mark, false),
        })
    }
    for (const [host, all] of points) {
      this.#points.push(...all.map(({ id }) => id))
      const agent = agentOf(host)
      const swallow = swallowed !== null && all.some(({ place }) => place.kind === 'port' && place.port === swallowed) ? [swallowed] : []
      if ('failure' in agent) for (const { id } of all) this.blind.set(id, agent.failure)
      else this.#arming.push(this.#follow(agent, all, swallow, mark))
    }
  }

  /** Resolves when every tap stands or has failed to. */
  async armed(): Promise<void> {
    await Promise.race([Promise.all(this.#arming), sleep(armMs, undefined, { ref: false })])
    for (const id of this.#points) if (!this.standing.has(id) && !this.blind.has(id)) this.blind.set(id, `no tap stood within ${armMs} ms`)
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
