import { HoldfastError } from '../../errors.ts'
import type { Action, Ct, Move, Subfield } from './action.ts'
import { differs } from './commit.ts'
import { at, meets, vlanPresent, type Key } from './fields.ts'
import { bucketActions } from './group.ts'
import type { Done, Step } from './step.ts'
import { actionsOf, type FlowTables } from './tables.ts'
import { reservedPorts, type WordMask } from './values.ts'

/**
 * From flows to what a datapath does: the packet's fields go through the tables, changed fields are written when something leaves, as
 * ofproto-dpif-xlate.c of OVS does. Kept in these two halves because OVS's results depend on it: both outcomes of a size check are
 * translated, changes made after it do not reach the caller's actions, and a translation that fails sends nothing at all.
 */

/** What the datapath does, in order. `enter` and `note` are for the record. */
export type Operation =
  | { kind: 'enter'; step: Step }
  | { kind: 'note'; step: Step; done: Done }
  | { kind: 'write'; before: Key; after: Key }
  | { kind: 'output'; step: Step; port: number; key: Key }
  | { kind: 'packet-in'; step: Step; reason: 'action' | 'invalid-ttl'; options: string }
  | { kind: 'ct'; step: Step; zone: number; commit: boolean; mark?: [number, number]; label?: [number, number][]; table: number | null }
  | { kind: 'recirculate'; step: Step; table: number; key: Key }
  | { kind: 'ct-clear' }
  | { kind: 'clone'; operations: Operation[] }
  | { kind: 'check-size'; step: Step; bytes: number; larger: Operation[]; fitting: Operation[] }

/** OVS: MAX_DEPTH, MAX_RESUBMITS. */
const maxDepth = 64
const maxResubmits = 4096

export interface Translated {
  tables: FlowTables
  /** Ports that do not live: buckets of groups that watch one are passed over. */
  portsDown: ReadonlySet<number>
}

/** Translates what happens to a packet of a key from a table on. The key is changed. `tracked`: it comes from ct(table=…). */
export function translate(bridge: Translated, table: number, key: Key, tracked: boolean): Operation[] {
  const translation = new Translation(bridge, key, tracked)
  translation.start(table)
  return translation.failed ? recordOnly(translation.operations) : translation.operations
}

/** What remains of a translation that failed. */
function recordOnly(operations: Operation[]): Operation[] {
  return operations.flatMap((operation) => {
    if (operation.kind === 'enter' || operation.kind === 'note') return [operation]
    if (operation.kind === 'clone') return recordOnly(operation.operations)
    return operation.kind === 'check-size' ? [...recordOnly(operation.larger), ...recordOnly(operation.fitting)] : []
  })
}

class Translation {
  operations: Operation[] = []
  failed = false
  #bridge: Translated
  /** The packet's fields, and those that its bytes have by now. */
  #key: Key
  #base: Key
  #tracked: boolean
  #table = 0
  #depth = 0
  #resubmits = 0
  #step!: Step

  constructor(bridge: Translated, key: Key, tracked: boolean) {
    this.#bridge = bridge
    this.#key = key
    this.#base = key.slice()
    this.#tracked = tracked
  }

  start(table: number): void {
    this.#table = table
    this.#do(this.#enter(table, this.#key[at.inPort]!), true)
  }

