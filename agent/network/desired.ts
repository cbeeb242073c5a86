import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { HoldfastError } from '../../core/errors.ts'
import { planNetwork, type Change } from '../../core/net/declaration/plan.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import type { Logger } from '../runtime/logger.ts'
import { Follower } from '../store/follower.ts'
import type { Store, StoredKey } from '../store/store.ts'
import { decodeNetwork, encodeNetwork, endDocSchema, networkKeys, placedDocSchema, type PlacedDoc } from './documents.ts'

export interface DesiredOptions {
  logger: Logger
  store: Store
  endpoints(): readonly string[]
  /** The virtual network, or where a host's tunnels end, has changed. */
  onChange(): void
}

/** The virtual network as the store has it, and what hosts say of it. */
export class Desired implements Disposable {
  readonly #options: DesiredOptions
  readonly #follower: Follower
  readonly #ends = new Map<string, TunnelEnd>()
  readonly #placed = new Map<string, PlacedDoc>()
  readonly #waiting = new Set<() => void>()
  /** Documents are decoded one after the other. */
  #turn = Promise.resolve()
  #network: VirtualNetwork = emptyVirtualNetwork
  #revision = 0
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
      onAll: (items) => this.#inTurn(() => this.#sawAll(items)),
      onChange: (changes, revision) => this.#inTurn(() => this.#saw(changes.map((change) => ({ ...change, revision })))),
    })
  }

  get network(): VirtualNetwork {
    return this.#network
  }

  /** Store revision of the network's last change; 0: nothing was ever declared. */
  get revision(): number {
    return this.#revision
  }

  get ends(): ReadonlyMap<string, TunnelEnd> {
    return this.#ends
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
      const [{ network, revision: at }, hosts] = await Promise.all([this.#stored(), options.hosts()])
      if (options.revision !== undefined && options.revision !== at) throw changedMeanwhile(options.revision, at)
      const { next, changes } = planNetwork(network, declaration, { prune: options.prune, hosts })
      if (changes.length === 0) return { revision: at, changes }
      const put = { put: networkKeys.desired, value: await encodeNetwork(next) }
      const { done, revision } = await this.#options.store.change([{ key: networkKeys.desired, revision: at }], [put])
      if (done) {
        this.#wrote(next, revision)
        return { revision, changes }
      }
    }
    throw new HoldfastError('busy', 'The virtual network is being changed by others all the time', 'Try again.')
  }

  /** What this process has written counts from now on; the store's news of it comes later. */
  #wrote(network: VirtualNetwork, revision: number): void {
    if (revision <= this.#revision) return
    this.#network = network
    this.#revision = revision
    this.unreadable = null
    for (const end of [...this.#waiting]) end()
    this.#options.onChange()
  }

  /** The network as it is stored now. What was seen of it already is not read again. */
  async #stored(): Promise<{ network: VirtualNetwork; revision: number }> {
    const stored = await this.#options.store.get(networkKeys.desired)
    if (!stored) return { network: emptyVirtualNetwork, revision: 0 }
    if (stored.revision === this.#revision && this.unreadable === null) return { network: this.#network, revision: this.#revision }
    return { network: await decodeNetwork(stored.value), revision: stored.revision }
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

  #inTurn(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((cause: unknown) => this.#options.logger.error('the store’s news could not be taken', { cause }))
  }

  async #sawAll(items: readonly StoredKey[]): Promise<void> {
    this.#ends.clear()
    this.#placed.clear()
    if (!items.some(({ key }) => key === networkKeys.desired)) await this.#sawNetwork(null, 0, true)
    this.ready = true
    await this.#saw(items, true)
  }

  async #saw(items: readonly { key: string; value: unknown; revision: number }[], first = false): Promise<void> {
    let ours = first
    for (const { key, value, revision } of items) {
      if (key === networkKeys.desired) await this.#sawNetwork(value, revision, first)
      else if (key.startsWith(networkKeys.ends)) keep(this.#ends, key.slice(networkKeys.ends.length), endDocSchema.safeParse(value).data)
      else if (key.startsWith(networkKeys.placedAll))
        keep(this.#placed, key.slice(networkKeys.placedAll.length), placedDocSchema.safeParse(value).data)
      ours ||= !key.startsWith(networkKeys.placedAll)
    }
    for (const end of [...this.#waiting]) end()
    if (ours) this.#options.onChange()
  }

  /** `first`: all of the store was read anew, which may have been restored to an earlier state. */
  async #sawNetwork(value: unknown, revision: number, first: boolean): Promise<void> {
    // News of what this process has written already, or of what was before that, take nothing back.
    const known = first ? revision === this.#revision : revision <= this.#revision
    if (value !== null && known && this.unreadable === null) return
    try {
      this.#network = value === null ? emptyVirtualNetwork : await decodeNetwork(value)
      this.#revision = revision
      this.unreadable = null
    } catch (thrown) {
      // What was in place stays in place.
      this.unreadable = (thrown as Error).message
    }
  }
}

function keep<T>(map: Map<string, T>, name: string, doc: T | undefined): void {
  if (doc === undefined) map.delete(name)
  else map.set(name, doc)
}

function changedMeanwhile(seen: number, now: number): HoldfastError {
  return new HoldfastError(
    'busy',
    `The virtual network has changed since the plan was made: revision ${now}, planned for ${seen}`,
    'Plan again, and look at what differs.',
  )
}
