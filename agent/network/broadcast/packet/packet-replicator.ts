import { HoldfastError } from '../../../../core/errors.ts'
import { formatIpv4 } from '../../../../core/net/address.ts'
import { ip4At, ip6At, macAt, macBytes } from '../../../../core/net/packet/bytes.ts'
import { updateChecksumOver } from '../../../../core/net/packet/checksum.ts'
import { loadLibc } from '../../../cluster/libc.ts'
import { dropReasons, type DropReason, type TotalCounters, type VniCounters } from '../counters.ts'
import { encodeMembers, ip4Bytes, type Member, type ReplicatorAddress } from '../members.ts'
import { checkRate, type BroadcastPath, type Rate } from '../path.ts'
import type { ReplicatorOptions } from '../replicator.ts'
import type { Advert, Sighting } from '../sightings.ts'
import { CopySender } from './copy-sender.ts'
import { announced, judge, tunnelBytes, type KnownAddresses, type Verdict } from './judge.ts'
import { NicSocket } from './nic-socket.ts'

interface Network {
  members: readonly Member[]
  senders: Record<Member['tunnel'], CopySender>
  /** Members on this host, which no packet socket reaches. */
  own: number
}

interface Limit {
  intervalMs: number
  burstMs: number
  arrivalMs: number
}

/** LRU of as many addresses as the program in the kernel remembers. */
const maxSightings = 16_384
const ethernetBytes = 14

/** Replicates in this process, by a packet socket: what is left where the kernel grants no eBPF. It is several times slower, and ends with the process. */
export class PacketReplicator implements BroadcastPath {
  readonly way = 'packet'
  readonly #options: Pick<ReplicatorOptions, 'nic' | 'mtuBytes' | 'hostIp' | 'onSighting'>
  readonly #ifindex: number
  readonly #socket: NicSocket
  readonly #networks = new Map<number, Network>()
  readonly #limits = new Map<number, Limit>()
  readonly #counters = new Map<number, VniCounters>()
  readonly #totals: TotalCounters = { passed: 0, arpAnswers: 0, bfdAnswers: 0, replicated: 0, hairpinned: 0, dropped: noDrops() }
  readonly #sightings = new Map<string, Sighting>()
  #addresses: KnownAddresses = { local: new Map(), others: new Set() }
  #sequence = 0

