import { tables, type Stage } from './tables.ts'

/** A flow as ovs-ofctl(8) writes it; see core/net/openflow/flow.ts. */
export interface Emit {
  (stage: Stage, priority: number, cookie: string, match: string, actions: string): void
}

/** Ends an action list: the packet goes on at a stage. */
export function goOn(stage: Stage): string {
  return `resubmit(,${tables[stage]})`
}

/** Ends an action list: the packet is for this local port. */
export function deliver({ number }: { number: number }): string {
  return join(set('reg2', number), goOn('trackIn'))
}

/** `set_field` of a register or field. */
export function set(field: string, value: string | number): string {
  return `set_field:${value}->${field}`
}

/** Joins parts of a match or of an action list; empty ones are left out. */
export function join(...parts: (string | undefined | false)[]): string {
  return parts.filter(Boolean).join(',')
}

/** A dropped packet is an empty action list. */
export const drop = 'drop'

/** Matches broadcast and multicast: the group bit of the destination MAC (IEEE 802). */
export const toMany = 'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00'

/** A number of up to 24 bits as the last three bytes of a MAC. */
export function threeBytes(value: number): string {
  return [value >> 16, (value >> 8) & 0xff, value & 0xff].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
