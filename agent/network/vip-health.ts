import type { Env } from '../../core/env.ts'
import type { HealthCheck, Port, Vip, VirtualNetwork } from '../../core/model/network.ts'
import { afterCheck, checkedAddress, notYetChecked, whyUncheckable, type CheckedMember } from '../../core/net/broadcast/platform-vip.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import type { StoredHealth } from './desired.ts'
import { networkKeys, type HealthDoc } from './documents.ts'
import { guestInit } from './guests.ts'
import { checkGuest } from './health-checks.ts'
import { deviceOf, hasCarrier } from './local-ports.ts'

const checkPeriodMs = 500
const checkLimitMs = 2000
/** What a dead host has reported ends after so long; a module that is swapped or started again is back before. */
export const healthLeaseSeconds = 3
const renewalPeriodMs = 1000

export interface VipHealthOptions {
  env: Env
  logger: Logger
  store: Store
  host: string
  /** Where this host's guests leave their process ids. */
  run: string
  desired: {
    readonly ready: boolean
    readonly network: VirtualNetwork
    readonly health: ReadonlyMap<string, StoredHealth>
  }
}

/** A member on this host. */
interface LocalMember {
  vip: Vip
  check: HealthCheck
  port: Port
}

/**
 * Checks the members of VIPs with a `healthCheck` that are on this host, and reports to the store what they are, whenever that changes. The report
 * is bound to a lease, so that it ends with the host. A process that follows another one goes on from its report.
 */
export class VipHealth {
  readonly #options: VipHealthOptions
  /** By VIP and port, as in `keyOf`. */
  readonly #checked = new Map<string, CheckedMember>()
  readonly #checking = new Set<string>()
  #members = new Map<string, LocalMember>()
  #leaseId: string | null = null
  /** The report in the store, as JSON; empty: there is none of this process. */
  #told = ''
  #telling = false
  #isStoreAway = false
  #hasReadLast = false
  #timers: Disposable[] = []

  constructor(options: VipHealthOptions) {
    this.#options = options
  }

  start(): void {
    const { env } = this.#options
    this.#timers = [env.every(checkPeriodMs, () => this.#look()), env.every(renewalPeriodMs, () => void this.#tell({ renewing: true }))]
  }

  /** The report stays until its lease ends: the next process takes it over. */
  stop(): void {
    for (const timer of this.#timers.splice(0)) timer[Symbol.dispose]()
    this.#checked.clear()
    this.#leaseId = null
    this.#told = ''
    this.#hasReadLast = false
  }

  #look(): void {
    const { desired, host } = this.#options
    if (!desired.ready) return
    this.#members = membersAt(desired.network, host)
    for (const key of this.#checked.keys()) if (!this.#members.has(key)) this.#checked.delete(key)
    if (!this.#hasReadLast) this.#readLast()
    for (const [key, member] of this.#members) if (!this.#checking.has(key)) void this.#check(key, member)
  }

  #readLast(): void {
    this.#hasReadLast = true
    const last = this.#options.desired.health.get(this.#options.host)?.doc ?? {}
    for (const [key, { vip, port }] of this.#members) {
      const health = last[vip.name]?.[port.name]
      if (health) this.#checked.set(key, { health, failuresInRow: 0, lastWellAtMs: health.lastWellAtMs })
    }
    void this.#tell({ renewing: false })
  }

  async #check(key: string, member: LocalMember): Promise<void> {
    this.#checking.add(key)
    const failure = await this.#failureOf(member)
    this.#checking.delete(key)
    if (this.#timers.length === 0 || !this.#members.has(key)) return
    const before = this.#checked.get(key) ?? notYetChecked
    const now = afterCheck(before, failure, this.#nowMs())
    this.#checked.set(key, now)
    if (now.health !== before.health) void this.#tell({ renewing: false })
  }

  async #failureOf({ vip, check, port }: LocalMember): Promise<string | null> {
    if (!hasCarrier(deviceOf(port))) return 'its port is down'
    const init = guestInit(this.#options.run, port.name)
    if (!init) return 'its guest does not run'
    return await checkGuest(check, { pid: init.pid, address: checkedAddress(vip, port) }, checkLimitMs)
  }

  /** Writes what is new, and renews the lease that it is bound to. One at a time; what comes meanwhile goes along or is told at the next renewal. */
  async #tell({ renewing }: { renewing: boolean }): Promise<void> {
    if (this.#telling || this.#timers.length === 0) return
    this.#telling = true
    const { store, host, logger, desired } = this.#options
    const key = networkKeys.health(host)
    try {
      if (renewing && this.#leaseId !== null && !(await store.keepLease(this.#leaseId, renewalPeriodMs))) {
        this.#leaseId = null
        this.#settleAnew()
      }
      // Somebody else has deleted it, or it was bound to the lease of the process before.
      if (renewing && this.#text() !== '' && !desired.health.has(host)) this.#told = ''
      for (
        let text = this.#text();
        this.#timers.length > 0 && (text !== this.#told || (text !== '' && this.#leaseId === null));
        text = this.#text()
      ) {
        if (text === '') {
          await store.change([], [{ delete: key }])
          this.#leaseId = null
        } else {
          const leaseId = this.#leaseId ?? (await store.grantLease(healthLeaseSeconds))
          // A write to a lease that has ended is refused: the next one gets another.
          this.#leaseId = null
          await store.change([], [{ put: key, value: JSON.parse(text) as HealthDoc, leaseId }])
          this.#leaseId = leaseId
        }
        this.#told = text
      }
      if (this.#isStoreAway) logger.info('the store is there again: the health of VIP members is told')
      this.#isStoreAway = false
    } catch (cause) {
      if (!this.#isStoreAway) logger.warn('the store was not told of the health of VIP members; while it is away no such VIP moves', { cause })
      this.#isStoreAway = true
    } finally {
      this.#telling = false
    }
  }

  /** This host was not there for the others: what is well is so since now, or an address would follow a host that comes and goes. */
  #settleAnew(): void {
    const sinceMs = this.#nowMs()
    for (const [key, checked] of this.#checked)
      if (checked.health?.well) this.#checked.set(key, { ...checked, health: { ...checked.health, sinceMs } })
  }

  /** The report as JSON; empty: there is nothing to report. */
  #text(): string {
    const doc: HealthDoc = {}
    for (const [key, { vip, port }] of this.#members) {
      const health = this.#checked.get(key)?.health
      if (health) (doc[vip.name] ??= {})[port.name] = health
    }
    return Object.keys(doc).length === 0 ? '' : JSON.stringify(doc)
  }

  #nowMs(): number {
    return Math.trunc(this.#options.env.wallMs())
  }
}

function membersAt({ vips, ports }: VirtualNetwork, host: string): Map<string, LocalMember> {
  const members = new Map<string, LocalMember>()
  if (vips.every(({ healthCheck }) => healthCheck === undefined)) return members
  const local = new Map(ports.filter((port) => port.host === host && whyUncheckable(port) === null).map((port) => [port.name, port]))
  for (const vip of vips) {
    for (const name of vip.healthCheck ? vip.ports : []) {
      const port = local.get(name)
      if (port) members.set(`${vip.name} ${name}`, { vip, check: vip.healthCheck!, port })
    }
  }
  return members
}