  /** Looks a packet up and takes note of it; `inPort` counts for the look-up only. */
  #enter(table: number, inPort: number): readonly Action[] {
    const key = this.#key
    const saved = [key[at.inPort]!, key[at.l4Src]!, key[at.l4Dst]!] as const
    key[at.inPort] = inPort
    // Fragments are matched as if they had no ports (OFPC_FRAG_NORMAL), the first one too.
    if (key[at.fragment] !== 0) key[at.l4Src] = key[at.l4Dst] = 0
    const flow = this.#bridge.tables.find(table, key)
    this.#step = { table, flow, before: key.slice(), done: [] }
    ;[key[at.inPort], key[at.l4Src], key[at.l4Dst]] = saved
    this.operations.push({ kind: 'enter', step: this.#step })
    return flow ? actionsOf(flow.actions) : []
  }

  #note(done: Done): void {
    this.operations.push({ kind: 'note', step: this.#step, done })
  }

  /** False when it has gone on for so long that OVS gives up. */
  #mayGoOn(): boolean {
    if (this.#depth < maxDepth && this.#resubmits < maxResubmits) return true
    this.failed = true
    this.#note({ kind: 'aborted', reason: this.#depth >= maxDepth ? 'too-deep' : 'too-many-resubmits' })
    return false
  }

  #goTo(table: number, inPort: number, last: boolean): void {
    if (!this.#mayGoOn()) return
    const [callerTable, callerStep] = [this.#table, this.#step]
    const deepens = Number(table <= callerTable)
    this.#table = table
    const actions = this.#enter(table, inPort)
    this.#resubmits++
    this.#depth += deepens
    this.#do(actions, last)
    this.#depth -= deepens
    ;[this.#table, this.#step] = [callerTable, callerStep]
  }

  /** `last`: nothing follows these actions. */
  #do(actions: readonly Action[], last: boolean): void {
    for (const [index, action] of actions.entries()) {
      if (this.failed) return
      if (action.kind === 'check-packet-larger') {
        this.#checkSize(action.bytes, action.target, actions.slice(index + 1))
        return
      }
      if (action.kind === 'dec-ttl') {
        if (!this.#decrementTtl()) return
      } else if (action.kind === 'group') {
        if (!this.#group(action.group, last && index === actions.length - 1)) return
      } else this.#one(action, last && index === actions.length - 1)
    }
  }

  #one(action: Exclude<Action, { kind: 'check-packet-larger' | 'dec-ttl' | 'group' }>, last: boolean): void {
    const key = this.#key
    switch (action.kind) {
      case 'set-field':
        if (meets(key, action.field.needs)) this.#write(action.words)
        else this.#note({ kind: 'not-set', field: action.field.name })
        break
      case 'move':
        this.#move(action)
        break
      case 'output':
        this.#output(action.port, last)
        break
      case 'output-register':
        this.#output(read(key, action.source), last)
        break
      case 'controller':
        this.#packetIn('action', action.options)
        break
      case 'resubmit':
        this.#goTo(action.table ?? this.#table, action.inPort ?? key[at.inPort]!, last)
        break
      case 'goto-table':
        this.#goTo(action.table, key[at.inPort]!, last)
        break
      case 'ct':
        this.#ct(action)
        break
      case 'ct-clear':
        if (this.#tracked) {
          this.#untrack()
          this.operations.push({ kind: 'ct-clear' })
        }
        break
      case 'clone':
        this.#clone(action.actions, last)
        break
      case 'push-vlan':
        key[at.vlanInner] = key[at.vlan]!
        key[at.vlan] = ((action.tpid << 16) | vlanPresent) >>> 0
        break
      case 'pop-vlan':
        if (key[at.vlan]! & vlanPresent) {
          key[at.vlan] = key[at.vlanInner]! & vlanPresent ? key[at.vlanInner]! : 0
          key[at.vlanInner] = 0
        }
        break
      case 'set-vlan':
        if (key[at.vlan]! & vlanPresent || action.push) {
          const [mask, shift] = action.field === 'vid' ? [0xfff, 0] : [0xe000, 13]
          this.#write([{ word: at.vlan, mask: mask | vlanPresent, value: (action.value << shift) | vlanPresent }])
        }
        break
      case 'meter':
        this.#note({ kind: 'meter', meter: action.meter })
        break
      case 'note':
        break
    }
  }

  #write(words: readonly WordMask[]): void {
    const key = this.#key
    for (const { word, mask, value } of words) key[word] = (key[word]! & ~mask) | value
    this.#fixVlan()
  }

  /** A tag that came to be by writing its TCI is one of 802.1Q. */
  #fixVlan(): void {
    const tag = this.#key[at.vlan]!
    if (tag !== 0 && tag >>> 16 === 0) this.#key[at.vlan] = 0x8100_0000 + tag
  }

  #move({ source, target, chunks }: Move): void {
    const key = this.#key
    if (!meets(key, target.field.needs) || !meets(key, source.field.needs)) {
      this.#note({ kind: 'not-set', field: target.field.name })
      return
    }
    // All is read before anything is written: the sides may overlap.
    const values = chunks.map((chunk) => ((key[chunk.source]! & chunk.sourceMask) >>> chunk.sourceShift) << chunk.targetShift)
    chunks.forEach(({ target: word, targetMask }, index) => (key[word] = (key[word]! & ~targetMask) | (values[index]! & targetMask)))
    this.#fixVlan()
  }

  #output(port: number, last: boolean): void {
    const own = this.#key[at.inPort]!
    const { in_port, table, normal, flood, all, controller, none } = reservedPorts
    if (port === none || port > 0xffff) return
    if (port === controller) return this.#packetIn('action', '')
    if (port === table) return this.#goTo(0, own, last)
    if (port === normal || port === flood || port === all) {
      throw new HoldfastError(
        'not-supported',
        `A flow of table ${this.#step.table} sends to the reserved port ${port}, so what becomes of a packet cannot be told`,
        'Remove the flow if it is not wanted: it was not made by Holdfast.',
        { flow: this.#step.flow },
      )
    }
    if (port === own) {
      this.#note({ kind: 'output-suppressed', port })
      return
    }
    this.#commit()
    this.operations.push({ kind: 'output', step: this.#step, port: port === in_port ? own : port, key: this.#key.slice() })
  }

  #packetIn(reason: 'action' | 'invalid-ttl', options: string): void {
    this.#commit()
    this.operations.push({ kind: 'packet-in', step: this.#step, reason, options })
  }

  /** False where the action list ends: the TTL would be used up. */
  #decrementTtl(): boolean {
    const key = this.#key
    if (!meets(key, 'ip')) return true
    if (key[at.ttl]! <= 1) {
      this.#packetIn('invalid-ttl', '')
      return false
    }
    key[at.ttl]!--
    return true
  }

  /** Has the packet's bytes changed to its fields. */
  #commit(): void {
    const [before, after] = [this.#base, this.#key]
    if (!differs(before, after)) return
    this.operations.push({ kind: 'write', before: before.slice(), after: after.slice() })
    if (after[at.protocol] !== 0) before.set(after)
    else {
      // Then nothing behind the Ethernet header is written, now or when there is a protocol again.
      before.set(after.subarray(at.ethDst, at.ip4Src), at.ethDst)
    }
  }

  #ct(action: Ct): void {
    const zone = typeof action.zone === 'number' ? action.zone : read(this.#key, action.zone)
    this.#commit()
    const masks = [0, 0, 0, 0, 0]
    const cover = (word: number, mask: number): void => void (masks[word - at.ctMark]! |= mask)
    for (const write of action.exec) {
      this.#one(write, false)
      if (write.kind === 'set-field') for (const { word, mask } of write.words) cover(word, mask)
      else for (const { target, targetMask } of write.chunks) cover(target, targetMask)
    }
    const [mark, ...label] = masks.map((mask, index): [number, number] => [(this.#key[at.ctMark + index]! & mask) >>> 0, mask >>> 0])
    this.operations.push({
      kind: 'ct',
      step: this.#step,
      zone,
      commit: action.commit,
      table: action.table,
      ...(mark![1] !== 0 && { mark: mark! }),
      ...(label.some(([, mask]) => mask !== 0) && { label }),
    })
    if (action.table !== null) this.operations.push({ kind: 'recirculate', step: this.#step, table: action.table, key: this.#key.slice() })
    this.#untrack()
  }

  #untrack(): void {
    this.#key.fill(0, at.ctState, at.pktMark)
    this.#tracked = false
  }

  #clone(actions: readonly Action[], last: boolean): void {
    const key = this.#key.slice()
    if (last || actions.every(({ kind }) => kind !== 'ct' && kind !== 'meter')) {
      // OVS undoes these by writing the old fields back; what conntrack has said of the packet stays.
      this.#do(actions, last)
      this.#key.set(key)
      return
    }
    this.#commit()
    const [base, tracked, outer] = [this.#base.slice(), this.#tracked, this.operations]
    this.operations = []
    this.#do(actions, true)
    outer.push({ kind: 'clone', operations: this.operations })
    this.operations = outer
    this.#key.set(key)
    this.#base.set(base)
    this.#tracked = tracked
  }

  /** Executes the first bucket that lives, on a packet of its own but for what conntrack says of it. False where the action list ends: there is no such group. */
  #group(id: number, last: boolean): boolean {
    if (!this.#mayGoOn()) return true
    const group = this.#bridge.tables.groups.get(id)
    if (!group) {
      this.#note({ kind: 'no-group', group: id })
      return false
    }
    const lives = ({ watchPort }: { watchPort: number | null }): boolean => watchPort === null || !this.#bridge.portsDown.has(watchPort)
    const found = group.buckets.findIndex(lives)
    const down = group.buckets.slice(0, found < 0 ? undefined : found).map(({ watchPort }) => watchPort!)
    this.#note({ kind: 'group', group: id, bucket: found < 0 ? null : found, down })
    if (found < 0) return true
    const key = this.#key.slice()
    this.#depth++
    this.#do(bucketActions(group.buckets[found]!.actions), last)
    this.#depth--
    this.#key.set(key)
    return true
  }

  /** Both outcomes, each with the rest of the action list; the caller's actions go on with the fields from before. */
  #checkSize(bytes: number, target: Subfield, rest: readonly Action[]): void {
    const key = this.#key.slice()
    this.#commit()
    const [base, tracked, outer] = [this.#base.slice(), this.#tracked, this.operations]
    const outcome = (larger: boolean): Operation[] => {
      this.operations = []
      const bit = target.field.low + target.from
      const word = target.field.word + target.field.words - 1 - Math.floor(bit / 32)
      const mask = (1 << (bit % 32)) >>> 0
      this.#write([{ word, mask, value: larger ? mask : 0 }])
      this.#do(rest, true)
      this.#key.set(key)
      this.#base.set(base)
      this.#tracked = tracked
      return this.operations
    }
    const step = this.#step
    const [larger, fitting] = [outcome(true), outcome(false)]
    this.operations = outer
    outer.push({ kind: 'check-size', step, bytes, larger, fitting })
  }
}

function read(key: Key, { field, from, bits }: Subfield): number {
  let value = 0
  for (let done = 0; done < bits;) {
    const bit = field.low + from + done
    const width = Math.min(bits - done, 32 - (bit % 32))
    const word = (key[field.word + field.words - 1 - Math.floor(bit / 32)]! & (field.mask ?? 0xffff_ffff)) >>> 0
    value += (Math.floor(word / 2 ** (bit % 32)) % 2 ** width) * 2 ** done
    done += width
  }
  return value
}
