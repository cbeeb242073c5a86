import type { TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { NicTap, TunnelTap, type TunnelOfNetwork } from './capture-tunnel.ts'
import { checkFilter, Tap } from './tap.ts'

/** A device to tap, and how to get into the namespace that it is in. */
export interface TapDevice {
  device: string
  enter: readonly string[]
  /** The network whose tunnels, at that device, are meant. */
  tunnel?: TunnelOfNetwork
  /** Whether packets that carry in a tunnel what the filter means are meant, too. */
  inside?: boolean
}

export interface TapSessionOptions {
  points: readonly TapPoint[]
  /** Throws `not-found` for a place that there is not. */
  deviceOf(point: TapPoint): TapDevice | Promise<TapDevice>
  /** Directory of pid files. */
  run: string
  ms: number
  snapBytes: number
  maxBytes: number
  /** The reader went away. */
  signal: AbortSignal | undefined
  /** It is to end before its time, and to tell what it has seen. */
  ending: AbortSignal
}

/** More packets than this wait for a slow reader in no case; the rest are counted as lost. */
const maxWaiting = 20_000
/** How often taps are asked what they have lost. */
const countPeriodMs = 1000

/** Taps several places at once and tells what they see, in the order in which it comes. Throws `bad-input` for a filter that is none. */
export async function* tapSession(options: TapSessionOptions): AsyncGenerator<TapEvent, void, undefined> {
  const { points, deviceOf, run, ms, snapBytes, signal, ending } = options
  for (const filter of new Set(points.map((point) => point.filter))) await checkFilter(filter)
  const devices: TapDevice[] = []
  for (const point of points) devices.push(await deviceOf(point))
  const waiting: TapEvent[] = []
  const dropped = new Map<string, number>()
  let leftBytes = options.maxBytes
  let wake = (): void => undefined
  const tell = (event: TapEvent): void => {
    waiting.push(event)
    wake()
  }
  const taps = points.map(({ id, filter }, index) => {
    const { tunnel, inside = false, ...device } = devices[index]!
    const lost = (): number => tap.lost + (dropped.get(id) ?? 0)
    const common = {
      ...{ ...device, filter, snapBytes, run },
      onPackets(packets: { atUs: number; bytes: number; frame: Buffer }[]) {
        for (const { atUs, bytes, frame } of packets) {
          if (leftBytes <= 0) return wake()
          leftBytes -= frame.length
          if (waiting.length >= maxWaiting) dropped.set(id, (dropped.get(id) ?? 0) + 1)
          else tell({ type: 'packet', point: id, atUs, bytes, frame: frame.toString('hex'), lost: lost() })
        }
      },
    }
    const tap = tunnel ? new TunnelTap({ ...common, tunnel }) : inside && filter.trim() !== '' ? new NicTap(common) : new Tap(common)
    return { id, tap, device: device.device }
  })
  let over = false
  const end = (): void => {
    over = true
    wake()
  }
  const timer = setTimeout(end, ms)
  const counting = setInterval(() => taps.forEach(({ tap }) => tap.count()), countPeriodMs)
  for (const one of [signal, ending]) {
    if (one?.aborted) end()
    one?.addEventListener('abort', end, { once: true })
  }
  for (const { id, tap, device } of taps) {
    tap.armed.then(
      () => tell({ type: 'armed', point: id, failure: null, device }),
      (cause: Error) => tell({ type: 'armed', point: id, failure: cause.message, device }),
    )
    // One that ends before its time, e.g. with its device, is told at once.
    void tap.ended.then((counts) => over || tell({ type: 'ended', point: id, ...counts }))
  }
  try {
    while (!over && leftBytes > 0) {
      if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      while (waiting.length > 0 && !over && leftBytes > 0) yield waiting.shift()!
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
    clearInterval(counting)
    for (const one of [signal, ending]) one?.removeEventListener('abort', end)
    for (const { tap } of taps) void tap.end()
  }
}
