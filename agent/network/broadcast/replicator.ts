import { readFileSync } from 'node:fs'
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts'
import { macBytes } from '../../../core/net/packet/bytes.ts'
import { loadLibc } from '../../cluster/libc.ts'
import { loadCollection, possibleCpus, type Collection } from './bpf/collection.ts'
import { pinnedLink, runAt, type NicLink } from './bpf/link.ts'
import { createMap, mapById, type BpfMap } from './bpf/map.ts'
import { Pins, removePins } from './bpf/pins.ts'
import { RingBuffer } from './bpf/ring-buffer.ts'
import { number32 } from './bytes.ts'
import { readTotals, readVniCounters, type TotalCounters, type VniCounters } from './counters.ts'
import { FastPath, isPinned } from './fast-path.ts'
import { decodeMembers, encodeMembers, ip4Bytes, listKey, whose, type Member, type ReplicatorAddress, type UnderlayAddress } from './members.ts'
import { checkRate, type BroadcastPath, type Rate } from './path.ts'
import { decodeAdvert, decodeSighting, isAdvert, type Advert, type Sighting } from './sightings.ts'

/** Tests of the NIC that nobody answers, until it is given up: another node may start later than this one. */
const maxSilentTests = 5

export interface ReplicatorOptions {
  /** That carries tunnels. Where an address of the replicator has another MAC than the NIC, the NIC must be promiscuous. */
  nic: string
  /** Outer IP packets that the NIC takes. */
  mtuBytes: number
  /** Where this host's own tunnels end, if they do: copies to it, and answers to what it sends to its own replicator, stay on the host. */
  hostIp: string | null
  /** Becomes a bpffs. What lies in it lives on without any process. */
  pinDirectory: string
  /** What `buildBroadcastObject` made of replicate.bpf.c: in the agent's package `replicate.bpf.o`, beside its bundles. */
  objectPath: string
  /** Called for every sighting from now on: what was before is in `sightings()`. Where a `sequence` is left out, that tells what it was. */
  onSighting?: (sighting: Sighting) => void
}

/** The replicator as a program in the kernel, of which this is a sight: it runs with or without a process that has it open. */
export class Replicator implements BroadcastPath {
  readonly options: ReplicatorOptions
  readonly #collection: Collection
  readonly #pins: Pins
  readonly #links: readonly NicLink[]
  readonly #events: RingBuffer | null
  #fast: FastPath | null = null
  #notFast = 'the NIC was not tested yet'
  /** It cannot, whoever is asked. */
  #notForFast = false
  /** Tests that nobody answered, of these others. */
  #silentTests = 0
  #tested = ''
  /** It stood a test: whoever is silent now is so for another reason. */
  #stood = false
  #testing = false
  #closed = false

  /**
   * Opens the replicator that a process before this one has left, with all that it knows, and swaps this version of the program in; or starts
   * one that knows nothing yet and passes everything on. Throws `not-found` for the NIC; `not-supported` with `data.reason` (`BpfRefusal`) for
   * what the kernel does not grant; `internal` with the end of the verifier's log.
   */
  constructor(options: ReplicatorOptions) {
    this.options = options
    const { nic, hostIp, mtuBytes, onSighting } = options
    const ifindex = indexOf(nic)
    const pins = new Pins(options.pinDirectory)
    this.#pins = pins
    this.#collection = loadCollection(readObject(options.objectPath), pins)
    try {
      const settings = Buffer.alloc(8)
      if (hostIp !== null) ip4Bytes(hostIp).copy(settings)
      settings.writeUInt32LE(mtuBytes, 4)
      this.#map('settings').update(number32(0), settings)
      const { load } = this.#collection
      const programs = [load('tcx/ingress'), load('tcx/egress')] as const
      this.#links = [runAt(pins, ifindex, 'ingress', programs[0]), runAt(pins, ifindex, 'egress', programs[1])]
      if (isPinned(pins, ifindex)) this.#takeOverFast(ifindex)
      const events = this.#map('events')
      this.#events = onSighting
        ? new RingBuffer(events.descriptor, events.definition.maxEntries, (record) => onSighting(decodeSighting(record)))
        : null
    } catch (error) {
      this.#collection[Symbol.dispose]()
      throw error
    }
  }

  get way(): 'xdp' | 'tc' {
    return this.#fast?.used ? 'xdp' : 'tc'
  }

  get notFasterBecause(): string | null {
    return this.way === 'xdp' ? null : this.#notFast
  }

  get attached(): boolean {
    const ifindex = loadLibc().if_nametoindex(this.options.nic)
    return ifindex !== 0 && this.#links.every((link) => link.ifindex === ifindex)
  }

