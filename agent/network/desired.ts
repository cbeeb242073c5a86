import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { VipRecord } from '../../core/net/broadcast/claims.ts'
import type { Masters } from '../../core/net/broadcast/masters.ts'
import { planNetwork, type Change } from '../../core/net/declaration/plan.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import type { Logger } from '../runtime/logger.ts'
import { Follower } from '../store/follower.ts'
import type { Store, StoredKey } from '../store/store.ts'
import {
  clusterAddressDocSchema,
  endDocSchema,
  healthDocSchema,
  isPartKey,
  mastersDocSchema,
  networkKeys,
  placedDocSchema,
  refusedDocSchema,
  vipRecordSchema,
  type HealthDoc,
  type PlacedDoc,
  type RefusedDoc,
} from './documents.ts'
import { NetworkParts } from './network-parts.ts'

export interface DesiredOptions {
  logger: Logger
  store: Store
  endpoints(): readonly string[]
  /** The virtual network, where a host's tunnels end, or where a floating address is, has changed. */
  onChange(): void
}

/** What the store has of a VIP, and the revision of its last change: the epoch. */
export interface StoredVip {
  record: VipRecord
  revision: number
}

/** What a host says of members of VIPs that it checks, and the revision at which it did. */
export interface StoredHealth {
  doc: HealthDoc
  revision: number
}

/** The virtual network at one revision of the store. */
interface Known {
  revision: number
  parts: NetworkParts
  network: VirtualNetwork
}

/** What a host says of itself often, and nothing has to be put in place for. */
const silent = [networkKeys.placedAll, networkKeys.healthAll, networkKeys.mastersAll]

const nothing: Known = { revision: 0, parts: new NetworkParts(), network: emptyVirtualNetwork }

/** The virtual network as the store has it, and what hosts say of it. */
export class Desired implements Disposable {
  readonly #options: DesiredOptions
  readonly #follower: Follower
  readonly #ends = new Map<string, TunnelEnd>()
  readonly #placed = new Map<string, PlacedDoc>()
  readonly #vips = new Map<string, StoredVip>()
  readonly #refused = new Map<string, RefusedDoc>()
  readonly #health = new Map<string, StoredHealth>()
  readonly #masters = new Map<string, Masters>()
  #clusterAddress: string | null = null
  readonly #waiting = new Set<() => void>()
  /** The newest that can be read. */
  #known = nothing
  /** The newest, whether it can be read or not. */
  #newest: Omit<Known, 'network'> = nothing
  /** Whether a first look at the store has succeeded. */
  ready = false
  /** Why the newest network cannot be read; null when it can. */
  unreadable: string | null = null

