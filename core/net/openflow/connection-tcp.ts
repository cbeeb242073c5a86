import { read16, read32 } from '../packet/bytes.ts'
import { tcpFlags } from '../packet/packet.ts'
import type { Frame } from './commit.ts'

/**
 * What conntrack makes of TCP segments: the state machine of OVS's userspace datapath (lib/conntrack-tcp.c), which follows pf's sequence
 * tracking (G. van Rooij, "Real Stateful TCP Packet Filtering in IP Filter", 2001). Sequence numbers are unsigned 32 bits and wrap.
 */

/** Progress of one side; the order counts. */
const states = { closed: 0, synSent: 2, established: 4, closing: 7, finWait2: 9, timeWait: 10 } as const

interface Peer {
  /** Highest sequence number sent. */
  seqLow: number
  /** Highest that the other side's acknowledgement and window allow. */
  seqHigh: number
  /** Largest window announced, before scaling. */
  maxWindow: number
  /** Window scale (RFC 7323): null if not known to be used, with `unknown` for a connection whose beginning was not seen. */
  scale: number | null | 'unknown'
  state: number
}

/** Who opened the connection, and who answers. */
export interface TcpConnection {
  peers: [Peer, Peer]
}

/** A `new` one takes the old connection's place. */
export type TcpVerdict = 'established' | 'still-new' | 'new' | 'invalid'
export type TcpTimeout = 'first-packet' | 'opening' | 'established' | 'closing' | 'fin-wait' | 'closed'

const { fin, syn, rst, psh, ack: acked, urg } = tcpFlags

interface Segment {
  flags: number
  seq: number
  ack: number
  window: number
  payloadBytes: number
  /** Window scale option; null without one. */
  scale: number | null
}

function segment({ bytes, l4, paddingBytes }: Frame): Segment {
  const headerBytes = (bytes[l4 + 12]! >> 4) * 4
  return {
    flags: read16(bytes, l4 + 12) & 0xfff,
    seq: read32(bytes, l4 + 4),
    ack: read32(bytes, l4 + 8),
    window: read16(bytes, l4 + 14),
    payloadBytes: bytes.length - paddingBytes - l4 - headerBytes,
    scale: windowScale(bytes.subarray(l4 + 20, l4 + headerBytes)),
  }
}

/** RFC 7323 §2.2: option 3, at most 14. */
function windowScale(options: Uint8Array): number | null {
  let scale: number | null = null
  for (let at = 0; options.length - at >= 3;) {
    const kind = options[at]
    if (kind === 0) return scale
    if (kind === 1) {
      at++
      continue
    }
    if (kind === 3) scale = Math.min(options[at + 2]!, 14)
    at += Math.max(options[at + 1]!, 2)
  }
  return scale
}

/** Flags that go together in no segment: SYN with RST or FIN; neither SYN, ACK nor RST; FIN, PSH or URG without ACK. */
function senseless(flags: number): boolean {
  if (flags & syn ? flags & (rst | fin) : !(flags & (acked | rst))) return true
  return !(flags & acked) && (flags & (fin | psh | urg)) !== 0
}

/** Whether a segment of no known connection may be the first of one: any that makes sense but a SYN with ACK. */
export function opensTcp(frame: Frame): boolean {
  const { flags } = segment(frame)
  return !senseless(flags) && (flags & (syn | acked)) !== (syn | acked)
}

export function newTcp(frame: Frame): TcpConnection {
  const { flags, seq, payloadBytes, window, scale } = segment(frame)
  const opened = (flags & syn) !== 0
  const source: Peer = {
    seqLow: seq,
    seqHigh: (seq + payloadBytes + 1 + Number(opened) + Number((flags & fin) !== 0)) >>> 0,
    maxWindow: Math.max(window, 1),
    scale: opened ? scale : 'unknown',
    state: states.synSent,
  }
  if (typeof source.scale === 'number') source.maxWindow = Math.ceil(source.maxWindow / 2 ** source.scale)
  return { peers: [source, { seqLow: 0, seqHigh: 1, maxWindow: 1, scale: opened ? null : 'unknown', state: states.closed }] }
}

/** `a - b` of sequence numbers, as a signed number. */
function distance(a: number, b: number): number {
  return (a - b) | 0
}

/** Largest acknowledgement that is let through beyond what was seen sent: a window and a segment. */
const slack = 0xffff + 1500

