import { readFileSync } from 'node:fs'
import { HoldfastError } from '../../../core/errors.ts'
import { macBytes } from '../../../core/net/packet/bytes.ts'
import { loadLibc } from '../../cluster/libc.ts'
import { loadCollection, possibleCpus, type Collection } from './bpf/collection.ts'
import { attachTcx, TcxLink, type TcxSide } from './bpf/link.ts'
import { createMap, mapById, type BpfMap } from './bpf/map.ts'
import { Pins, removePins } from './bpf/pins.ts'
import { RingBuffer } from './bpf/ring-buffer.ts'
import { readTotals, readVniCounters, type TotalCounters, type VniCounters } from './counters.ts'
import { decodeMembers, encodeMembers, ip4Bytes, whose, type Member, type ReplicatorAddress } from './members.ts'
import { checkRate, type BroadcastPath, type Rate } from './path.ts'
import { decodeAdvert, decodeSighting, isAdvert, type Advert, type Sighting } from './sightings.ts'

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
  readonly way = 'tc'
  readonly options: ReplicatorOptions
  readonly #collection: Collection
  readonly #links: Record<TcxSide, TcxLink>
  readonly #events: RingBuffer | null

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
    this.#collection = loadCollection(readObject(options.objectPath), pins)
    try {
      const settings = Buffer.alloc(8)
      if (hostIp !== null) ip4Bytes(hostIp).copy(settings)
      settings.writeUInt32LE(mtuBytes, 4)
      this.#map('settings').update(number32(0), settings)
      const { ingress, egress } = this.#collection.programs
      this.#links = { ingress: runAt(pins, ifindex, 'ingress', ingress), egress: runAt(pins, ifindex, 'egress', egress) }
      const events = this.#map('events')
      this.#events = onSighting
        ? new RingBuffer(events.descriptor, events.definition.maxEntries, (record) => onSighting(decodeSighting(record)))
        : null
    } catch (error) {
      this.#collection[Symbol.dispose]()
      throw error
    }
  }

  get attached(): boolean {
    const ifindex = loadLibc().if_nametoindex(this.options.nic)
    return ifindex !== 0 && this.#links.ingress.ifindex === ifindex && this.#links.egress.ifindex === ifindex
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
    const encoded = [...lists].map(([vni, members]) => [vni, encodeMembers(vni, members, hostIp)] as const)
    const counters = this.#map('counters')
    const vnis = this.#map('vnis')
    const made: BpfMap[] = []
    try {
      const entries = encoded.map(([vni, elements]) => {
        const key = number32(vni)
        if (!counters.lookup(key)) counters.update(key, Buffer.alloc(counters.definition.valueBytes * possibleCpus()))
        const list = createMap({ ...vnis.definition.inner!, maxEntries: elements.length }, 1)
        made.push(list)
        list.updateBatch(elements.map((element, index) => [number32(index), element]))
        return [key, number32(list.descriptor)] as const
      })
      vnis.updateBatch(entries)
    } finally {
      for (const list of made) list[Symbol.dispose]()
    }
  }

  removeVnis(vnis: Iterable<number>): void {
    for (const vni of vnis) {
      for (const name of ['vnis', 'limits', 'counters']) this.#map(name).delete(number32(vni))
    }
  }

  vnis(): number[] {
    return this.#map('vnis')
      .keys()
      .map((key) => key.readUInt32LE(0))
  }

  members(vni: number): Member[] | null {
    const vnis = this.#map('vnis')
    const id = vnis.lookup(number32(vni))
    const list = id && mapById(id.readUInt32LE(0), vnis.definition.inner!, 1)
    if (!list) return null
    try {
      return decodeMembers(Array.from({ length: list.definition.maxEntries }, (_, index) => list.lookup(number32(index))!))
    } finally {
      list[Symbol.dispose]()
    }
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

  close({ keep }: { keep: boolean }): void {
    this.#events?.[Symbol.dispose]()
    for (const link of Object.values(this.#links)) {
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

/** Has a program run at one side of the NIC: by the link that is pinned, or by a new one where that NIC has gone. */
function runAt(pins: Pins, ifindex: number, side: TcxSide, program: number): TcxLink {
  const name = `link-${side}`
  const descriptor = pins.get(name)
  if (descriptor !== null) {
    const link = new TcxLink(descriptor)
    if (link.ifindex === ifindex) {
      link.update(program)
      return link
    }
    link[Symbol.dispose]()
    pins.remove(name)
  }
  const link = attachTcx(program, ifindex, side)
  pins.pin(name, link.descriptor)
  return link
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
