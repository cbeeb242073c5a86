import type { Env } from '../../core/env.ts'
import { mastersOf, onlyMaster, type HeardSender, type Master, type Masters } from '../../core/net/broadcast/masters.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import type { Advert } from './broadcast/sightings.ts'
import type { StoredVip } from './desired.ts'
import { networkKeys } from './documents.ts'

export const mastersPeriodMs = 1000
/** Somebody who is not there any more is no master. */
const leaseSeconds = 6
/** VRRP itself waits for three intervals (Master_Down_Interval of RFC 5798 §6.1). */
const silentAfterGaps = 3
/** The longest interval of VRRP (RFC 5798 §5.2.7), and a little. */
const longestGapMs = 41_000
/** So long after a move, whoever has the address now is heard, and all nodes have told of it. */
const settledMs = 10_000
/** Two readings of one and the same moment differ by less: a wall clock is in it. */
const sameMomentMs = 50

export interface VipMastersOptions {
  env: Env
  logger: Logger
  store: Store
  host: string
  desired: {
    readonly network: VirtualNetwork
    readonly vips: ReadonlyMap<string, StoredVip>
    readonly masters: ReadonlyMap<string, Masters>
  }
  /** Advertisements of virtual routers, the last of each sender. */
  adverts(): readonly Advert[]
  /** A port is the only master that any node hears of, though a VIP is known to be elsewhere. */
  onOnlyMaster(vip: string, master: Master): void
}

interface Heard {
  mac: string
  /** When it was heard last. */
  atMs: number
  /** Since when it is heard without a break; null: it is silent. */
  sinceMs: number | null
  /** Between the last two that were looked at; null: there was only one. */
  gapMs: number | null
}

/**
 * What a node of the broadcast cluster hears of virtual routers' masters: told to the store, so that two of them at once come to light, also where
 * no node hears both. After a split that is healed, whoever stays the master need not announce the address again: then this moves it.
 */
export class VipMasters {
  readonly #options: VipMastersOptions
  readonly #heard = new Map<string, Heard>()
  #leaseId: string | null = null
  #told = '{}'
  #telling = false
  #isStoreAway = false

  constructor(options: VipMastersOptions) {
    this.#options = options
  }

  /** To be called every `mastersPeriodMs` on a node. */
  async look(): Promise<void> {
    const { desired, host, onOnlyMaster } = this.#options
    const masters = desired.network.vips.some(({ healthCheck }) => !healthCheck) ? mastersOf(desired.network, this.#alive()) : {}
    const others = [...desired.masters].filter(([name]) => name !== host).map(([, doc]) => doc)
    for (const vip of Object.keys(masters)) {
      const owner = desired.vips.get(vip)?.record.owner
      const master = onlyMaster([masters, ...others], vip)
      if (master && master.port !== owner?.port && this.#isHeardLongAfter(master.mac, owner?.sinceMs ?? -Infinity)) onOnlyMaster(vip, master)
    }
    if (this.#telling) return
    this.#telling = true
    await this.#tell(masters).finally(() => (this.#telling = false))
  }

  #alive(): HeardSender[] {
    const nowMs = this.#options.env.wallMs()
    const before = new Map(this.#heard)
    this.#heard.clear()
    return this.#options.adverts().flatMap(({ vni, router, mac, atMs }) => {
      const key = `${vni} ${router} ${mac}`
      const heard = heardAgain(before.get(key), mac, atMs)
      const isSilent = nowMs - atMs > silentMs(heard)
      this.#heard.set(key, isSilent ? { mac, atMs, sinceMs: null, gapMs: null } : heard)
      return isSilent || heard.gapMs === null || heard.sinceMs === null ? [] : [{ vni, router, mac, sinceMs: heard.sinceMs }]
    })
  }

  /** Whether a master goes on when whoever took the address over from it at `atMs` would be heard by now. */
  #isHeardLongAfter(mac: string, atMs: number): boolean {
    return [...this.#heard.values()].some((heard) => heard.mac === mac && heard.atMs - atMs > Math.max(settledMs, silentMs(heard)))
  }

  async #tell(masters: Masters): Promise<void> {
    const { store, host, logger } = this.#options
    const key = networkKeys.masters(host)
    const text = JSON.stringify(masters)
    try {
      if (this.#leaseId !== null && !(await store.keepLease(this.#leaseId, mastersPeriodMs))) this.#leaseId = null
      const isBound = text === '{}' || this.#leaseId !== null
      if (text === this.#told && isBound) return
      if (text === '{}') {
        await store.change([], [{ delete: key }])
        this.#leaseId = null
      } else {
        const leaseId = this.#leaseId ?? (await store.grantLease(leaseSeconds))
        // A write to a lease that has ended is refused: the next one gets another.
        this.#leaseId = null
        await store.change([], [{ put: key, value: masters, leaseId }])
        this.#leaseId = leaseId
      }
      this.#told = text
      this.#isStoreAway = false
    } catch (cause) {
      if (!this.#isStoreAway) logger.warn('the store was not told which masters of virtual routers are heard', { cause })
      this.#isStoreAway = true
    }
  }
}

/** One that was silent, or is heard for the first time, is heard since now. */
function heardAgain(before: Heard | undefined, mac: string, atMs: number): Heard {
  if (!before || (before.sinceMs === null && atMs - before.atMs > sameMomentMs)) return { mac, atMs, sinceMs: atMs, gapMs: null }
  if (atMs - before.atMs <= sameMomentMs) return before
  return { mac, atMs, sinceMs: before.sinceMs, gapMs: Math.min(atMs - before.atMs, longestGapMs) }
}

function silentMs({ gapMs }: Heard): number {
  return silentAfterGaps * Math.max(gapMs ?? longestGapMs, mastersPeriodMs)
}
