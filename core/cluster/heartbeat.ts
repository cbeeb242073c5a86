import { planes, type Plane } from '../model/common.ts'

/**
 * Heartbeats: one UDP datagram per plane every 100 ms, the same for every peer that watches the sender.
 *
 * ```
 *  0  4  "HFB1"
 *  4  8  boot: how often the sender's cluster module started without a predecessor to hand over (big endian)
 * 12  8  sequence of this boot on this plane, rising by one (big endian)
 * 20  1  plane: index into `planes`
 * 21  1  length n of the sender's name, 1 to 63
 * 22  n  sender's name, ASCII
 *     9  sealed: wall clock in ms (8, big endian), flags (1)
 *    16  tag of the AEAD; everything before the sealed part is its associated data
 * ```
 *
 * The key is derived per sender, its incarnation and its boot, the nonce is plane and sequence: no pair is ever used twice.
 */
export const heartbeatPeriodMs = 100

const magic = 0x48_46_42_31
const headerBytes = 22
const sealedBytes = 9
const tagBytes = 16
const minBytes = headerBytes + 1 + sealedBytes + tagBytes
/** No heartbeat is longer; what is, is not read. */
export const maxHeartbeatBytes = headerBytes + 63 + sealedBytes + tagBytes

/** Bits of the flags: the sender's store member answers; it is the raft leader; the sender holds the cluster's leadership. */
export const heartbeatFlags = { memberWell: 1, raftLeader: 2, leader: 4 } as const

/** An AEAD under one key. */
export interface Sealer {
  /** Ciphertext followed by a tag of 16 bytes. */
  seal(nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array): Uint8Array
  /** The plaintext, or null when the tag does not fit. */
  open(nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Uint8Array | null
}

/** Derives the key of one boot of one sender. `incarnation` tells a host from an earlier one of the same name. */
export type SealerFor = (sender: string, incarnation: string, boot: number) => Sealer

/** Where a sender stands; handed to the next version of the module so that receivers notice nothing. */
export interface SenderState {
  boot: number
  sequences: Record<Plane, number>
}

/** Makes one host's heartbeats. */
export class HeartbeatSender {
  readonly #name: Uint8Array
  readonly #sealer: Sealer
  readonly #boot: number
  readonly #sequences: Record<Plane, number>

  constructor(options: { host: string; incarnation: string; sealerFor: SealerFor; state: SenderState }) {
    this.#name = new TextEncoder().encode(options.host)
    this.#boot = options.state.boot
    this.#sequences = { ...options.state.sequences }
    this.#sealer = options.sealerFor(options.host, options.incarnation, this.#boot)
  }