  constructor(options: DesiredOptions) {
    this.#options = options
    this.#follower = new Follower({
      logger: options.logger,
      store: options.store,
      prefix: networkKeys.prefix,
      endpoints: options.endpoints,
      onAll: (items) => this.#sawAll(items),
      onChange: (changes, revision) => this.#saw(changes, revision),
    })
  }

  get network(): VirtualNetwork {
    return this.#known.network
  }

  /** Store revision of the network's last change; 0: nothing was ever declared. */
  get revision(): number {
    return this.#known.revision
  }

  get ends(): ReadonlyMap<string, TunnelEnd> {
    return this.#ends
  }

  /** Where floating addresses are, by VIP. */
  get vips(): ReadonlyMap<string, StoredVip> {
    return this.#vips
  }

  /** Claims that hosts have refused, by host. */
  get refused(): ReadonlyMap<string, RefusedDoc> {
    return this.#refused
  }

  /** What hosts have found of the members of VIPs that the platform drives, by host. */
  get health(): ReadonlyMap<string, StoredHealth> {
    return this.#health
  }

  /** Which masters of VIPs' virtual routers the nodes of the broadcast cluster hear, by host. */
  get masters(): ReadonlyMap<string, Masters> {
    return this.#masters
  }

  /** The host that is to answer for the broadcast cluster's address; null: nobody is. */
  get clusterAddressHost(): string | null {
    return this.#clusterAddress
  }

  get placed(): ReadonlyMap<string, PlacedDoc> {
    return this.#placed
  }

  /**
   * Makes the network what a declaration says, in one transaction. `revision`: what the caller saw; a later one is `busy`. A change by
   * somebody else in between is planned anew. Throws `bad-input` with `data.problems`, and what the store throws.
   */
  async apply(
    text: string,
    options: { prune: boolean; revision?: number | undefined; hosts: () => Promise<string[]> },
  ): Promise<{ revision: number; changes: Change[] }> {
    const declaration = parseDeclaration(text)
    for (let attempt = 0; attempt < 5; attempt++) {
      const [before, hosts] = await Promise.all([this.#stored(), options.hosts()])
      const { revision: at } = before
      if (options.revision !== undefined && options.revision !== at) throw changedMeanwhile(options.revision, at)
      const { next, changes } = planNetwork(before.network, declaration, { prune: options.prune, hosts })
      if (changes.length === 0) return { revision: at, changes }
      const { writes, parts } = before.parts.replacedBy(next)
      const { done, revision } = await this.#options.store.change([{ key: networkKeys.desired, revision: at }], writes)
      if (done) {
        this.#wrote({ revision, parts, network: next })
        return { revision, changes }
      }
    }
    throw new HoldfastError('busy', 'The virtual network is being changed by others all the time', 'Try again.')
  }

  /** What this process has written counts from now on; the store's news of it comes later. */
  #wrote(written: Known): void {
    if (written.revision <= this.#newest.revision) return
    this.#newest = this.#known = written
    this.unreadable = null
    this.#tell(true)
  }

  /** The network as it is stored now. What was seen of it already is not read again. */
  async #stored(): Promise<Known> {
    const root = await this.#options.store.get(networkKeys.desired)
    if ((root?.revision ?? 0) === this.#known.revision) return this.#known
    const { items } = await this.#options.store.list(networkKeys.desired)
    const parts = new NetworkParts().with(items)
    return { revision: revisionOf(items), parts, network: parts.read() }
  }

  /** Resolves when anything is changed, or after `limitMs`. */
  changed(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(end)
        resolve()
      }
      const timer = setTimeout(end, limitMs)
      this.#waiting.add(end)
    })
  }

  [Symbol.dispose](): void {
    this.#follower[Symbol.dispose]()
  }

  /** `items`: all there is. The store may have been restored to an earlier state. */
  #sawAll(items: readonly StoredKey[]): void {
    this.#ends.clear()
    this.#placed.clear()
    this.#vips.clear()
    this.#refused.clear()
    this.#health.clear()
    this.#masters.clear()
    this.#clusterAddress = null
    for (const item of items) this.#sawOther(item, item.revision)
    const parts = items.filter(({ key }) => isPartKey(key))
    this.#sawNetwork({ revision: revisionOf(parts), parts: new NetworkParts().with(parts) })
    this.ready = true
    this.#tell(true)
  }

  /** `changes`: all of one revision. */
  #saw(changes: readonly { key: string; value: unknown }[], revision: number): void {
    for (const change of changes) this.#sawOther(change, revision)
    const parts = changes.filter(({ key }) => isPartKey(key))
    // What this process has written already, and what was before that, is known.
    const isNew = parts.length > 0 && revision > this.#newest.revision
    if (isNew) this.#sawNetwork({ revision, parts: this.#newest.parts.with(parts) })
    this.#tell(isNew || changes.some(({ key }) => !silent.some((prefix) => key.startsWith(prefix)) && !isPartKey(key)))
  }

  #sawOther({ key, value }: { key: string; value: unknown }, revision: number): void {
    if (key.startsWith(networkKeys.ends)) keep(this.#ends, key.slice(networkKeys.ends.length), endDocSchema.safeParse(value).data)
    else if (key.startsWith(networkKeys.placedAll)) keep(this.#placed, key.slice(networkKeys.placedAll.length), placedDocSchema.safeParse(value).data)
    else if (key.startsWith(networkKeys.vips)) {
      const record = vipRecordSchema.safeParse(value).data
      keep(this.#vips, key.slice(networkKeys.vips.length), record && { record, revision })
    } else if (key.startsWith(networkKeys.healthAll)) {
      const doc = healthDocSchema.safeParse(value).data
      keep(this.#health, key.slice(networkKeys.healthAll.length), doc && { doc, revision })
    } else if (key.startsWith(networkKeys.mastersAll))
      keep(this.#masters, key.slice(networkKeys.mastersAll.length), mastersDocSchema.safeParse(value).data)
    else if (key.startsWith(networkKeys.refusedAll))
      keep(this.#refused, key.slice(networkKeys.refusedAll.length), refusedDocSchema.safeParse(value).data)
    else if (key === networkKeys.clusterAddress) this.#clusterAddress = clusterAddressDocSchema.safeParse(value).data?.host ?? null
  }

  #sawNetwork(newest: Omit<Known, 'network'>): void {
    this.#newest = newest
    try {
      this.#known = { ...newest, network: newest.parts.read(this.#known.network) }
      this.unreadable = null
    } catch (thrown) {
      // What was in place stays in place.
      this.unreadable = (thrown as Error).message
    }
  }

  /** `change`: of the network or of tunnel ends. */
  #tell(change: boolean): void {
    for (const end of [...this.#waiting]) end()
    if (change) this.#options.onChange()
  }
}

function keep<T>(map: Map<string, T>, name: string, doc: T | undefined): void {
  if (doc === undefined) map.delete(name)
  else map.set(name, doc)
}

function revisionOf(items: readonly StoredKey[]): number {
  return items.find(({ key }) => key === networkKeys.desired)?.revision ?? 0
}

function changedMeanwhile(seen: number, now: number): HoldfastError {
  return new HoldfastError(
    'busy',
    `The virtual network has changed since the plan was made: revision ${now}, planned for ${seen}`,
    'Plan again, and look at what differs.',
  )
}
