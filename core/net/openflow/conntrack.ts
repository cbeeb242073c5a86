import { checksum } from '../packet/checksum.ts'
import { read16 } from '../packet/bytes.ts'
import { etherTypes, protocols } from '../packet/packet.ts'
import type { Frame } from './commit.ts'
import { connectionKey, keyText, reversed, type ConnectionKey, type FoundKey } from './connection-key.ts'
import { newTcp, opensTcp, updateTcp, type TcpConnection, type TcpTimeout, type TcpVerdict } from './connection-tcp.ts'
import { skipExtensions } from './extract.ts'
import { ctStates } from './values.ts'

/** What conntrack knows of a packet; fields ct_* are copied from here. */
export interface CtMetadata {
  /** Bits of `ctStates`; 0 is untracked. */
  state: number
  zone: number
  mark: number
  /** Most significant word first. */
  label: [number, number, number, number]
  /** The connection that the packet was found to belong to, of the tracker that set it; forgotten when its addresses or ports change. */
  connection: unknown
}

export const untracked: CtMetadata = { state: 0, zone: 0, mark: 0, label: [0, 0, 0, 0], connection: null }

/** What ct(…) asks for. `mark` and `label` are [value, mask], the label's word by word. */
export interface CtRequest {
  zone: number
  commit: boolean
  mark?: readonly [number, number]
  label?: readonly (readonly [number, number])[]
  nowMs: number
}

/** Follows connections. The pipeline asks it at each ct(…). */
export interface Conntrack {
  /**
   * Tracks a packet of an Ethernet type in a zone. Answers what is known of it then, or `held`: a fragment is kept until the others of
   * its packet have come, and nothing more happens to it.
   */
  track(frame: Frame, etherType: number, before: CtMetadata, request: CtRequest): CtMetadata | 'held'
}

type Timeout = TcpTimeout | 'other-first' | 'other-multiple' | 'other-bidirectional' | 'icmp-first' | 'icmp-reply'

/** How long a connection is kept after its last packet: the defaults of OVS's userspace datapath (lib/conntrack-tp.c). */
const timeoutsMs: Record<Timeout, number> = {
  'first-packet': 30_000,
  'opening': 30_000,
  'established': 86_400_000,
  'closing': 900_000,
  'fin-wait': 45_000,
  'closed': 30_000,
  'other-first': 60_000,
  'other-multiple': 60_000,
  'other-bidirectional': 30_000,
  'icmp-first': 60_000,
  'icmp-reply': 30_000,
}

interface Connection {
  key: ConnectionKey
  tcp: TcpConnection | null
  /** For all but TCP: how far it has come. */
  seen: 'first' | 'multiple' | 'reply'
  mark: number
  label: [number, number, number, number]
  expiresAtMs: number
}

/** A connection as a packet carries it. */
interface Known {
  connection: Connection
  zone: number
}

interface Entry {
  connection: Connection
  reply: boolean
}

/**
 * Conntrack as OVS's userspace datapath does it (lib/conntrack.c), without NAT, helpers and limits. A packet is `+new` until its
 * connection is committed and has been answered (UDP, ICMP echo) or has gone on after its SYN (TCP); ICMP errors about a known
 * connection are `+rel`; what is `+inv` see `connectionKey`, `opensTcp` and `updateTcp`.
 */
export class StatefulConntrack implements Conntrack {
  #entries = new Map<string, Entry>()

  /** An independent copy. Packets that this one has tracked are not known to the copy as such. */
  clone(): StatefulConntrack {
    const copy = new StatefulConntrack()
    const copies = new Map<Connection, Connection>()
    for (const [text, { connection, reply }] of this.#entries) {
      const copied = copies.get(connection) ?? structuredClone(connection)
      copies.set(connection, copied)
      copy.#entries.set(text, { connection: copied, reply })
    }
    return copy
  }

  track(frame: Frame, etherType: number, before: CtMetadata, request: CtRequest): CtMetadata | 'held' {
    const { zone } = request
    const fragment = fragmentFate(frame, etherType)
    if (fragment === 'held') return 'held'
    const known = before.connection as Known | null
    if (fragment !== 'invalid' && known?.zone === zone) return written(before.state, known, request)
    const found = fragment === 'invalid' ? null : connectionKey(frame, etherType)
    if (!found) return { ...untracked, zone, state: ctStates.inv | ctStates.trk, connection: known }
    // A new zone forgets what an earlier one has said.
    const seen = this.#seen(frame, found, before.zone === zone ? before.state : 0, request)
    const state = seen.state | ctStates.trk
    return seen.connection ? written(state, { connection: seen.connection, zone }, request) : { ...untracked, zone, state }
  }

