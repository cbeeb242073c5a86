import type { TraceRequest } from '../../core/model/trace.ts'
import { fromHex, ip6At } from '../../core/net/packet/bytes.ts'
import type { Packet } from '../../core/net/packet/packet.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { markOf, sight, type Mark, type SightedLeg } from '../../core/net/trace/sightings.ts'
import type { GuestPort } from '../../core/net/trace/guest-system.ts'
import { requestedFrame, type Marks } from '../../core/net/trace/packets.ts'

/** What is known of a sent packet, to know it again at any guest. */
export interface Sent {
  request: TraceRequest
  from: GuestPort
  mark: Mark
}

/** The bytes that a request stands for, towards a MAC, and what they are known by. */
export function packetOf(request: TraceRequest, from: GuestPort, mac: string, marks: Marks, payload: Uint8Array): Sent & { frame: Uint8Array } {
  const plain = parseFrame(requestedFrame(request, from, request.to, mac, marks))!
  // As long as it is to be, and known by its first bytes.
  const filled = new Uint8Array(plain.payload.length)
  filled.set(payload.subarray(0, filled.length))
  const frame = requestedFrame(request, from, request.to, mac, marks, filled)
  return { request, from, frame, mark: markOf(frame) }
}

/** On which leg a frame that came to a guest is the packet; null: it is another. */
export function legOf(hex: string, sent: Sent): SightedLeg | null {
  const frame = fromHex(hex)
  if (sent.request.proto !== 'arp') return sight(frame, sent.mark)?.leg ?? null
  const packet = parseFrame(frame)
  const leg = packet && questionLeg(packet, sent)
  // The sender's own system asks the same, from its true MAC.
  const mac = sent.request.sourceMac ?? sent.from.port.mac
  return leg && (leg === 'forward' ? packet.src : packet.dst) === mac ? leg : null
}

function questionLeg({ arp, ip, transport, payload }: Packet, { request, mark }: Sent): SightedLeg | null {
  if (arp?.op === 1) return arp.spa === mark.src && arp.tpa === request.to ? 'forward' : null
  if (arp?.op === 2) return arp.spa === request.to && arp.tpa === mark.src ? 'return' : null
  if (transport?.kind !== 'icmp6' || payload.length < 16 || ip6At(payload, 0) !== request.to) return null
  if (transport.type === 135) return ip!.src === mark.src ? 'forward' : null
  return transport.type === 136 && ip!.dst === mark.src ? 'return' : null
}
