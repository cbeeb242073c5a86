import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection } from './bpf/collection.ts'
import { listenTo, pinnedLink, runAt, type NicLink } from './bpf/link.ts'
import { createMap, type BpfMap } from './bpf/map.ts'
import type { Pins } from './bpf/pins.ts'
import { mustBpf } from './bpf/syscall.ts'
import { number32 } from './bytes.ts'
import { encodeMember, fastCopies, listKey, setListKey, type UnderlayAddress } from './members.ts'
import { probeFrame } from './probe-frame.ts'
import { groIsOn, setGro } from './receive-offload.ts'

/** Of program/maps.h and program/fast.h. */
const probeCopies = 256
const probeList = 0xffff_ffff
/** `struct fast`. */
const fastBytes = 8 + probeCopies * 4
/** linux/bpf.h, BPF_F_TEST_XDP_LIVE_FRAMES: what the program does with its frame is done. */
const liveFrames = 2
/** By it the NIC's driver says how many copies it took. */
const sentTracepoint = 'xdp_devmap_xmit'
const answersWithinMs = 1000

/** What became of the copies of a test: each was answered once, none was, or something between. */
export type ProbeOutcome = 'exact' | 'silent' | 'inexact'

/** The list of a VNI that is about to take the place of another. */
export interface NewList {
  vni: number
  elements: readonly Buffer[]
  /** Of the list before. */
  keyBefore: number
}

/**
 * The programs at XDP of one NIC (program/fast.h), in front of those at TC. They pass everything on until they are used, which the NIC has to
 * have stood a test for.
 */
export class FastPath implements Disposable {
  readonly #maps: Collection['maps']
  readonly #pins: Pins
  readonly #ifindex: number
  readonly #link: NicLink
  readonly #copyProgram: number
  readonly #probeProgram: number
  #probed = ''
  #disposed = false

