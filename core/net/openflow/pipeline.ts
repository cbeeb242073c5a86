import { formatIpv4, parseIpv4 } from '../address.ts'
import { HoldfastError } from '../../errors.ts'
import { commit, type Frame } from './commit.ts'
import { untracked, type Conntrack, type CtMetadata } from './conntrack.ts'
import { extract } from './extract.ts'
import { at, keyWords, type Key } from './fields.ts'
import type { Step } from './step.ts'
import type { FlowTables } from './tables.ts'
import { translate, type Operation, type Translated } from './translate.ts'

/** The outer header of a tunnel: its key (VNI), and IPv4 addresses. An address that is not set is 0.0.0.0. */
export interface Tunnel {
  id: number
  src: string
  dst: string
}

export interface PipelineInput {
  /** OpenFlow port that the packet came in by. */
  inPort: number
  /** Set for what came out of a tunnel. */
  tunnel?: Tunnel
  /** Consulted and changed. */
  conntrack: Conntrack
  /** Time of conntrack's clock; 0 unless said. */
  nowMs?: number
  /** Ports that do not live, by number, for groups that watch them: without a carrier, or their BFD session is not up. */
  portsDown?: ReadonlySet<number>
}

/** A packet that left by a port. The bytes may be shared with other outputs: do not change them. */
export interface Output {
  port: number
  frame: Uint8Array
  /** What the flows set for a tunnel; on any other port it has no effect. OVS does not send to the tunnel end that the packet came to. */
  tunnel: Tunnel
  /** Index of the step that sent it. */
  step: number
}

/** A packet that went to the controller. */
export interface PacketIn {
  reason: 'action' | 'invalid-ttl'
  /** What controller(…) has in brackets. */
  options: string
  frame: Uint8Array
  step: number
}

export interface PipelineResult {
  /** Tables in the order in which the packet and its copies came to them. */
  steps: Step[]
  outputs: Output[]
  packetIns: PacketIn[]
}

/** MAX_RECIRC_DEPTH of OVS's userspace datapath, where taking off a tunnel's header counts as one. The kernel's bounds are others. */
const maxRecirculations = 6

const allUp: ReadonlySet<number> = new Set()

/**
 * What the flows of a bridge do with a frame, as OVS 3.1 would. Meters let everything through. Throws `not-supported` where a flow that
 * it meets, or a table with one, is not understood.
 */
export function runPipeline(tables: FlowTables, frame: Uint8Array, input: PipelineInput): PipelineResult {
  const { inPort, tunnel, conntrack, nowMs = 0, portsDown = allUp } = input
  const key: Key = new Uint32Array(keyWords)
  key[at.inPort] = inPort
  if (tunnel) writeTunnel(key, tunnel)
  const packet: Packet = { frame: { bytes: frame, ...extract(frame, key) }, ct: untracked }
  const bridge = { tables, portsDown }
  const execution = new Execution(bridge, conntrack, nowMs, tunnel ? 1 : 0)
  execution.run(translate(bridge, 0, key, false), packet)
  return execution.result
}

/** A packet on its way through the datapath. Its parts are replaced, never changed, so that a copy is a shallow one. */
interface Packet {
  frame: Frame
  ct: CtMetadata
}

class Execution {
  result: PipelineResult = { steps: [], outputs: [], packetIns: [] }
  #bridge: Translated
  #conntrack: Conntrack
  #nowMs: number
  #recirculations: number

  constructor(bridge: Translated, conntrack: Conntrack, nowMs: number, recirculations: number) {
    this.#bridge = bridge
    this.#conntrack = conntrack
    this.#nowMs = nowMs
    this.#recirculations = recirculations
  }

