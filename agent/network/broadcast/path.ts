import { HoldfastError } from '../../../core/errors.ts'
import type { TotalCounters, VniCounters } from './counters.ts'
import type { Member, ReplicatorAddress } from './members.ts'
import type { Advert, Sighting } from './sightings.ts'

/** At most so many frames a second, and so many at once. */
export interface Rate {
  framesPerSecond: number
  burstFrames: number
}

/** Throws `bad-input` for a rate that is none. */
export function checkRate({ framesPerSecond, burstFrames }: Rate): void {
  if (framesPerSecond > 0 && Number.isFinite(framesPerSecond) && burstFrames >= 1 && Number.isSafeInteger(burstFrames)) return
  throw new HoldfastError(
    'bad-input',
    `${framesPerSecond} frames a second, ${burstFrames} at once, is no rate`,
    'Give more than 0 frames a second, and at least 1 at once.',
  )
}

/**
 * What replicates broadcast at one host's NIC. `tc`: a program in the kernel, which runs with or without a process that has it open. `xdp`: the
 * same with copies made by the NIC's driver where that is proven to lose none. `packet`: this process, which is slower, ends with it, forgets all, and reaches no member on the host itself.
 */
export interface BroadcastPath {
  readonly way: 'xdp' | 'tc' | 'packet'

  /** Whether it is still at the NIC: not if that was made anew. Then it is to be closed and opened again. */
  readonly attached: boolean

  /**
   * The addresses that are answered for here, with the MAC that ARP says and frames must have; and those of other replicators, from which
   * nothing is replicated, for it would go round. All others are passed on.
   */
  setAddresses(local: readonly ReplicatorAddress[], others: readonly string[]): void

  /** Whether an address is answered for here: a floating one no more once somebody else has announced it. */
  answersFor(ip: string): boolean

  /**
   * Gives VNIs their member hosts. Each list takes the place of the one before in one write: a frame goes to all of the one or all of the other.
   * Returns when nothing uses the lists before any more, which takes as long for many VNIs as for one: tens of milliseconds. Throws `bad-input`
   * for a list that cannot be, before anything is written; and where there are more VNIs than the maps hold.
   */
  setMembers(lists: ReadonlyMap<number, readonly Member[]>): void

  /** What comes for these VNIs is counted as unknown from now on; what they counted is gone. */
  removeVnis(vnis: Iterable<number>): void

  /** The VNIs that have members. */
  vnis(): number[]

  /** Null for a VNI that is not known. */
  members(vni: number): Member[] | null

  /** Limits what is replicated of a VNI; null: no limit, as it is at first and after `removeVnis`. Throws `bad-input`. */
  setRate(vni: number, rate: Rate | null): void

  /** Since the replicator was started for the first time. */
  totals(): TotalCounters

  /** Since the VNI got members. */
  counters(): Map<number, VniCounters>

  /** The last of every address, oldest first: also those made while no process was there. */
  sightings(): Sighting[]

  /** The last sign of life of each master of a virtual router. */
  adverts(): Advert[]

  /** Lets go of it. `keep`: a program in the kernel lives on, until a process opens it again; else it ends, and its maps are gone. */
  close(options: { keep: boolean }): void
}