  setAddresses(local: readonly ReplicatorAddress[], others: readonly string[]): void {
    const map = this.#map('addresses')
    const entry = (mac: string, is: number): Buffer => Buffer.concat([macBytes(mac), Buffer.from([is, 0])])
    const entries = new Map([
      ...others.map((ip) => [ip, entry('00:00:00:00:00:00', whose.anothers)] as const),
      ...local.map(({ ip, mac, floating }) => [ip, entry(mac, floating ? whose.floating : whose.ours)] as const),
    ])
    const wanted = new Map([...entries].map(([ip, value]) => [ip4Bytes(ip).toString('hex'), value]))
    for (const key of map.keys()) if (!wanted.has(key.toString('hex'))) map.delete(key)
    for (const [key, value] of wanted) map.update(Buffer.from(key, 'hex'), value)
  }

  setMembers(lists: ReadonlyMap<number, readonly Member[]>): void {
    const { hostIp } = this.options
    const fast = this.#fast
    const encoded = [...lists].map(([vni, members]) => ({
      vni,
      elements: encodeMembers(vni, members, hostIp),
      keyBefore: fast ? this.#listKey(vni) : 0,
    }))
    const counters = this.#map('counters')
    const vnis = this.#map('vnis')
    const made = new Map<number, BpfMap>()
    try {
      for (const { vni, elements } of encoded) {
        const key = number32(vni)
        if (!counters.lookup(key)) counters.update(key, Buffer.alloc(counters.definition.valueBytes * possibleCpus()))
        made.set(vni, createMap({ ...vnis.definition.inner!, maxEntries: elements.length }, 1))
      }
      fast?.add(encoded, (vni) => made.get(vni)!)
      for (const { vni, elements } of encoded) made.get(vni)!.updateBatch(elements.map((element, index) => [number32(index), element]))
      vnis.updateBatch([...made].map(([vni, list]) => [number32(vni), number32(list.descriptor)] as const))
      fast?.forget(encoded.map(({ keyBefore }) => keyBefore))
    } finally {
      for (const list of made.values()) list[Symbol.dispose]()
    }
  }

  removeVnis(vnis: Iterable<number>): void {
    for (const vni of vnis) {
      const key = this.#fast ? this.#listKey(vni) : 0
      for (const name of ['vnis', 'limits', 'counters']) this.#map(name).delete(number32(vni))
      this.#fast?.forget([key])
    }
  }

  vnis(): number[] {
    return this.#map('vnis')
      .keys()
      .map((key) => key.readUInt32LE(0))
  }

  members(vni: number): Member[] | null {
    const elements = this.#elements(vni)
    return elements && decodeMembers(elements)
  }

