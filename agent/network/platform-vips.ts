import type { Env } from '../../core/env.ts'
import type { Port, Vip, VirtualNetwork } from '../../core/model/network.ts'
import { noRecord, type VipRecord } from '../../core/net/broadcast/claims.ts'
import { decidePlace, membersOf, unwellMembers, type Member } from '../../core/net/broadcast/platform-vip.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store, Unchanged } from '../store/store.ts'
import type { StoredHealth, StoredVip } from './desired.ts'
import { networkKeys } from './documents.ts'
import { healthLeaseSeconds } from './vip-health.ts'

/** Members settle, and hosts are missed, without anybody saying so. */
const lookMs = 500

export interface PlatformVipsOptions {
  env: Env
  logger: Logger
  events: EventLog
  store: Store
  desired: {
    readonly ready: boolean
    readonly network: VirtualNetwork
    readonly vips: ReadonlyMap<string, StoredVip>
    readonly health: ReadonlyMap<string, StoredHealth>
    changed(limitMs: number): Promise<void>
  }
  /** Whether this host leads the cluster. */
  leads(): boolean
}

/**
 * Decides where VIPs with a `healthCheck` are, on the host that leads the cluster, and writes it to the store. The record of the VIP and every
 * report that the decision rests on must be as they were seen: of two hosts that both take themselves for the leader only one writes, and one that
 * sees old reports writes nothing. While the store is away nothing moves.
 *
 * The old owner's host takes the address out of its guest when the store says so. If that host is cut off from the store its report ends with its
 * lease and the address moves, though the guest still has it: that is harmless, because the flows of all other hosts go to the new owner, and ARP
 * is answered by flows. Only guests on the host that is cut off, whose flows are old, still find the old owner.
 */
export class PlatformVips {
  readonly #options: PlatformVipsOptions
  /** When each owner was last known to be well, by VIP. */
  readonly #seenWell = new Map<string, { port: string; atMs: number }>()
  #running: AbortController | null = null
  #isStoreAway = false

  constructor(options: PlatformVipsOptions) {
    this.#options = options
  }

  start(): void {
    this.stop()
    this.#running = new AbortController()
    void this.#run(this.#running.signal)
  }

  stop(): void {
    this.#running?.abort()
    this.#running = null
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.desired.changed(lookMs)
      const { desired } = this.#options
      const vips = desired.ready ? desired.network.vips.filter(({ healthCheck }) => healthCheck) : []
      if (vips.length === 0) continue
      const ports = new Map(desired.network.ports.map((port) => [port.name, port]))
      for (const vip of vips) if (!signal.aborted && this.#options.leads()) await this.#decide(vip, ports)
    }
  }

  async #decide(vip: Vip, ports: ReadonlyMap<string, Port>): Promise<void> {
    const { desired, store, env, logger } = this.#options
    const nowMs = Math.trunc(env.wallMs())
    const { record, revision } = desired.vips.get(vip.name) ?? { record: noRecord, revision: 0 }
    const members = membersOf(vip, ports, desired.health)
    const decision = decidePlace(vip, record, members, this.#lastWellAtMs(vip, record, members, nowMs), nowMs)
    if (decision.kind !== 'moves') return
    const key = networkKeys.vip(vip.name)
    const hosts = new Set(members.map(({ host }) => host))
    const asSeen = [...hosts].map((host): Unchanged => ({ key: networkKeys.health(host), revision: desired.health.get(host)?.revision ?? 0 }))
    try {
      const { done } = await store.change([{ key, revision }, ...asSeen], [{ put: key, value: decision.record }])
      // Else something is new, which is told here soon.
      if (done) this.#tell(vip, record, decision.record, members)
      this.#isStoreAway = false
    } catch (cause) {
      if (!this.#isStoreAway) logger.warn('the store is away: VIPs that the platform drives stay where they are', { vip: vip.name, cause })
      this.#isStoreAway = true
    }
  }

  /** Of an owner whose host is gone: when that renewed its report last, which then stayed for a lease. */
  #lastWellAtMs({ name }: Vip, { owner }: VipRecord, members: readonly Member[], nowMs: number): number | null {
    const health = members.find(({ port }) => port === owner?.port)?.health
    if (!owner) return null
    if (health?.well) this.#seenWell.set(name, { port: owner.port, atMs: nowMs })
    else if (health) return health.lastWellAtMs
    const seen = this.#seenWell.get(name)
    return seen?.port === owner.port ? seen.atMs - (health ? 0 : healthLeaseSeconds * 1000) : null
  }

  #tell({ name }: Vip, before: VipRecord, { owner, history }: VipRecord, members: readonly Member[]): void {
    const { events } = this.#options
    const from = before.owner?.port ?? null
    if (owner?.port === from) return
    const outageMs = history.at(-1)?.outageMs ?? null
    const why = unwellMembers(members).find(({ port }) => port === from)?.why
    const was = from === null ? '' : `, it was at ${from}${why === undefined ? '' : `: ${why}`}`
    const outage = owner && outageMs !== null && outageMs > 0 ? `; ${outageMs} ms without one that was well` : ''
    const message = owner
      ? `VIP ${name} is at ${owner.port} on ${owner.host} now${was}${outage}`
      : `VIP ${name} is at nobody now${was}; no member is well`
    const about = [`vip/${name}`, ...(owner ? [`port/${owner.port}`] : [])]
    events.emit('vip-moved', owner ? 'info' : 'warning', message, about, { from, to: owner?.port ?? null, outageMs })
  }
}
