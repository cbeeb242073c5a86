import type { Key } from './fields.ts'
import type { Flow } from './flow.ts'

/** One table that a packet came to. */
export interface Step {
  table: number
  /** The flow that it met; null for none, which drops it (OpenFlow 1.3 §5.4). */
  flow: Flow | null
  /** The packet's fields when it came; see `fieldsOf`. */
  before: Key
  /** What became of it there beside its fields, in order. */
  done: Done[]
}

export type Done =
  | { kind: 'output'; port: number }
  /** To where it came from: only the action in_port does that. */
  | { kind: 'output-suppressed'; port: number }
  | { kind: 'packet-in'; reason: 'action' | 'invalid-ttl' }
  /** A field was not set, because the packet has none such. */
  | { kind: 'not-set'; field: string }
  | { kind: 'check-packet-larger'; bytes: number; larger: boolean }
  | { kind: 'meter'; meter: number }
  /** `bucket`: index of the one that was executed; null: none lives. `down`: watched ports of those before it. */
  | { kind: 'group'; group: number; bucket: number | null; down: number[] }
  /** The switch has no such group; the actions that follow are left out. */
  | { kind: 'no-group'; group: number }
  /** `state`: bits of `ctStates`, of the copy that goes on at `table` if there is one. */
  | { kind: 'ct'; zone: number; commit: boolean; state: number; table: number | null }
  /** A fragment waits in conntrack for the rest of its packet. */
  | { kind: 'held' }
  /** OVS gave up; what the flows met so far would have sent is not sent. */
  | { kind: 'aborted'; reason: 'too-deep' | 'too-many-resubmits' }
  /** The copy that was to go on after ct is dropped: it did so too often. */
  | { kind: 'recirculated-too-often' }