  get state(): SenderState {
    return { boot: this.#boot, sequences: { ...this.#sequences } }
  }

  /** The next datagram for a plane. */
  next(plane: Plane, wallMs: number, flags: number): Uint8Array {
    const sequence = ++this.#sequences[plane]
    const bytes = new Uint8Array(headerBytes + this.#name.length + sealedBytes + tagBytes)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, magic)
    view.setBigUint64(4, BigInt(this.#boot))
    view.setBigUint64(12, BigInt(sequence))
    view.setUint8(20, planes.indexOf(plane))
    view.setUint8(21, this.#name.length)
    bytes.set(this.#name, headerBytes)
    const plain = new DataView(new ArrayBuffer(sealedBytes))
    plain.setBigUint64(0, BigInt(Math.max(0, Math.trunc(wallMs))))
    plain.setUint8(8, flags)
    const sealedAt = headerBytes + this.#name.length
    bytes.set(this.#sealer.seal(nonceOf(plane, sequence), bytes.subarray(0, sealedAt), new Uint8Array(plain.buffer)), sealedAt)
    return bytes
  }
}

/** What a datagram says before anything of it is proven. */
export interface HeartbeatHeader {
  sender: string
  boot: number
  sequence: number
  plane: Plane
}

/** Reads the header of a datagram; null for anything that is not exactly a heartbeat. Never throws. */
export function parseHeartbeat(bytes: Uint8Array): HeartbeatHeader | null {
  if (bytes.length < minBytes || bytes.length > maxHeartbeatBytes) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const nameBytes = view.getUint8(21)
  const plane = planes[view.getUint8(20)]
  if (view.getUint32(0) !== magic || plane === undefined || bytes.length !== headerBytes + nameBytes + sealedBytes + tagBytes) return null
  const boot = Number(view.getBigUint64(4))
  const sequence = Number(view.getBigUint64(12))
  if (!Number.isSafeInteger(boot) || !Number.isSafeInteger(sequence)) return null
  const sender = String.fromCharCode(...bytes.subarray(headerBytes, headerBytes + nameBytes))
  return { sender, boot, sequence, plane }
}

/** What came of a datagram. `replayed`: genuine, but seen before or of an earlier boot. `forged`: not sealed by its sender. */
export type Reception =
  | { type: 'heard'; from: string; plane: Plane; wallMs: number; flags: number; newBoot: boolean }
  | { type: 'malformed' | 'stranger' | 'wrong-plane' }
  | { type: 'replayed' | 'forged'; from: string; plane: Plane }

/** Counted per peer and plane since the receiver started. */
export interface PathCounters {
  lost: number
  replayed: number
  forged: number
}

interface PeerState {
  incarnation: string
  /** 0: none heard yet. */
  boot: number
  sealer: Sealer | null
  planes: Record<Plane, PlaneState>
}

interface PlaneState extends PathCounters {
  highest: number
  /** Bit i: sequence `highest - i` was received. */
  window: number
}

/** Sequences below the highest that may still come late (RFC 4303, 3.4.3). */
const windowSize = 32

/** Tells genuine new heartbeats of known peers from everything else. */
export class HeartbeatReceiver {
  readonly #sealerFor: SealerFor
  readonly #peers = new Map<string, PeerState>()
  /** Datagrams that were no heartbeats, of hosts that we do not know, or of another plane than they came by. */
  readonly refused = { malformed: 0, stranger: 0, wrongPlane: 0 }

  constructor(sealerFor: SealerFor) {
    this.#sealerFor = sealerFor
  }

  /** Whom to listen to: incarnation by name. What is known of peers that stay is kept. `boots`: the highest known of earlier lives. */
  setPeers(peers: ReadonlyMap<string, string>, boots: Readonly<Record<string, number>> = {}): void {
    for (const [name, peer] of this.#peers) if (peers.get(name) !== peer.incarnation) this.#peers.delete(name)
    for (const [name, incarnation] of peers) {
      if (this.#peers.has(name)) continue
      const fresh = (): PlaneState => ({ highest: 0, window: 0, lost: 0, replayed: 0, forged: 0 })
      this.#peers.set(name, { incarnation, boot: boots[name] ?? 0, sealer: null, planes: { mgmt: fresh(), storage: fresh(), tenant: fresh() } })
    }
  }

  /** The highest boot heard of each peer, to be kept on disk. */
  get boots(): Record<string, number> {
    return Object.fromEntries([...this.#peers].filter(([, peer]) => peer.boot > 0).map(([name, peer]) => [name, peer.boot]))
  }

  counters(peer: string, plane: Plane): PathCounters {
    const { lost, replayed, forged } = this.#peers.get(peer)?.planes[plane] ?? { lost: 0, replayed: 0, forged: 0 }
    return { lost, replayed, forged }
  }

  /** Judges a datagram that came in on the socket of `arrivedOn`. Never throws, whatever the bytes. */
  receive(bytes: Uint8Array, arrivedOn: Plane): Reception {
    const header = parseHeartbeat(bytes)
    if (!header) {
      this.refused.malformed++
      return { type: 'malformed' }
    }
    const peer = this.#peers.get(header.sender)
    if (!peer) {
      this.refused.stranger++
      return { type: 'stranger' }
    }
    if (header.plane !== arrivedOn) {
      this.refused.wrongPlane++
      return { type: 'wrong-plane' }
    }
    const { sender: from, plane, boot, sequence } = header
    const state = peer.planes[plane]
    const sealer = boot === peer.boot && peer.sealer ? peer.sealer : this.#sealerFor(from, peer.incarnation, boot)
    const sealedAt = bytes.length - sealedBytes - tagBytes
    const plain = sealer.open(nonceOf(plane, sequence), bytes.subarray(0, sealedAt), bytes.subarray(sealedAt))
    if (!plain || plain.length !== sealedBytes) {
      state.forged++
      return { type: 'forged', from, plane }
    }
    const newBoot = boot > peer.boot
    if (newBoot) for (const other of planes) Object.assign(peer.planes[other], { highest: 0, window: 0 })
    if (boot < peer.boot || !admit(state, sequence)) {
      state.replayed++
      return { type: 'replayed', from, plane }
    }
    peer.boot = boot
    peer.sealer = sealer
    const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength)
    return { type: 'heard', from, plane, wallMs: Number(view.getBigUint64(0)), flags: view.getUint8(8), newBoot }
  }
}

/** Whether a sequence is new, and notes it. Gaps count as lost until the late datagram comes. */
function admit(state: PlaneState, sequence: number): boolean {
  const ahead = sequence - state.highest
  if (state.highest === 0 && sequence > 0) {
    // Where this boot began is not known: nothing before its first datagram is missed or waited for.
    state.highest = sequence
    state.window = -1
    return true
  }
  if (ahead > 0) {
    state.lost += ahead - 1
    state.window = ahead >= windowSize ? 1 : (state.window << ahead) | 1
    state.highest = sequence
    return true
  }
  const bit = 1 << -ahead
  if (-ahead >= windowSize || (state.window & bit) !== 0) return false
  state.window |= bit
  state.lost = Math.max(0, state.lost - 1)
  return true
}

function nonceOf(plane: Plane, sequence: number): Uint8Array {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(0, planes.indexOf(plane))
  view.setBigUint64(4, BigInt(sequence))
  return nonce
}