  /** Attaches it, or takes over what is there with all that it knows. Throws what speaks against it: mostly that the NIC's driver cannot. */
  constructor(collection: Collection, pins: Pins, nic: string, ifindex: number) {
    this.#maps = collection.maps
    this.#pins = pins
    this.#ifindex = ifindex
    this.#copyProgram = collection.load('xdp/devmap')
    this.#probeProgram = collection.load('xdp/probe')
    const program = collection.load('xdp')
    const fanouts = this.#map('fanouts')
    const gro = groIsOn(nic)
    if (isPinned(pins, ifindex)) {
      this.#fanOut(
        fanouts.keys().map((key) => key.readUInt32LE(0)),
        true,
      )
    } else {
      this.#forgetAll()
    }
    listenTo(pins, sentTracepoint, collection.load(`raw_tp/${sentTracepoint}`))
    this.#link = runAt(pins, ifindex, 'xdp', program)
    // veth turns it on with XDP; Open vSwitch in user space takes no packets that are larger than the MTU.
    if (gro === false) setGro(nic, false)
  }

  get used(): boolean {
    return this.#state().readUInt32LE(0) > 0
  }

  set used(used: boolean) {
    const state = this.#state()
    state.writeUInt32LE(used ? probeCopies : 0)
    this.#map('fast').update(number32(0), state)
  }

  /** Gives lists their keys, and puts them where copies are made by them. Those that it is not for have none. */
  add(lists: readonly NewList[], listOf: (vni: number) => BpfMap): void {
    // With the source among them there is one copy less.
    const taken = lists
      .map((list) => ({ ...list, copies: fastCopies(list.elements) }))
      .filter(({ copies }) => copies > 0 && copies <= probeCopies + 1)
    for (const { vni, elements, keyBefore } of taken) {
      const keys = keysOf(vni)
      setListKey(elements[0]!, keyBefore === keys[0] ? keys[1] : keys[0])
    }
    this.#fanOut(taken.flatMap(({ copies }) => [copies, copies - 1]))
    this.#map('lists').updateBatch(taken.map(({ vni, elements }) => [number32(listKey(elements[0]!)), number32(listOf(vni).descriptor)] as const))
  }

  /** Forgets lists by their keys: nothing may begin with them any more. */
  forget(keys: readonly number[]): void {
    const lists = this.#map('lists')
    lists.deleteBatch(keys.map(number32).filter((key) => lists.lookup(key)))
  }

  /**
   * Has other replicators asked whether they live by as many copies of one frame as may be under way at once, then by some of full size;
   * `briefly`: by some small ones. Within two seconds.
   */
  async probe(own: UnderlayAddress, others: readonly UnderlayAddress[], mtuBytes: number, briefly: boolean): Promise<ProbeOutcome> {
    const probed = JSON.stringify(others)
    if (probed !== this.#probed) this.#setProbed(others)
    this.#probed = probed
    if (briefly) return this.#ask(own, others.length, 16)
    const most = await this.#ask(own, others.length, probeCopies)
    if (most !== 'exact' || this.#disposed) return most
    return (await this.#ask(own, others.length, 16, mtuBytes)) === 'exact' ? 'exact' : 'inexact'
  }

  async #ask(own: UnderlayAddress, others: number, copies: number, outerBytes?: number): Promise<ProbeOutcome> {
    const { bytes, discriminator } = probeFrame(own, copies, outerBytes)
    const state = Buffer.alloc(fastBytes)
    state.writeUInt32LE(this.#state().readUInt32LE(0))
    discriminator.copy(state, 4)
    this.#map('fast').update(number32(0), state)
    const fields = { program: this.#probeProgram, data: bytes, dataBytes: bytes.length, repeat: 1, flags: liveFrames }
    mustBpf('testRun', fields, 'send a test through the NIC')
    const answers = (): number[] => {
      const now = this.#state()
      return Array.from({ length: copies }, (_, number) => now.readUInt32LE(8 + number * 4))
    }
    for (const untilMs = performance.now() + answersWithinMs; performance.now() < untilMs && answers().includes(0);) {
      await sleep(10)
      if (this.#disposed) return 'silent'
    }
    // One that comes twice would come soon.
    await sleep(50)
    if (this.#disposed) return 'silent'
    // A node that is away answers none, which says nothing of the NIC.
    const got = Map.groupBy(answers().entries(), ([number]) => number % others)
    const outcomes = new Set(
      [...got.values()].map((of) => (of.every(([, count]) => count === 1) ? 'exact' : of.some(([, count]) => count > 0) ? 'inexact' : 'silent')),
    )
    return (['inexact', 'exact'] as const).find((outcome) => outcomes.has(outcome)) ?? 'silent'
  }

  #setProbed(others: readonly UnderlayAddress[]): void {
    const lists = this.#map('lists')
    const list = createMap({ ...lists.definition.inner!, maxEntries: 1 + probeCopies }, 1)
    try {
      list.updateBatch(Array.from({ length: probeCopies }, (_, index) => [number32(1 + index), encodeMember(others[index % others.length]!)]))
      lists.updateBatch([[number32(probeList), number32(list.descriptor)]])
    } finally {
      list[Symbol.dispose]()
    }
    this.#fanOut([probeCopies, 16])
  }

  /** Makes maps by which a frame goes to the NIC so many times. */
  #fanOut(counts: readonly number[], anew = false): void {
    const fanouts = this.#map('fanouts')
    const wanted = [...new Set(counts)].filter((count) => count > 0 && count <= probeCopies && (anew || !fanouts.lookup(number32(count))))
    const made: BpfMap[] = []
    try {
      const entries = wanted.map((count) => {
        const map = createMap({ ...fanouts.definition.inner!, maxEntries: count }, 1)
        made.push(map)
        // `struct bpf_devmap_val`: the NIC, and what each copy goes through.
        const value = Buffer.concat([number32(this.#ifindex), number32(this.#copyProgram)])
        for (let index = 0; index < count; index++) map.update(number32(index), value)
        return [number32(count), number32(map.descriptor)] as const
      })
      fanouts.updateBatch(entries)
    } finally {
      for (const map of made) map[Symbol.dispose]()
    }
  }

  #forgetAll(): void {
    this.#map('fast').update(number32(0), Buffer.alloc(fastBytes))
    for (const name of ['lists', 'fanouts']) this.#map(name).deleteBatch(this.#map(name).keys())
  }

  #state(): Buffer {
    return this.#map('fast').lookup(number32(0))!
  }

  #map(name: string): BpfMap {
    return this.#maps.get(name)!
  }

  /** Takes it off the NIC. What was under way goes on at TC. */
  detach(): void {
    this.#link.detach()
    for (const name of ['link-xdp', `link-${sentTracepoint}`]) this.#pins.remove(name)
    this.#forgetAll()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#link[Symbol.dispose]()
  }
}

/** Whether a process before this one has attached it to this NIC. */
export function isPinned(pins: Pins, ifindex: number): boolean {
  const link = pinnedLink(pins, ifindex, 'xdp')
  link?.[Symbol.dispose]()
  return link !== null
}

/** The keys that a VNI's lists have in turn, so that one can be there while another takes its place. None is 0. */
function keysOf(vni: number): [number, number] {
  return [1 + vni * 2, 2 + vni * 2]
}
