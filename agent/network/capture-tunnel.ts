import { anyTunnelFilter, tunnelFilter, tunnelHeaderBytes, unwrapTunnel } from '../../core/net/capture/tunnel.ts'
import { PartFilter } from './capture-filter.ts'
import type { CapturedPacket } from './pcap-stream.ts'
import type { TapCounts } from './tap-counts.ts'
import { Tap, type TapOptions } from './tap.ts'

/** A network's tunnels at a host. */
export interface TunnelOfNetwork {
  type: 'vxlan' | 'gre'
  vni: number
}

export interface TunnelTapOptions extends TapOptions {
  /** Null: of any network, and not those that pass the filter themselves. Packets then stay in their wrapping. */
  tunnel: TunnelOfNetwork | null
}

/**
 * Packets in tunnels that pass a filter, for the same use as `Tap`. A tunnel of Open vSwitch has no device of the kernel that could be
 * tapped, so this listens at the NIC, for the packets that carry it, and takes out what they carry. The filter is for what is inside.
 * Packets that are lost are counted before it: it may not have let them all pass.
 */
export class TunnelTap {
  readonly #tap: Tap
  readonly #filter: PartFilter | null
  #captured = 0
  readonly armed: Promise<void>
  readonly ended: Promise<TapCounts>

  constructor({ tunnel, filter, snapBytes, onPackets, ...options }: TunnelTapOptions) {
    const told = (packets: CapturedPacket[]): void => {
      this.#captured += packets.length
      onPackets(packets)
    }
    this.#filter = filter.trim() === '' ? null : new PartFilter(filter, told)
    this.#tap = new Tap({
      ...options,
      filter: tunnel ? tunnelFilter(tunnel) : `(${anyTunnelFilter}) and not (${filter})`,
      snapBytes: Math.min(65_535, snapBytes + tunnelHeaderBytes),
      onPackets: (packets) => {
        const inner = packets.flatMap((packet) => unwrapped(packet) ?? [])
        if (!this.#filter) told(inner)
        else if (tunnel) for (const packet of inner) this.#filter.push(packet, Buffer.alloc(0))
        else for (const packet of packets) this.#filter.push(packet, unwrapped(packet)?.frame ?? Buffer.alloc(0))
      },
    })
    this.armed = this.#tap.armed
    this.ended = this.#tap.ended.then(async ({ lost }) => {
      await this.#filter?.end()
      return { captured: this.#captured, lost }
    })
  }

  count(): void {
    this.#tap.count()
  }

  get lost(): number {
    return this.#tap.lost
  }

  async end(): Promise<TapCounts> {
    await this.#tap.end()
    return await this.ended
  }
}

function unwrapped({ atUs, bytes, frame }: CapturedPacket): CapturedPacket | null {
  const inner = unwrapTunnel(frame)?.frame
  if (!inner) return null
  return { atUs, bytes: bytes - (frame.length - inner.length), frame: Buffer.from(inner.buffer, inner.byteOffset, inner.length) }
}

/** Packets at a NIC that pass a filter themselves or carry in a tunnel one that does, for the same use as `Tap`. */
export class NicTap {
  readonly #taps: readonly [Tap, TunnelTap]
  readonly armed: Promise<void>
  readonly ended: Promise<TapCounts>

  constructor(options: TapOptions) {
    this.#taps = [new Tap(options), new TunnelTap({ ...options, tunnel: null })]
    this.armed = Promise.all(this.#taps.map(({ armed }) => armed)).then(() => undefined)
    this.armed.catch(() => undefined)
    this.ended = Promise.all(this.#taps.map(({ ended }) => ended)).then(sum)
  }

  count(): void {
    for (const tap of this.#taps) tap.count()
  }

  get lost(): number {
    return this.#taps[0].lost + this.#taps[1].lost
  }

  async end(): Promise<TapCounts> {
    return sum(await Promise.all(this.#taps.map((tap) => tap.end())))
  }
}

function sum(counts: readonly TapCounts[]): TapCounts {
  const add = (one: number | null, other: number | null): number | null => (one === null || other === null ? null : one + other)
  return counts.reduce((all, { captured, lost }) => ({ captured: all.captured + captured, lost: add(all.lost, lost) }))
}
