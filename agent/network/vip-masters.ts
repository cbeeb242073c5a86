import type { Env } from '../../core/env.ts'
import { virtualRouterMac } from '../../core/net/broadcast/announcements.ts'
import { mastersOf, onlyMaster, type HeardSender, type Master, type Masters } from '../../core/net/broadcast/masters.ts'
import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
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
    readonly ends: ReadonlyMap<string, TunnelEnd>
    readonly vips: ReadonlyMap<string, StoredVip>
    readonly masters: ReadonlyMap<string, Masters>
  }
  /** Advertisements of virtual routers, the last of each sender. */
  adverts(): readonly Advert[]
  /** A port is the only master that any node hears of, though a VIP is known to be elsewhere. */
  onOnlyMaster(vip: string, master: Master): void
}

interface Heard extends Omit<HeardSender, 'sinceMs'> {
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
      if (master && master.port !== owner?.port && this.#isHeardLongAfter(master, owner?.sinceMs ?? -Infinity)) onOnlyMaster(vip, master)
    }
    if (this.#telling) return
    this.#telling = true
    await this.#tell(masters).finally(() => (this.#telling = false))
  }

  #alive(): HeardSender[] {
    const { env, desired, adverts } = this.#options
    const hostAt = new Map([...desired.ends].map(([host, { ip }]) => [ip, host]))
    for (const { vni, router, family, mac, atMs, host: ip } of adverts()) {
      const host = hostAt.get(ip ?? '') ?? null
      // Of several under one and the same MAC, each is another sender.
      const key = `${vni} ${family} ${router} ${mac} ${virtualRouterMac.test(mac) ? host : ''}`
      this.#heard.set(key, heardAgain(this.#heard.get(key), { vni, router, family, mac, host, atMs }))
    }
    const nowMs = env.wallMs()
    const alive: HeardSender[] = []
    for (const [key, heard] of this.#heard) {
      const { sinceMs, gapMs, ...sender } = heard
      if (nowMs - heard.atMs > silentAfterGaps * longestGapMs) this.#heard.delete(key)
      else if (nowMs - heard.atMs > silentMs(heard)) this.#heard.set(key, { ...heard, sinceMs: null, gapMs: null })
      else if (gapMs !== null && sinceMs !== null) alive.push({ ...sender, sinceMs })
    }
    return alive
  }

  /** Whether a master goes on when whoever took the address over from it at `atMs` would be heard by now. */
  #isHeardLongAfter({ mac, host }: Master, atMs: number): boolean {
    const senders = [...this.#heard.values()].filter((heard) => heard.mac === mac && (heard.host === host || !virtualRouterMac.test(mac)))
    return senders.some((heard) => heard.atMs - atMs > Math.max(settledMs, silentMs(heard)))
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
function heardAgain(before: Heard | undefined, now: Omit<Heard, 'sinceMs' | 'gapMs'>): Heard {
  if (!before || (before.sinceMs === null && now.atMs - before.atMs > sameMomentMs)) return { ...now, sinceMs: now.atMs, gapMs: null }
  if (now.atMs - before.atMs <= sameMomentMs) return before
  return { ...now, sinceMs: before.sinceMs, gapMs: Math.min(now.atMs - before.atMs, longestGapMs) }
}

function silentMs({ gapMs }: Heard): number {
  return silentAfterGaps * Math.max(gapMs ?? longestGapMs, mastersPeriodMs)
}
