import { ORPCError } from '@orpc/client'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TapEvent, TapPlace } from '../../core/contract/agent/network.ts'
import { fromOrpcError } from '../../core/contract/errors.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { captureEnds, CaptureEvent, CapturePoint } from '../../core/model/capture.ts'
import { captureSnapBytes } from '../../core/net/capture/capture.ts'
import { estimateClock, type RoundTrip } from '../../core/net/capture/clock.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import type { EventQueue } from './event-queue.ts'

type End = (typeof captureEnds)[number]
type Packet = Extract<CaptureEvent, { type: 'packets' }>['packets'][number]

/** How long taps may take to stand, and to tell their counts at the end. */
const armMs = 10_000
const endMs = 5000
/** Taps end by themselves so long after the capture should have, if this laptop vanishes without a word. */
const graceMs = 10_000
const longestTapMs = 3_600_000
/** Packets are told in bunches, so often. */
const bunchMs = 100
/** Clocks drift: they are read again so often, in so many round trips each time. */
const clockPeriodMs = 10_000
const roundTrips = 12

/** A point of a capture, and what its host is to tap for it. */
export interface PlannedPoint {
  point: CapturePoint
  tap: TapPlace
}

/** One capture from its first tap to its last count. */
export class CaptureRun {
  readonly #request: { id: string; filter: string; ms: number; maxBytes: number }
  readonly #planned: readonly PlannedPoint[]
  readonly #queue: EventQueue<CaptureEvent>
  readonly #points: CapturePoint[]
  readonly #lost: (number | null)[]
  #bunch: Packet[] = []
  #bytes = 0
  #reason: End | null = null
  readonly #over = Promise.withResolvers<void>()
  #failure: HoldfastError | null = null

  constructor(
    request: { id: string; filter: string; ms: number; maxBytes: number },
    planned: readonly PlannedPoint[],
    queue: EventQueue<CaptureEvent>,
  ) {
    this.#request = request
    this.#planned = planned
    this.#queue = queue
    this.#points = planned.map(({ point }) => point)
    this.#lost = planned.map(() => null)
    queue.signal.addEventListener('abort', () => this.end('stopped'), { once: true })
    if (queue.signal.aborted) this.end('stopped')
  }

  /** No packet counts from now on. */
  end(reason: End): void {
    this.#reason ??= reason
    this.#over.resolve()
  }

  /** None of a host's points will see anything. */
  failHost(host: string, failure: HoldfastError): void {
    this.#points.forEach((point, index) => point.host === host && this.#failPoint(index, failure))
  }

  /** Why nothing could be captured. */
  failure(): HoldfastError {
    return this.#failure ?? new HoldfastError('internal', 'The capture failed without a reason', 'Try again.')
  }

