import type { Env } from '../../core/env.ts'
import type { Announcement } from '../../core/model/broadcast.ts'
import type { TunnelEnd, Vip, VirtualNetwork } from '../../core/model/network.ts'
import type { VipPlace } from '../../core/net/compile/view.ts'
import { recognize } from '../../core/net/broadcast/announcements.ts'
import { decide, noRecord, type Claim } from '../../core/net/broadcast/claims.ts'
import type { Master } from '../../core/net/broadcast/masters.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import type { BroadcastPath } from './broadcast/path.ts'
import type { Sighting } from './broadcast/sightings.ts'
import type { StoredVip } from './desired.ts'
import { networkKeys, vipRecordSchema } from './documents.ts'

/** A host that has only received the copy leaves it to the broadcast node for so long to say where the address is now. */
const leftToNodeMs = 200
const keptAnnouncements = 50
/** While the store is away, layer 3 stays as it is. */
const retryMs = 300
/** A write that an election of the store overtakes is never answered; it is made again, and the record's revision keeps it from counting twice. */
const attempts = { deadlineMs: 1500, attemptMs: 500 }
/** An owner who was silent for longer was not there before, as far as is known. */
const longestOutageMs = 60_000

export interface VipClaimsOptions {
  env: Env
  logger: Logger
  events: EventLog
  store: Store
  host: string
  desired: {
    readonly network: VirtualNetwork
    readonly ends: ReadonlyMap<string, TunnelEnd>
    readonly vips: ReadonlyMap<string, StoredVip>
  }
  /** Whether no other host can be reached from here: what is announced then is of guests here, and nobody can reach them. */
  isCutOff(): boolean
  /** What sees announcements here; null: nothing does. */
  sees(): BroadcastPath | null
  /** `seen` has changed. */
  onSeen(): void
}

/** Writes to the store where floating addresses are, as they are announced. */
export class VipClaims {
  readonly #options: VipClaimsOptions
  readonly #announcements: Announcement[] = []
  /** With the revision of what the store had then. */
  readonly #seen = new Map<string, VipPlace & { revision: number }>()
  /** Claims that wait, by VIP: the newest of each. */
  readonly #waiting = new Map<string, Disposable>()
  /** VIPs whose claim is being written, and what came meanwhile. */
  readonly #writing = new Map<string, Claim | null>()
  /** Since when the store does not take in where VIPs are; null: it does. */
  #awaySinceMs: number | null = null

  constructor(options: VipClaimsOptions) {
    this.#options = options
  }

  /** The newest, oldest first. */
  get announcements(): readonly Announcement[] {
    return this.#announcements
  }