  /** State and connection of a packet with a key. */
  #seen(
    frame: Frame,
    { key, related }: FoundKey,
    before: number,
    { zone, commit, nowMs }: CtRequest,
  ): { state: number; connection: Connection | null } {
    const entry = this.#entries.get(keyText(zone, key))
    if (entry && nowMs < entry.connection.expiresAtMs) {
      const { connection, reply } = entry
      const replied = reply ? ctStates.rpl : 0
      if (related) return { state: before | ctStates.rel | replied, connection }
      const verdict = update(connection, frame, reply, nowMs)
      if (verdict === 'established') return { state: ((before | ctStates.est) & ~ctStates.new) | replied, connection }
      if (verdict === 'still-new') return { state: before | ctStates.new, connection }
      if (verdict === 'invalid') return { state: ctStates.inv, connection }
      connection.expiresAtMs = -Infinity
    }
    if (related || !opens(frame, key)) return { state: ctStates.inv, connection: null }
    return { state: ctStates.new, connection: commit ? this.#add(frame, key, zone, nowMs) : null }
  }

  #add(frame: Frame, key: ConnectionKey, zone: number, nowMs: number): Connection {
    const tcp = key.protocol === protocols.tcp ? newTcp(frame) : null
    const first: Timeout = tcp ? 'first-packet' : isIcmp(key) ? 'icmp-first' : 'other-first'
    const connection: Connection = { key, tcp, seen: 'first', mark: 0, label: [0, 0, 0, 0], expiresAtMs: nowMs + timeoutsMs[first] }
    // Where both directions have one key, it is the opener's.
    this.#entries.set(keyText(zone, reversed(key)), { connection, reply: true })
    this.#entries.set(keyText(zone, key), { connection, reply: false })
    return connection
  }
}

/** OVS goes by the protocol alone, be it ICMPv6 in IPv4. */
function isIcmp({ protocol }: ConnectionKey): boolean {
  return protocol === protocols.icmp || protocol === protocols.icmp6
}

/** Whether a packet of no known connection may be the first of one: for ICMP, only a request. */
function opens(frame: Frame, { protocol }: ConnectionKey): boolean {
  if (protocol === protocols.tcp) return opensTcp(frame)
  const type = frame.bytes[frame.l4]
  if (protocol === protocols.icmp) return type === 8 || type === 13 || type === 15
  return protocol !== protocols.icmp6 || type === 128
}

function update(connection: Connection, frame: Frame, reply: boolean, nowMs: number): TcpVerdict {
  if (connection.tcp) {
    const { verdict, timeout } = updateTcp(connection.tcp, frame, reply)
    if (timeout) connection.expiresAtMs = nowMs + timeoutsMs[timeout]
    return verdict
  }
  const icmp = isIcmp(connection.key)
  if (reply) connection.seen = 'reply'
  else if (connection.seen === 'first' && !icmp) connection.seen = 'multiple'
  const replied = connection.seen === 'reply'
  connection.expiresAtMs = nowMs + timeoutsMs[icmp ? (replied ? 'icmp-reply' : 'icmp-first') : replied ? 'other-bidirectional' : 'other-multiple']
  return replied ? 'established' : 'still-new'
}

/** Applies what is to be written into the connection, and answers what the packet then carries of it. */
function written(state: number, known: Known, { zone, mark, label }: CtRequest): CtMetadata {
  const { connection } = known
  if (mark) connection.mark = (mark[0] | (connection.mark & ~mark[1])) >>> 0
  label?.forEach(([value, mask], word) => (connection.label[word] = (value | (connection.label[word]! & ~mask)) >>> 0))
  return { state, zone, mark: connection.mark, label: [...connection.label], connection: known }
}

/** Fragments shorter than this, but the last one, are refused: what OVS's lib/ipf.c has as its defaults. */
const minFragmentBytes = { ip4: 1200, ip6: 1280 }

/**
 * What lib/ipf.c does with a packet before it is tracked: fragments are `held` until their packet is whole, `invalid` if too short or
 * malformed; all others pass.
 */
function fragmentFate({ bytes, l3, l4, paddingBytes }: Frame, etherType: number): 'held' | 'invalid' | 'passes' {
  const size = bytes.length - l3 - paddingBytes
  if (etherType === etherTypes.ip4) {
    if (l3 < 0 || size < 20) return 'invalid'
    const fragment = read16(bytes, l3 + 6)
    if ((fragment & 0x3fff) === 0) return 'passes'
    const headerBytes = (bytes[l3]! & 15) * 4
    if (read16(bytes, l3 + 2) !== size || headerBytes < 20 || size < headerBytes || checksum(bytes, l3, l3 + headerBytes) !== 0) return 'invalid'
    return (fragment & 0x2000) !== 0 && size < minFragmentBytes.ip4 ? 'invalid' : 'held'
  }
  if (etherType !== etherTypes.ip6) return 'passes'
  if (l3 < 0 || l4 < 0 || size < 40) return 'invalid'
  const last = skipExtensions(bytes, l3 + 40, l3 + size, bytes[l3 + 6]!)
  if (!last || last.fragment === 0) return 'passes'
  return last.more && size < minFragmentBytes.ip6 ? 'invalid' : 'held'
}