  /** Captures. Resolves when all has been told and nothing of it is left on the hosts. Throws when no point at all could be tapped. */
  async run(agents: ReadonlyMap<string, AgentClient>): Promise<void> {
    const readClocks = (): Promise<unknown> => Promise.all([...agents].map(([host, agent]) => this.#readClock(host, agent)))
    await readClocks()
    const cut = new AbortController()
    const standing = this.#planned.flatMap(({ point }, index) => {
      const agent = agents.get(point.host)
      return agent ? [{ index, agent, ...this.#follow(index, agent, cut.signal) }] : []
    })
    await Promise.race([Promise.all(standing.map(({ armed }) => armed)), sleep(armMs, undefined, { ref: false }), this.#over.promise])
    for (const { index } of standing) if (this.#lost[index] === null) this.#failPoint(index, notInTime())
    if (this.#points.every(({ failure }) => failure !== null)) {
      cut.abort()
      throw this.failure()
    }
    this.#queue.push({ type: 'started', points: structuredClone(this.#points) })
    const bunches = setInterval(() => this.#tellBunch(), bunchMs)
    const clocks = setInterval(() => void readClocks(), clockPeriodMs)
    const timer = setTimeout(() => this.end('time'), this.#request.ms)
    void Promise.all(standing.map(({ ended }) => ended)).then(() => this.end('failed'))
    try {
      await this.#over.promise
      await Promise.all(standing.map(({ index, agent }) => agent.network.endTap({ session: this.#session(index) }).catch(() => undefined)))
      await Promise.race([Promise.all(standing.map(({ ended }) => ended)), sleep(endMs, undefined, { ref: false })])
      await readClocks()
    } finally {
      clearInterval(bunches)
      clearInterval(clocks)
      clearTimeout(timer)
      cut.abort()
    }
    this.#tellBunch()
    this.#queue.push({ type: 'ended', reason: this.#reason ?? 'stopped', points: this.#points, lost: this.#lost })
  }

  #session(index: number): string {
    return `${this.#request.id}.${index}`
  }

  /** Reads a point's tap. `armed` resolves when it stands or has failed, `ended` when nothing more comes. */
  #follow(index: number, agent: AgentClient, signal: AbortSignal): { armed: Promise<void>; ended: Promise<void> } {
    const { promise: armed, resolve: arm } = Promise.withResolvers<void>()
    const { filter, ms, maxBytes } = this.#request
    const read = async (): Promise<void> => {
      const points = [{ id: String(index), place: this.#planned[index]!.tap, filter }]
      const bounds = { ms: Math.min(longestTapMs, ms + graceMs), snapBytes: captureSnapBytes, maxBytes }
      const events = await agent.network.tap({ points, ...bounds, session: this.#session(index) }, { signal })
      for await (const event of events) {
        this.#take(index, event)
        if (event.type === 'armed') arm()
      }
    }
    const ended = read()
      .catch((thrown: unknown) => {
        if (signal.aborted) return
        this.#lost[index] = null
        const said = thrown instanceof ORPCError || thrown instanceof HoldfastError
        this.#failPoint(index, said ? fromOrpcError(thrown) : cutOff(this.#points[index]!.host))
      })
      .then(() => arm())
    return { armed, ended }
  }

  #take(index: number, event: TapEvent): void {
    if (event.type === 'armed') {
      this.#points[index] = { ...this.#points[index]!, device: event.device ?? '' }
      if (event.failure === null) this.#lost[index] = 0
      else this.#failPoint(index, new HoldfastError('step-failed', event.failure, 'See whether the device is there and up.'))
    } else if (event.type === 'ended') {
      this.#lost[index] = event.lost
      if (this.#reason === null)
        this.#failPoint(index, new HoldfastError('step-failed', 'Its tap ended before its time', 'See whether its device is still there.'))
    } else {
      this.#lost[index] = event.lost ?? this.#lost[index]!
      if (this.#reason === 'size') return
      const { atUs, bytes, frame } = event
      this.#bytes += frame.length / 2
      this.#bunch.push({ point: index, atUs, bytes, frame })
      if (this.#bytes >= this.#request.maxBytes) this.end('size')
    }
  }

  #failPoint(index: number, failure: HoldfastError): void {
    this.#failure ??= failure
    const point = this.#points[index]!
    this.#points[index] = { ...point, failure: point.failure ?? failure.message }
  }

  #tellBunch(): void {
    if (this.#bunch.length > 0) this.#queue.push({ type: 'packets', packets: this.#bunch, lost: [...this.#lost] })
    this.#bunch = []
  }

  /** A host that does not answer keeps the offset that was read before. */
  async #readClock(host: string, agent: AgentClient): Promise<void> {
    const trips: RoundTrip[] = []
    try {
      for (let trip = 0; trip < roundTrips; trip++) {
        const sentUs = this.#nowUs()
        const answer = await agent.network.clock()
        trips.push({ sentUs, ...answer, receivedUs: this.#nowUs() })
      }
    } catch {
      // What was read until then counts.
    }
    const [first, ...rest] = trips
    if (first) this.#queue.push({ type: 'clock', host, estimate: estimateClock([first, ...rest]) })
  }

  readonly #originMs = Date.now() - performance.now()

  /** The laptop's clock, which does not step while a capture runs. */
  #nowUs(): number {
    return (this.#originMs + performance.now()) * 1000
  }
}

/** What oRPC throws for a stream that was cut says nothing that helps. */
function cutOff(host: string): HoldfastError {
  return new HoldfastError('host-unreachable', `The connection to ${host} has ended`, 'Look at the state of that host, then capture again.')
}

function notInTime(): HoldfastError {
  return new HoldfastError('timeout', `Its tap did not stand within ${armMs / 1000} s`, 'The host may be overloaded; try again.')
}