  /**
   * Where this host has seen VIPs announced that the store does not have there yet: its own flows need not wait for the store, which may just
   * be electing. It holds until the store has taken it in, or has something later.
   */
  get seen(): ReadonlyMap<string, VipPlace> {
    const { vips } = this.#options.desired
    for (const [vip, { revision }] of this.#seen) if ((vips.get(vip)?.revision ?? 0) !== revision) this.#seen.delete(vip)
    return this.#seen
  }

  /** What is wrong, in a sentence each. */
  get problems(): string[] {
    if (this.#awaySinceMs === null) return []
    const since = new Date(this.#awaySinceMs).toISOString()
    return [`the store has been away since ${since}: hosts follow the VIPs that they have seen move, and it is written when the store is back`]
  }

  /** Takes in what has been announced while nobody was there to hear it. */
  catchUp(): void {
    const { desired } = this.#options
    for (const sighting of this.#options.sees()?.sightings() ?? []) {
      const owner = ownerSince(desired, sighting)
      if (owner === null || sighting.atMs > owner) this.saw(sighting)
    }
  }

  saw(sighting: Sighting): void {
    const { desired } = this.#options
    const found = recognize(desired.network, desired.ends, sighting)
    if (!found) return
    const { announcement, network, vip } = found
    this.#announcements.push(announcement)
    if (this.#announcements.length > keptAnnouncements) this.#announcements.shift()
    const { port, host, mac, atMs } = announcement
    if (!vip || vip.healthCheck || network.broadcast !== 'cluster+garp' || port === null || host === null || !vip.ports.includes(port)) return
    if (this.#options.isCutOff()) return
    const claim: Claim = { port, host, mac, atMs: Math.trunc(atMs), outageMs: this.#outageMs(vip, sighting) }
    const known = desired.vips.get(vip.name)
    const { kind } = decide(known?.record ?? noRecord, claim, this.#options.env.wallMs())
    if (kind === 'moves') {
      const place = { port, mac, revision: known?.revision ?? 0 }
      // Announced several times in a row.
      const isNew = !sameJson(this.#seen.get(vip.name), place)
      this.#seen.set(vip.name, place)
      if (isNew) this.#options.onSeen()
    } else if (kind === 'known' && this.#seen.delete(vip.name)) {
      // Back where the store has it all the time: what was seen between was not written.
      this.#options.onSeen()
    }
    this.#claim(vip.name, claim, sighting.host === null ? leftToNodeMs : 0)
  }

  /** A port is the only one that holds itself for the master of a VIP: it has it, though it need not have announced it again. */
  isOnlyMaster(vip: string, { port, host, mac }: Master): void {
    if (host === null || this.#options.isCutOff() || this.#waiting.has(vip) || this.#writing.has(vip)) return
    this.#claim(vip, { port, host, mac, unannounced: true, atMs: Math.trunc(this.#options.env.wallMs()), outageMs: null }, 0)
  }

  #claim(vip: string, claim: Claim, afterMs: number): void {
    this.#waiting.get(vip)?.[Symbol.dispose]()
    this.#waiting.delete(vip)
    if (afterMs > 0) {
      const timer = this.#options.env.after(afterMs, () => {
        this.#waiting.delete(vip)
        // Somebody else may have told of a later one meanwhile.
        const owner = this.#options.desired.vips.get(vip)?.record.owner
        if (!owner || owner.sinceMs <= claim.atMs) this.#claim(vip, claim, 0)
      })
      this.#waiting.set(vip, timer)
      return
    }
    if (this.#writing.has(vip)) {
      this.#writing.set(vip, claim)
      return
    }
    this.#writing.set(vip, null)
    void this.#write(vip, claim).finally(() => {
      const next = this.#writing.get(vip)
      this.#writing.delete(vip)
      if (next) this.#claim(vip, next, 0)
    })
  }

  async #write(vip: string, claim: Claim): Promise<void> {
    const { desired, store, logger, events } = this.#options
    try {
      for (let attempt = 0; attempt < 5; attempt++) {
        // Another host may have written it, which is told here a little later.
        const known = attempt === 0 ? desired.vips.get(vip) : await this.#read(vip)
        const decision = decide(known?.record ?? noRecord, claim, this.#options.env.wallMs())
        if (decision.kind === 'known') {
          this.#awaySinceMs = null
          return
        }
        if (decision.kind === 'held') return this.#claim(vip, claim, decision.forMs)
        const key = networkKeys.vip(vip)
        const { done } = await store.change([{ key, revision: known?.revision ?? 0 }], [{ put: key, value: decision.record }], attempts)
        this.#awaySinceMs = null
        if (!done) continue
        const from = known?.record.owner?.port
        if (from === claim.port) return
        const outage = claim.outageMs === null ? '' : `, after ${claim.outageMs} ms without an owner`
        const message = `VIP ${vip} is at ${claim.port} on ${claim.host} now${from === undefined ? '' : `, it was at ${from}`}${outage}`
        events.emit('vip-moved', 'info', message, [`vip/${vip}`, `port/${claim.port}`], {
          from: from ?? null,
          to: claim.port,
          outageMs: claim.outageMs,
        })
        return
      }
    } catch (cause) {
      if (this.#awaySinceMs === null) logger.warn('the store was not told where a VIP is; it is tried again', { vip, port: claim.port, cause })
      this.#awaySinceMs ??= this.#options.env.wallMs()
      this.#claim(vip, claim, retryMs)
    }
  }

  async #read(vip: string): Promise<StoredVip | undefined> {
    const found = await this.#options.store.get(networkKeys.vip(vip))
    const record = vipRecordSchema.safeParse(found?.value).data
    return found && record ? { record, revision: found.revision } : undefined
  }

  /** From the last sign of life of the owner before, a VRRP advertisement, until now. */
  #outageMs({ name, network }: Vip, { vni, mac, atMs }: Sighting): number | null {
    const before = this.#options.desired.vips.get(name)?.record.owner
    if (!before || before.mac === mac) return null
    const port = this.#options.desired.network.ports.find((one) => one.name === before.port && one.network === network)
    const macs = new Set([before.mac, port?.mac])
    const signs = (this.#options.sees()?.adverts() ?? []).filter((advert) => advert.vni === vni && macs.has(advert.mac)).map((advert) => advert.atMs)
    const outageMs = Math.round(atMs - Math.max(...signs))
    return outageMs >= 0 && outageMs <= longestOutageMs ? outageMs : null
  }
}

/** Since when the VIP of an announced address has its owner; null: it has none, or there is no such VIP. */
function ownerSince(desired: VipClaimsOptions['desired'], sighting: Sighting): number | null {
  const vip = recognize(desired.network, desired.ends, sighting)?.vip
  return vip ? (desired.vips.get(vip.name)?.record.owner?.sinceMs ?? null) : null
}
