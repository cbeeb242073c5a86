import { z } from 'zod'
import { nameSchema } from './common.ts'

/** A device of a host, as the kernel allows its name. */
export const deviceNameSchema = z.string().regex(/^[^\s/]{1,15}$/)

/**
 * Where packets can be captured: at the cable of a port; at a NIC; on a host's bridge, every packet as it comes in, before
 * the switch does anything with it; in the tunnels of a network at a host, taken out of their wrapping.
 */
export const capturePlaceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('port'), port: nameSchema }),
  z.object({ kind: z.literal('nic'), host: nameSchema, nic: deviceNameSchema }),
  z.object({ kind: z.literal('bridge'), host: nameSchema }),
  z.object({ kind: z.literal('tunnel'), host: nameSchema, network: nameSchema }),
])
export type CapturePlace = z.infer<typeof capturePlaceSchema>

/** A place as people write it: `port:web-1`, `nic:h1/tenant`, `bridge:h1`, `tunnel:h1/web`. */
export function placeText(place: CapturePlace): string {
  switch (place.kind) {
    case 'port':
      return `port:${place.port}`
    case 'nic':
      return `nic:${place.host}/${place.nic}`
    case 'bridge':
      return `bridge:${place.host}`
    case 'tunnel':
      return `tunnel:${place.host}/${place.network}`
  }
}

/** The inverse of `placeText`; null for what is no place. */
export function parsePlace(text: string): CapturePlace | null {
  const [, kind, host, rest] = /^(port|nic|bridge|tunnel):([^/]*)(?:\/(.*))?$/.exec(text) ?? []
  const place = { port: { port: host }, nic: { host, nic: rest }, bridge: { host }, tunnel: { host, network: rest } }[kind ?? 'port']
  const parsed = capturePlaceSchema.safeParse({ kind, ...place })
  return parsed.success && placeText(parsed.data) === text ? parsed.data : null
}

/** How far a host's clock is ahead of the laptop's, at a moment of the host's: see core/net/capture/clock.ts. */
export const clockEstimateSchema = z.object({ atUs: z.number(), offsetUs: z.number(), uncertaintyUs: z.number() })

/** Bounds of a capture. Packets are kept in memory until they are saved. */
export const captureLimits = { points: 32, ms: 3_600_000, bytes: 256_000_000 } as const

export const captureRequestSchema = z.object({
  /** Chosen by the caller, to stop it by. */
  id: z.string().min(1).max(64),
  places: z.array(capturePlaceSchema).min(1).max(captureLimits.points),
  /** In the syntax of pcap-filter(7); empty: everything. In a tunnel it is for the packets inside; at a NIC for these or the packet itself. */
  filter: z.string().max(4096).default(''),
  ms: z.number().int().min(1).max(captureLimits.ms).default(30_000),
  /** Of all packets together. */
  maxBytes: z.number().int().min(1).max(captureLimits.bytes).default(16_000_000),
})
export type CaptureRequest = z.input<typeof captureRequestSchema>

/** A place that a capture is at. `device`: where its packets are seen on the host; `failure`: why there will be none. */
export const capturePointSchema = z.object({
  place: capturePlaceSchema,
  host: nameSchema,
  device: z.string(),
  /** What it is, in a sentence. */
  what: z.string(),
  failure: z.string().nullable(),
})
export type CapturePoint = z.infer<typeof capturePointSchema>

/** Packets by the clock of the host that saw them, microseconds since the Unix epoch; `point` is an index; `bytes` is the length on the wire. */
const packetSchema = z.object({ point: z.number().int(), atUs: z.number(), bytes: z.number().int(), frame: z.string() })

/** Why a capture ended: its time was over, it was full, it was stopped, or every one of its points had failed. */
export const captureEnds = ['time', 'size', 'stopped', 'failed'] as const

/** What a capture tells: its points once they stand, clocks now and then, packets, at last how many each point lost (null: not known). */
export const captureEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), points: z.array(capturePointSchema) }),
  z.object({ type: z.literal('clock'), host: nameSchema, estimate: clockEstimateSchema }),
  z.object({ type: z.literal('packets'), packets: z.array(packetSchema), lost: z.array(z.number().int().nullable()) }),
  z.object({
    type: z.literal('ended'),
    reason: z.enum(captureEnds),
    points: z.array(capturePointSchema),
    lost: z.array(z.number().int().nullable()),
  }),
])
export type CaptureEvent = z.infer<typeof captureEventSchema>
