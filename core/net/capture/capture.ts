import { placeText, type CaptureEvent, type CapturePoint } from '../../model/capture.ts'
import { fromHex } from '../packet/bytes.ts'
import { toOwnClock, type ClockEstimate } from './clock.ts'
import type { PcapngFile, PcapngPacket } from './pcapng.ts'

/** What of a capture has come so far, put together from its events. */
export class Capture {
  readonly filter: string
  points: CapturePoint[] = []
  /** By the clock of the host that saw them. */
  readonly packets: PcapngPacket[] = []
  /** Of all packets as they were kept. */
  bytes = 0
  /** Packets of each point, and how many of them it lost. */
  captured: number[] = []
  lost: (number | null)[] = []
  readonly clocks = new Map<string, ClockEstimate[]>()
  ended: Extract<CaptureEvent, { type: 'ended' }>['reason'] | null = null

  constructor(filter: string) {
    this.filter = filter
  }

  take(event: CaptureEvent): void {
    if (event.type === 'clock') this.clocks.set(event.host, [...(this.clocks.get(event.host) ?? []), event.estimate])
    else if (event.type === 'started') {
      this.points = event.points
      this.captured = event.points.map(() => 0)
      this.lost = event.points.map(() => null)
    } else {
      this.lost = event.lost
      if (event.type === 'ended') {
        this.points = event.points
        this.ended = event.reason
        return
      }
      for (const { frame: hex, ...packet } of event.packets) {
        const frame = fromHex(hex)
        this.packets.push({ ...packet, frame })
        this.bytes += frame.length
        this.captured[packet.point]!++
      }
    }
  }

  /** What people call a point. */
  name(point: number): string {
    return placeText(this.points[point]!.place)
  }

  /** A moment of a point's host by the laptop's clock, as far as is known now. */
  ownClock(point: number, atUs: number): number {
    return toOwnClock(atUs, this.clocks.get(this.points[point]!.host) ?? [])
  }

  /** For `pcapngBlocks`: an interface a point, and all packets by the laptop's clock in the order of it. */
  file(): PcapngFile {
    const packets = this.packets.map((packet) => ({ ...packet, atUs: this.ownClock(packet.point, packet.atUs) }))
    return {
      comment: `Captured at ${this.points.map((_, index) => this.name(index)).join(', ')}. Times are by the clock of the laptop that asked.`,
      interfaces: this.points.map((point, index) => ({
        name: this.name(index),
        description: `${point.host}/${point.device}`,
        comment: `Host ${point.host}, device ${point.device}: ${point.what}. ${this.#clockText(point.host)}${point.failure === null ? '' : ` ${point.failure}.`}`,
        filter: this.filter,
        snapBytes: captureSnapBytes,
        lost: this.lost[index] ?? null,
      })),
      packets: packets.sort((one, other) => one.atUs - other.atUs),
    }
  }

  #clockText(host: string): string {
    const estimates = this.clocks.get(host) ?? []
    const [first] = estimates
    if (!first) return 'How far its clock is off is not known.'
    const [ahead, most] = [first.offsetUs, Math.max(...estimates.map(({ uncertaintyUs }) => uncertaintyUs))]
    return `Its clock was ${Math.abs(ahead)} µs ${ahead < 0 ? 'behind' : 'ahead of'} the laptop's, known to ± ${most} µs; times are corrected by it.`
  }
}

/** Longest part of a packet that is kept: all of a jumbo frame. The less, the more packets have room in the kernel. */
export const captureSnapBytes = 9216
