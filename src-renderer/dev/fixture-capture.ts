/** TEST DOUBLE of captures: pings between two guests, as each of the places would see them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../core/errors.ts'
import type { CaptureEvent, CapturePoint, CaptureRequest } from '../../core/model/capture.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { buildFrame } from '../../core/net/packet/build.ts'
import { concatBytes, fromHex, toHex } from '../../core/net/packet/bytes.ts'
import type { Packet } from '../../core/net/packet/packet.ts'

export interface CaptureFaults {
  /** Packets that the first place loses, a bunch. */
  losesPackets: number
}

export const noCaptureFaults: CaptureFaults = { losesPackets: 0 }

const bunchMs = 200

export class FixtureCaptures {
  readonly #faults: CaptureFaults
  readonly #running = new Map<string, AbortController>()

  constructor(faults: CaptureFaults) {
    this.#faults = faults
  }

  check(filter: string): void {
    if (/^(|[a-z0-9:. ]*(icmp|arp|tcp|udp|host|port)[a-z0-9:. ]*)$/.test(filter) && !filter.endsWith('and')) return
    throw new HoldfastError('bad-input', `${JSON.stringify(filter)} is no filter: syntax error`, 'See pcap-filter(7) for the syntax.', { filter })
  }

  stop(id: string): void {
    this.#running.get(id)?.abort()
  }

  async *start(network: VirtualNetwork, request: CaptureRequest, signal: AbortSignal | undefined): AsyncGenerator<CaptureEvent, void, undefined> {
    this.check(request.filter ?? '')
    const stop = new AbortController()
    this.#running.set(request.id, stop)
    const points = request.places.map((place): CapturePoint => {
      const host = place.kind === 'port' ? (network.ports.find(({ name }) => name === place.port)?.host ?? 'h1') : place.host
      const device = place.kind === 'nic' ? place.nic : place.kind === 'tunnel' ? 'tenant' : place.kind === 'bridge' ? 'hf-mirror0' : 'hf257'
      return { place, host, device, what: 'a place', failure: place.kind === 'nic' && place.nic === 'storage' ? `${host} has no NIC storage` : null }
    })
    yield* points.map(({ host }, n): CaptureEvent => ({
      type: 'clock',
      host,
      estimate: { atUs: Date.now() * 1000, offsetUs: n * 40, uncertaintyUs: 180 },
    }))
    await sleep(300)
    yield { type: 'started', points }
    const endMs = Date.now() + (request.ms ?? 30_000)
    const lost: (number | null)[] = points.map(({ failure }) => (failure === null ? 0 : null))
    for (let seq = 1; Date.now() < endMs && !stop.signal.aborted && !signal?.aborted; seq++) {
      lost[0] = (lost[0] ?? 0) + this.#faults.losesPackets
      yield { type: 'packets', packets: pings(points, seq), lost: [...lost] }
      await sleep(bunchMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
    yield { type: 'ended', reason: stop.signal.aborted ? 'stopped' : 'time', points, lost }
  }
}

/** A question and its answer, or one about an address, at each place in turn. */
function pings(points: readonly CapturePoint[], seq: number) {
  const atUs = Date.now() * 1000
  const seen = [false, true].flatMap((back) => {
    const order = points.map((_, index) => index)
    return (back ? order.toReversed() : order).map((point) => ({ point, back }))
  })
  return seen.flatMap(({ point, back }, step) => {
    if (points[point]!.failure !== null) return []
    const frame = ping(seq, back, points[point]!.place.kind === 'nic')
    return [{ point, atUs: atUs + step * 85, bytes: frame.length, frame: toHex(frame) }]
  })
}

function ping(seq: number, back: boolean, wrapped: boolean): Uint8Array {
  const ends = ['10.20.1.11', '10.20.1.12'] as const
  const macs = ['0e:00:20:75:8b:39', '0e:00:6b:8e:8e:4a'] as const
  const [from, to] = back ? ([1, 0] as const) : ([0, 1] as const)
  const header = {
    version: 4 as const,
    ttl: 64,
    tos: 0,
    id: seq,
    dontFragment: true,
    moreFragments: false,
    fragmentOffsetBytes: 0,
    options: new Uint8Array(),
  }
  const ethernet = { src: macs[from], dst: macs[to], vlans: [], etherType: 0x0800 }
  const inner = buildFrame(
    seq % 12 === 1
      ? {
          ...{ src: macs[from], dst: back ? macs[to] : 'ff:ff:ff:ff:ff:ff', vlans: [], etherType: 0x0806, payload: new Uint8Array() },
          arp: { op: back ? 2 : 1, sha: macs[from], spa: ends[from], tha: back ? macs[to] : '00:00:00:00:00:00', tpa: ends[to] },
        }
      : {
          ...ethernet,
          ip: { ...header, src: ends[from], dst: ends[to], protocol: 1 },
          transport: { kind: 'icmp', type: back ? 0 : 8, code: 0, rest: 0x0007_0000 + seq },
          payload: new Uint8Array(56),
        },
  )
  if (!wrapped) return inner
  const outer: Packet = {
    ...ethernet,
    ip: { ...header, src: `10.77.3.1${from + 1}`, dst: `10.77.3.1${to + 1}`, protocol: 17 },
    transport: { kind: 'udp', sport: 51_000, dport: 4789 },
    payload: concatBytes(fromHex('0800000000100000'), inner),
  }
  return buildFrame(outer)
}
