import { z } from 'zod'

/** Name of a host, switch, network…: an RFC 1123 label, at most 63 characters. */
export const nameSchema = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and dashes, at most 63')

/** Network planes that hosts share (feature M1). */
export const planes = ['mgmt', 'storage', 'tenant'] as const
export const planeSchema = z.enum(planes)
export type Plane = z.infer<typeof planeSchema>

/** What is known of something observed. `unknown` means that nobody who could tell has told lately. */
export const liveStateSchema = z.enum(['up', 'down', 'unknown'])
export type LiveState = z.infer<typeof liveStateSchema>

export const ipv4Schema = z.ipv4()
export const macSchema = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)

/** Milliseconds since the Unix epoch. */
export const wallMsSchema = z.number().int().nonnegative()