/** Takes a segment of a connection into account. `timeout` is left out where it does not change. */
export function updateTcp(connection: TcpConnection, frame: Frame, reply: boolean): { verdict: TcpVerdict; timeout?: TcpTimeout } {
  const source = connection.peers[reply ? 1 : 0]
  const target = connection.peers[reply ? 0 : 1]
  const read = segment(frame)
  const { flags } = read
  if (senseless(flags)) return { verdict: 'invalid' }
  if ((flags & (syn | acked)) === syn) {
    if (target.state >= states.finWait2 && source.state >= states.finWait2) {
      source.state = target.state = states.closed
      return { verdict: 'new' }
    }
    if (source.state <= states.synSent) {
      source.state = states.synSent
      return { verdict: 'still-new', timeout: 'first-packet' }
    }
  }
  let [sourceScale, targetScale] = scales(source, target, flags)
  let { window } = read
  const end = (read.seq + read.payloadBytes + Number((flags & syn) !== 0) + Number((flags & fin) !== 0)) >>> 0
  let checkAck = true
  if (source.state < states.synSent) {
    if (flags & syn && typeof target.scale === 'number') {
      source.scale = read.scale
      if (read.scale !== null) {
        sourceScale = read.scale
        window = Math.ceil(window / 2 ** sourceScale)
        targetScale = target.scale
      } else {
        target.maxWindow = (target.maxWindow << target.scale) & 0xffff
        target.scale = null
      }
    }
    source.seqLow = read.seq
    source.state = states.synSent
    const allowed = (end + Math.max(1, target.maxWindow << targetScale)) >>> 0
    if (source.seqHigh === 1 || distance(allowed, source.seqHigh) >= 0) {
      source.seqHigh = allowed
      checkAck = false
    }
    source.maxWindow = Math.max(source.maxWindow, window)
  }
  const ignoreAck = !(flags & acked) || (read.ack === 0 && (flags & rst) !== 0)
  const ack = ignoreAck ? target.seqLow : read.ack
  const empty = read.seq === end
  const bounds = { first: empty ? source.seqLow : read.seq, end: empty ? source.seqLow : end }
  const skew = checkAck ? distance(target.seqLow, ack) : 0
  const oneOff = Math.abs(distance(read.seq, source.seqLow)) <= 1
  const inWindow =
    distance(source.seqHigh, bounds.end) >= 0 &&
    distance(bounds.first, (source.seqLow - (target.maxWindow << targetScale)) >>> 0) >= 0 &&
    skew >= -slack &&
    skew <= slack * 2 ** sourceScale &&
    (!(flags & rst) || oneOff)
  const loosely =
    (target.state < states.synSent || target.state >= states.finWait2 || source.state >= states.finWait2) &&
    distance((source.seqHigh + slack) >>> 0, bounds.end) >= 0 &&
    distance(bounds.first, (source.seqLow - slack) >>> 0) >= 0
  if (!inWindow && !loosely) return { verdict: 'invalid' }

  source.maxWindow = Math.max(source.maxWindow, window)
  if (distance(bounds.end, source.seqLow) > 0) source.seqLow = bounds.end
  const acknowledged = (ack + window * 2 ** sourceScale) >>> 0
  if (distance(acknowledged, target.seqHigh) >= 0) target.seqHigh = (ack + Math.max(window * 2 ** sourceScale, 1)) >>> 0
  if (flags & fin && source.state < states.closing) source.state = states.closing
  if (inWindow && flags & acked) {
    if (target.state === states.synSent) target.state = states.established
    else if (target.state === states.closing) target.state = states.finWait2
  }
  if (flags & rst) source.state = target.state = states.timeWait
  return inWindow ? { verdict: 'established', timeout: timeoutOf(source.state, target.state) } : { verdict: 'established' }
}

/** Scales count once both sides are known to use them, or if neither side's beginning was seen. */
function scales(source: Peer, target: Peer, flags: number): [number, number] {
  if (flags & syn) return [0, 0]
  if (typeof source.scale === 'number' && typeof target.scale === 'number') return [source.scale, target.scale]
  return source.scale === 'unknown' && target.scale === 'unknown' ? [14, 14] : [0, 0]
}

function timeoutOf(a: number, b: number): TcpTimeout {
  const [low, high] = a < b ? [a, b] : [b, a]
  if (low >= states.finWait2) return 'closed'
  if (low >= states.closing) return 'fin-wait'
  if (low < states.established) return 'opening'
  return high >= states.closing ? 'closing' : 'established'
}
