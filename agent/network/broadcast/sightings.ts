import { ip4At, ip6At, macAt } from '../../../core/net/packet/bytes.ts'

/** An address was announced from a place: gratuitous ARP, or an unsolicited neighbour advertisement of IPv6. */
export interface Sighting {
  vni: number
  ip: string
  mac: string
  /** Underlay address of the host that the frame came from; null: it was another replicator's copy. */
  host: string | null
  /** By this host's clock. */
  atMs: number
  /** Grows with every sighting of this node, in all VNIs, as long as its maps live. */
  sequence: number
}

/** `struct sighting_key` of program/maps.h. */
export const sightingKeyBytes = 24
/** `struct sighting_event`: the key, then `struct sighting`. */
export const sightingEventBytes = sightingKeyBytes + 32

/** Reads a `struct sighting_event`. The kernel's time is CLOCK_MONOTONIC, as that of `process.hrtime`. */
export function decodeSighting(event: Buffer, nowMs = Date.now(), nowNs = process.hrtime.bigint()): Sighting {
  const value = event.subarray(sightingKeyBytes)
  return {
    vni: event.readUInt32LE(0),
    ip: event.readUInt32LE(4) === 4 ? ip4At(event, 8) : ip6At(event, 8),
    mac: macAt(value, 0),
    host: value.readUInt32BE(8) === 0 ? null : ip4At(value, 8),
    atMs: nowMs - Number(nowNs - value.readBigUInt64LE(16)) / 1e6,
    sequence: Number(value.readBigUInt64LE(24)),
  }
}

/** A sign of life of a virtual router's master: a VRRP advertisement (RFC 5798 §5). */
export interface Advert {
  vni: number
  /** Number of the virtual router, which each family of addresses has of its own. */
  router: number
  family: 4 | 6
  /** Of its sender. */
  mac: string
  /** As of a sighting. */
  host: string | null
  /** By this host's clock. */
  atMs: number
}

/** `IP_VRRP` of program/frames.h, in place of a family of addresses. */
const vrrp = 112

/** Whether an entry of the map, read as `struct sighting_event`, is an advert. */
export function isAdvert(event: Buffer): boolean {
  return event.readUInt32LE(4) === vrrp
}

export function decodeAdvert(event: Buffer, nowMs = Date.now(), nowNs = process.hrtime.bigint()): Advert {
  const { vni, mac, host, atMs } = decodeSighting(event, nowMs, nowNs)
  return { vni, router: event.readUInt8(8), family: event.readUInt8(15) === 6 ? 6 : 4, mac, host, atMs }
}
