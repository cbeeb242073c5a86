import type { Field } from './fields.ts'
import type { WordMask } from './values.ts'

/** Bits `from` to `from + bits - 1` of a field. */
export interface Subfield {
  field: Field
  from: number
  bits: number
}

/** One step of a move: up to 32 bits that lie in one word of a key on either side. */
export interface Chunk {
  source: number
  sourceShift: number
  /** Bits of the source that are not read as zero. */
  sourceMask: number
  target: number
  targetShift: number
  /** In place: bits of the target that are overwritten. */
  targetMask: number
}

/** Sets fields; `needs` of `field` decide whether at all. */
export interface SetField {
  kind: 'set-field'
  field: Field
  words: WordMask[]
}

export interface Move {
  kind: 'move'
  source: Subfield
  target: Subfield
  chunks: Chunk[]
}

/** ct(…), ovs-actions(7). */
export interface Ct {
  kind: 'ct'
  commit: boolean
  zone: number | Subfield
  /** Where a copy that conntrack has seen goes on. */
  table: number | null
  /** What exec(…) writes into ct_mark and ct_label. */
  exec: (SetField | Move)[]
}

/** The actions that are understood; `drop` is an empty list. Meters let everything through here. */
export type Action =
  | SetField
  | Move
  | Ct
  | { kind: 'output'; port: number }
  | { kind: 'output-register'; source: Subfield }
  | { kind: 'controller'; options: string }
  | { kind: 'resubmit'; inPort: number | null; table: number | null }
  | { kind: 'goto-table'; table: number }
  | { kind: 'group'; group: number }
  | { kind: 'dec-ttl' }
  | { kind: 'ct-clear' }
  | { kind: 'check-packet-larger'; bytes: number; target: Subfield }
  | { kind: 'clone'; actions: Action[] }
  | { kind: 'push-vlan'; tpid: number }
  | { kind: 'pop-vlan' }
  | { kind: 'set-vlan'; field: 'vid' | 'pcp'; value: number; push: boolean }
  | { kind: 'meter'; meter: number }
  | { kind: 'note' }
