import type { TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { checkFilter, Tap } from './tap.ts'

/** A device to tap, and how to get into the namespace that it is in. */
export interface TapDevice {
  device: string
  enter: readonly string[]
}

export interface TapSessionOptions {
  points: readonly TapPoint[]
  /** Throws `not-found` for a place that there is not. */
  deviceOf(point: TapPoint): TapDevice
  ms: number
  snapBytes: number
  maxBytes: number
  signal: AbortSignal | undefined
}

/** More packets than this wait for a slow reader in no case; the rest are counted as lost. */
const maxWaiting = 20_000

/** Taps several places at once and tells what they see, in the order in which it comes. Throws `bad-input` for a filter that is none. */
export async function* tapSession(options: TapSessionOptions): AsyncGenerator<TapEvent, void, undefined> {
  const { points, deviceOf, ms, snapBytes, signal } = options
  for (const filter of new Set(points.map((point) => point.filter))) await checkFilter(filter)
  const devices = points.map((point) => deviceOf(point))
  const waiting: TapEvent[] = []
  const dropped = new Map<string, number>()
  let leftBytes = options.maxBytes
  let wake = (): void => undefined
  const tell = (event: TapEvent): void => {
    waiting.push(event)
    wake()
  }
  const taps = points.map(({ id, filter }, index) => ({
    id,
    tap: new Tap({
      ...devices[index]!,
      ...{ filter, snapBytes },
      onPackets(packets) {
        for (const { atUs, bytes, frame } of packets) {
          leftBytes -= frame.length
          if (waiting.length >= maxWaiting) dropped.set(id, (dropped.get(id) ?? 0) + 1)
          else tell({ type: 'packet', point: id, atUs, bytes, frame: frame.toString('hex') })
        }
      },
    }),
  }))
  let over = false
  const end = (): void => {
    over = true
    wake()
  }
  const timer = setTimeout(end, ms)
  signal?.addEventListener('abort', end, { once: true })
  for (const { id, tap } of taps) {
    tap.armed.then(
      () => tell({ type: 'armed', point: id, failure: null }),
      (cause: Error) => tell({ type: 'armed', point: id, failure: cause.message }),
    )
    // One that ends before its time, e.g. with its device, is told at once.
    void tap.ended.then((counts) => over || tell({ type: 'ended', point: id, ...counts }))
  }
  try {
    while (!over && leftBytes > 0) {
      if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      while (waiting.length > 0 && !signal?.aborted) yield waiting.shift()!
    }
    // A reader that went away is told nothing more.
    if (signal?.aborted) return
    over = true
    const counts = await Promise.all(taps.map(async ({ id, tap }) => ({ id, ...(await tap.end()) })))
    yield* waiting.splice(0)
    for (const { id, captured, lost } of counts) {
      yield { type: 'ended', point: id, captured, lost: lost === null ? null : lost + (dropped.get(id) ?? 0) }
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
    for (const { tap } of taps) void tap.end()
  }
}