  /** Throws `not-found` for the NIC, `not-supported` without CAP_NET_RAW. */
  constructor(options: Pick<ReplicatorOptions, 'nic' | 'mtuBytes' | 'hostIp' | 'onSighting'>) {
    this.#options = options
    this.#ifindex = loadLibc().if_nametoindex(options.nic)
    if (this.#ifindex === 0)
      throw new HoldfastError('not-found', `There is no NIC ${options.nic}`, 'See what its NICs are called now.', { nic: options.nic })
    this.#socket = new NicSocket(this.#ifindex, (frame) => this.#take(frame))
  }

  get attached(): boolean {
    return loadLibc().if_nametoindex(this.#options.nic) === this.#ifindex
  }

  setAddresses(local: readonly ReplicatorAddress[], others: readonly string[]): void {
    const number = (ip: string): number => ip4Bytes(ip).readUInt32BE()
    this.#addresses = { local: new Map(local.map(({ ip, mac }) => [number(ip), macBytes(mac)])), others: new Set(others.map(number)) }
  }

  setMembers(lists: ReadonlyMap<number, readonly Member[]>): void {
    const { hostIp } = this.#options
    // Checks them all, before the first is taken.
    for (const [vni, members] of lists) encodeMembers(vni, members, hostIp)
    for (const [vni, members] of lists) {
      const reached = members.filter(({ ip }) => ip !== hostIp)
      const sender = (tunnel: Member['tunnel']): CopySender => new CopySender(reached.filter((member) => member.tunnel === tunnel))
      this.#networks.set(vni, { members, senders: { vxlan: sender('vxlan'), gre: sender('gre') }, own: members.length - reached.length })
      if (!this.#counters.has(vni)) this.#counters.set(vni, { frames: 0, copies: 0, bytes: 0, failed: 0, dropped: noDrops() })
    }
  }

  removeVnis(vnis: Iterable<number>): void {
    for (const vni of vnis) for (const map of [this.#networks, this.#counters, this.#limits]) map.delete(vni)
  }

  vnis(): number[] {
    return [...this.#networks.keys()]
  }

  members(vni: number): Member[] | null {
    return this.#networks.get(vni)?.members.slice() ?? null
  }

  setRate(vni: number, rate: Rate | null): void {
    if (rate === null) {
      this.#limits.delete(vni)
      return
    }
    checkRate(rate)
    const intervalMs = 1000 / rate.framesPerSecond
    this.#limits.set(vni, { intervalMs, burstMs: intervalMs * Math.max(0, rate.burstFrames - 1), arrivalMs: 0 })
  }

  totals(): TotalCounters {
    return structuredClone(this.#totals)
  }

  counters(): Map<number, VniCounters> {
    return structuredClone(this.#counters)
  }

  answersFor(ip: string): boolean {
    return this.#addresses.local.has(ip4Bytes(ip).readUInt32BE())
  }

  /** It keeps none: how long an address was away is not known then. */
  adverts(): Advert[] {
    return []
  }

  sightings(): Sighting[] {
    return [...this.#sightings.values()].sort((one, other) => one.sequence - other.sequence)
  }

  /** Nothing of it is kept in any case. */
  close(): void {
    this.#socket[Symbol.dispose]()
  }

  #take(frame: Buffer): void {
    const verdict = judge(frame, this.#addresses)
    if (verdict.kind === 'pass') this.#totals.passed++
    else if (verdict.kind === 'drop') this.#totals.dropped[verdict.reason]++
    else if (verdict.kind === 'tunnel') this.#replicate(frame, verdict)
    else {
      this.#totals[verdict.to === 'arp' ? 'arpAnswers' : 'bfdAnswers']++
      this.#socket.send(verdict.frame)
    }
  }

  #replicate(frame: Buffer, { tunnel, vni, from, to, innerAt, loop }: Verdict & { kind: 'tunnel' }): void {
    const network = this.#networks.get(vni)
    const counters = this.#counters.get(vni)
    if (!network || !counters) {
      this.#totals.dropped.unknownVni++
      return
    }
    counters.frames++
    const { mtuBytes, hostIp } = this.#options
    const refused = loop ? 'loop' : frame.length > mtuBytes + ethernetBytes ? 'oversize' : this.#admitted(vni) ? null : 'storm'
    if (refused !== null) {
      this.#totals.dropped[refused]++
      counters.dropped[refused]++
      return
    }
    const payload = frame.subarray(innerAt)
    const source = formatIpv4(from)
    this.#sniff(payload, vni, source)

    const header = Buffer.from(frame.subarray(0, innerAt))
    header.set(this.#addresses.local.get(to)!, 6)
    header[22] = 64
    // From the replicator; who it goes to is put in for each copy, from what now stands there.
    if (tunnel === 'vxlan' && header.readUInt16BE(40) !== 0)
      header.writeUInt16BE(updateChecksumOver(header.readUInt16BE(40), header, 26, frame.subarray(30, 34)) || 0xffff, 40)
    header.set(frame.subarray(30, 34), 26)
    const other = tunnel === 'vxlan' ? 'gre' : 'vxlan'
    for (const [kind, made] of [
      [tunnel, header],
      [other, converted(header, vni, other)],
    ] as const) {
      // prettier-ignore
      const fits = made.readUInt16BE(16) <= mtuBytes
      const takers = network.members.filter((member) => member.tunnel === kind && member.ip !== hostIp && member.ip !== source).length
      if (takers === 0) continue
      const { copies, failed } = fits ? network.senders[kind].send(this.#socket.descriptor, made, payload, source) : { copies: 0, failed: takers }
      counters.copies += copies
      counters.bytes += copies * (made.length + payload.length)
      counters.failed += failed
    }
    if (source !== hostIp) counters.failed += network.own
    this.#totals.replicated++
  }

  /** Generic cell rate algorithm, as in the program. */
  #admitted(vni: number): boolean {
    const limit = this.#limits.get(vni)
    if (!limit) return true
    const nowMs = performance.now()
    const startMs = Math.max(limit.arrivalMs, nowMs)
    if (startMs - nowMs > limit.burstMs) return false
    limit.arrivalMs = startMs + limit.intervalMs
    return true
  }

  #sniff(inner: Buffer, vni: number, host: string): void {
    const found = announced(inner)
    if (!found) return
    const ip = found.family === 4 ? ip4At(found.address, 0) : ip6At(found.address, 0)
    const sighting: Sighting = { vni, ip, mac: macAt(found.mac, 0), host, atMs: Date.now(), sequence: ++this.#sequence }
    const key = `${vni} ${ip}`
    this.#sightings.delete(key)
    this.#sightings.set(key, sighting)
    const [oldest] = this.#sightings.keys()
    if (this.#sightings.size > maxSightings) this.#sightings.delete(oldest!)
    this.#options.onSighting?.(sighting)
  }
}

function noDrops(): Record<DropReason, number> {
  return Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>
}

/** The same header for the other kind of tunnel: see `convert` of program/copies.h. */
function converted(header: Buffer, vni: number, to: Member['tunnel']): Buffer {
  const change = to === 'vxlan' ? tunnelBytes.vxlan - tunnelBytes.gre : tunnelBytes.gre - tunnelBytes.vxlan
  const tunnel = Buffer.alloc(tunnelBytes[to])
  const made = Buffer.concat([header.subarray(0, 34), tunnel])
  const length = header.readUInt16BE(16) + change
  made.writeUInt16BE(length, 16)
  made[23] = to === 'vxlan' ? 17 : 47
  if (to === 'gre') {
    made.writeUInt16BE(0x2000, 34)
    made.writeUInt16BE(0x6558, 36)
    made.writeUInt32BE(vni, 38)
  } else {
    // Of one network, and from one host: one flow.
    made.writeUInt16BE(49_152 + ((vni ^ header.readUInt16BE(28)) & 0x3fff), 34)
    made.writeUInt16BE(4789, 36)
    made.writeUInt16BE(length - 20, 38)
    made[42] = 0x08
    made.writeUIntBE(vni, 46, 3)
  }
  return made
}