  run(operations: readonly Operation[], packet: Packet): void {
    const { steps, outputs, packetIns } = this.result
    for (const operation of operations) {
      switch (operation.kind) {
        case 'enter':
          steps.push(operation.step)
          break
        case 'note':
          operation.step.done.push(operation.done)
          break
        case 'write':
          packet.frame = commit(packet.frame, operation.before, operation.after)
          if (movesConnection(operation.before, operation.after)) packet.ct = { ...packet.ct, connection: null }
          break
        case 'output': {
          const { step, port, key } = operation
          outputs.push({ port, frame: packet.frame.bytes, tunnel: readTunnel(key), step: steps.indexOf(step) })
          step.done.push({ kind: 'output', port })
          break
        }
        case 'packet-in': {
          const { step, reason, options } = operation
          packetIns.push({ reason, options, frame: packet.frame.bytes, step: steps.indexOf(step) })
          step.done.push({ kind: 'packet-in', reason })
          // OVS reads the headers anew for that, and no further than one VLAN tag: behind two it then writes to the wrong place.
          packet.frame = { bytes: packet.frame.bytes, ...extract(packet.frame.bytes, new Uint32Array(keyWords)) }
          break
        }
        case 'ct':
          // A fragment that is held is gone for the actions that follow, too.
          if (!this.#track(operation, packet)) return
          break
        case 'ct-clear':
          packet.ct = untracked
          break
        case 'recirculate':
          this.#recirculate(operation, packet)
          break
        case 'clone':
          this.run(operation.operations, { ...packet })
          break
        case 'check-size': {
          const { step, bytes } = operation
          const larger = packet.frame.bytes.length - packet.frame.paddingBytes > bytes
          step.done.push({ kind: 'check-packet-larger', bytes, larger })
          this.run(larger ? operation.larger : operation.fitting, { ...packet })
          break
        }
      }
    }
  }

  #track({ step, zone, commit, table, mark, label }: Operation & { kind: 'ct' }, packet: Packet): boolean {
    const etherType = step.before[at.etherType]!
    const tracked = this.#conntrack.track(packet.frame, etherType, packet.ct, {
      zone,
      commit,
      ...(mark && { mark }),
      ...(label && { label }),
      nowMs: this.#nowMs,
    })
    if (tracked === 'held') {
      step.done.push({ kind: 'held' })
      return false
    }
    packet.ct = tracked
    step.done.push({ kind: 'ct', zone, commit, state: tracked.state, table })
    return true
  }

  /** The packet's headers are read anew; registers, tunnel and the like it keeps. */
  #recirculate({ step, table, key: kept }: Operation & { kind: 'recirculate' }, { frame: { bytes }, ct }: Packet): void {
    if (this.#recirculations >= maxRecirculations) {
      step.done.push({ kind: 'recirculated-too-often' })
      return
    }
    const key = kept.slice()
    const frame = { bytes, ...extract(bytes, key) }
    key[at.ctState] = ct.state
    key[at.ctZone] = ct.zone
    key[at.ctMark] = ct.mark
    key.set(ct.label, at.ctLabel)
    this.#recirculations++
    this.run(translate(this.#bridge, table, key, true), { frame, ct })
    this.#recirculations--
  }
}

/** Whether a changed packet has to be looked up anew by conntrack in a zone that has seen it. */
function movesConnection(before: Key, after: Key): boolean {
  const changed = (first: number, words: number): boolean =>
    before.subarray(first, first + words).some((word, index) => word !== after[first + index])
  const ip = after[at.etherType] === 0x0800 || after[at.etherType] === 0x86dd
  return ip && after[at.protocol] !== 0 && (changed(at.ip4Src, 10) || changed(at.l4Src, 2) || changed(at.ndTarget, 4))
}

function writeTunnel(key: Key, { id, src, dst }: Tunnel): void {
  key[at.tunId] = Math.floor(id / 2 ** 32)
  key[at.tunId + 1] = id
  key[at.tunSrc] = ip4(src)
  key[at.tunDst] = ip4(dst)
}

function readTunnel(key: Key): Tunnel {
  return { id: key[at.tunId]! * 2 ** 32 + key[at.tunId + 1]!, src: formatIpv4(key[at.tunSrc]!), dst: formatIpv4(key[at.tunDst]!) }
}

function ip4(text: string): number {
  const address = parseIpv4(text)
  if (address === null) throw new HoldfastError('bad-input', `'${text}' is no IPv4 address`, 'Give the tunnel IPv4 addresses.', { text })
  return address
}