  /** Its list of members as it lies in the map, or the first so many elements of it. */
  #elements(vni: number, count = Infinity): Buffer[] | null {
    const vnis = this.#map('vnis')
    const id = vnis.lookup(number32(vni))
    const list = id && mapById(id.readUInt32LE(0), vnis.definition.inner!, 1)
    if (!list) return null
    try {
      return Array.from({ length: Math.min(list.definition.maxEntries, count) }, (_, index) => list.lookup(number32(index))!)
    } finally {
      list[Symbol.dispose]()
    }
  }

  #listKey(vni: number): number {
    const [head] = this.#elements(vni, 1) ?? []
    return head ? listKey(head) : 0
  }

  setRate(vni: number, rate: Rate | null): void {
    const limits = this.#map('limits')
    if (rate === null) {
      limits.delete(number32(vni))
      return
    }
    checkRate(rate)
    const intervalNs = BigInt(Math.max(1, Math.round(1e9 / rate.framesPerSecond)))
    const limit = Buffer.alloc(limits.definition.valueBytes)
    limit.writeBigUInt64LE(intervalNs, 0)
    limit.writeBigUInt64LE(intervalNs * BigInt(Math.max(0, rate.burstFrames - 1)), 8)
    limits.update(number32(vni), limit)
  }

  totals(): TotalCounters {
    return readTotals(this.#map('totals'))
  }

  counters(): Map<number, VniCounters> {
    const map = this.#map('counters')
    return new Map(
      map.keys().flatMap((key) => {
        const counters = readVniCounters(map, key)
        return counters ? [[key.readUInt32LE(0), counters] as const] : []
      }),
    )
  }

  answersFor(ip: string): boolean {
    const entry = this.#map('addresses').lookup(ip4Bytes(ip))
    return entry !== null && entry.readUInt16LE(6) !== whose.anothers
  }

  sightings(): Sighting[] {
    const found = this.#seen().filter((event) => !isAdvert(event))
    return found.map((event) => decodeSighting(event)).sort((one, other) => one.sequence - other.sequence)
  }

  adverts(): Advert[] {
    return this.#seen()
      .filter(isAdvert)
      .map((event) => decodeAdvert(event))
  }

  /** All that lies in the map, each as a `struct sighting_event`. */
  #seen(): Buffer[] {
    const map = this.#map('sightings')
    return map.keys().flatMap((key) => {
      const value = map.lookup(key)
      return value ? [Buffer.concat([key, value])] : []
    })
  }

  /**
   * Has copies made at XDP, in front of TC, where the NIC stands a test: other replicators, which `others` are, get every copy of it exactly
   * once. From then on each call tests it again, briefly, and a copy that is missing puts TC in charge. `own`: where this host's tunnels end. `notFasterBecause` says what speaks against it. Within two seconds; TC serves meanwhile. Never throws.
   */
  async accelerate(own: UnderlayAddress, others: readonly UnderlayAddress[]): Promise<void> {
    if (this.#testing || this.#closed || this.#notForFast) return
    if (others.length === 0) {
      this.#slowDown('there is no other node to test the NIC with')
      return
    }
    const tested = JSON.stringify(others)
    if (tested !== this.#tested) this.#silentTests = 0
    this.#tested = tested
    if (this.#silentTests === maxSilentTests) return
    this.#testing = true
    try {
      await this.#test(own, others)
    } catch (thrown) {
      if (this.#closed) return
      this.#notForFast = true
      this.#slowDown(asHoldfastError(thrown).message)
    } finally {
      this.#testing = false
    }
  }

  async #test(own: UnderlayAddress, others: readonly UnderlayAddress[]): Promise<void> {
    this.#fast ??= new FastPath(this.#collection, this.#pins, this.options.nic, indexOf(this.options.nic))
    const fast = this.#fast
    const { used } = fast
    const outcome = await fast.probe(own, others, this.options.mtuBytes, used)
    if (this.#closed) return
    this.#stood ||= used || outcome === 'exact'
    if (outcome === 'exact') {
      if (used) return
      // Lists from before it was attached are not known to it.
      this.setMembers(new Map(this.vnis().map((vni) => [vni, this.members(vni)!])))
      fast.used = true
      return
    }
    fast.used = false
    this.#notFast = outcome === 'silent' ? 'no other node answered the test of the NIC' : 'the NIC lost or doubled copies in its test'
    // A brief one may have met more traffic than the NIC takes: the whole one decides.
    this.#notForFast = outcome === 'inexact' && !used
    if (!this.#stood) this.#silentTests++
    if (this.#notForFast || this.#silentTests === maxSilentTests) this.#slowDown(this.#notFast)
  }

  /** Goes on with what the process before this one had attached. */
  #takeOverFast(ifindex: number): void {
    try {
      this.#fast = new FastPath(this.#collection, this.#pins, this.options.nic, ifindex)
      this.#stood = this.#fast.used
    } catch (thrown) {
      // That of a version before must not go on alone.
      const left = pinnedLink(this.#pins, ifindex, 'xdp')
      left?.detach()
      left?.[Symbol.dispose]()
      this.#pins.remove('link-xdp')
      this.#notForFast = true
      this.#notFast = asHoldfastError(thrown).message
    }
  }

  #slowDown(because: string): void {
    this.#notFast = because
    this.#fast?.detach()
    this.#fast?.[Symbol.dispose]()
    this.#fast = null
  }

  close({ keep }: { keep: boolean }): void {
    this.#closed = true
    if (!keep) this.#fast?.detach()
    this.#fast?.[Symbol.dispose]()
    this.#events?.[Symbol.dispose]()
    for (const link of this.#links) {
      // The kernel itself would take its time.
      if (!keep) link.detach()
      link[Symbol.dispose]()
    }
    this.#collection[Symbol.dispose]()
    if (!keep) removePins(this.options.pinDirectory)
  }

  #map(name: string): BpfMap {
    return this.#collection.maps.get(name)!
  }
}

function readObject(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new HoldfastError(
      'not-supported',
      'This agent was packed without its program for broadcast',
      'Pack the agent where clang is installed, or can be by apt-get as root, and install it again.',
      { reason: 'no-object', path },
      { cause },
    )
  }
}

function indexOf(nic: string): number {
  const ifindex = loadLibc().if_nametoindex(nic)
  if (ifindex === 0) throw new HoldfastError('not-found', `There is no NIC ${nic}`, 'See what its NICs are called now.', { nic })
  return ifindex
}
