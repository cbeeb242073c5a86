import type { Env } from '../../core/env.ts'
import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import type { VipPlace } from '../../core/net/compile/view.ts'
import { broadcastNodes, clusterEnd } from '../../core/net/broadcast/nodes.ts'
import type { Flow } from '../../core/net/openflow/flow.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import { BroadcastDriver } from './broadcast-driver.ts'
import { BroadcastFlows } from './broadcast-flows.ts'
import { BroadcastHostReport } from './broadcast-host-report.ts'
import { BroadcastReport } from './broadcast-report.ts'
import { ClusterAddress } from './cluster-address.ts'
import type { Desired } from './desired.ts'
import { hasCarrier } from './local-ports.ts'
import { PlatformVips } from './platform-vips.ts'
import { GatewayTakeover } from './gateway-takeover.ts'
import { RefusedClaims, refusedPeriodMs } from './refused-claims.ts'
import type { VirtualSwitch } from './switch/virtual-switch.ts'
import { VipAnnouncer } from './vip-announcer.ts'
import { VipClaims } from './vip-claims.ts'
import { VipHealth } from './vip-health.ts'
import { mastersPeriodMs, VipMasters } from './vip-masters.ts'

const reportPeriodMs = 5000

export interface BroadcastPartOptions {
  env: Env
  logger: Logger
  log: ObjectLog
  events: EventLog
  config: AgentConfig
  paths: AgentPaths
  store: Store
  desired: Desired
  virtualSwitch: VirtualSwitch
  /** `owners` has changed by what this host has seen itself. */
  onSeen(): void
  /** Whether this host leads the cluster. */
  leads(): boolean
}

/** What a forwarder has found of its host when it puts something in place. */
export interface BroadcastPlace {
  network: VirtualNetwork
  /** Of hosts with our agent, this one included. */
  ends: ReadonlyMap<string, TunnelEnd>
  nic: string
  mtuBytes: number
  /** Of the switch. */
  flows: readonly Flow[]
}

/** All that this host does for broadcast and floating addresses beside its flows. */
export class BroadcastPart {
  readonly #options: BroadcastPartOptions
  readonly #driver: BroadcastDriver
  readonly #claims: VipClaims
  readonly #masters: VipMasters
  readonly #address: ClusterAddress
  readonly #report: BroadcastReport
  readonly #flows = new BroadcastFlows()
  readonly #hostReport: BroadcastHostReport
  readonly #refused: RefusedClaims
  readonly #health: VipHealth
  readonly #platformVips: PlatformVips
  readonly #announcer: VipAnnouncer
  readonly #takeover: GatewayTakeover
  #place: BroadcastPlace | null = null
  #timers: Disposable[] = []
  #caughtUp = false

  constructor(options: BroadcastPartOptions) {
    this.#options = options
    const { env, logger, config, paths, desired, store } = options
    const { host } = config
    this.#driver = new BroadcastDriver(host, paths, logger, (sighting) => this.#claims.saw(sighting))
    this.#claims = new VipClaims({
      ...{ ...options, host, onSeen: options.onSeen },
      isCutOff: () => !this.#place || !hasCarrier(this.#place.nic),
      sees: () => this.#driver.sees,
    })
    this.#masters = new VipMasters({
      ...{ env, logger, store, host, desired },
      adverts: () => this.#driver.path?.adverts() ?? [],
      onOnlyMaster: (vip, master) => this.#claims.isOnlyMaster(vip, master),
    })
    this.#report = new BroadcastReport(host, this.#driver, this.#claims)
    this.#hostReport = new BroadcastHostReport(host, paths, options.virtualSwitch, this.#flows)
    this.#refused = new RefusedClaims({ ...options, host })
    this.#health = new VipHealth({ ...options, host, run: paths.run })
    this.#platformVips = new PlatformVips(options)
    this.#announcer = new VipAnnouncer({ ...options, host })
    this.#takeover = new GatewayTakeover({ ...options, host })
    this.#address = new ClusterAddress({
      ...{ env, logger, store, host },
      holder: () => desired.clusterAddressHost,
      path: () => this.#driver.path,
      end: () => clusterEnd(broadcastNodes(this.#place!.network, this.#place!.ends)),
      nic: () => this.#place!.nic,
      retake: () => this.#driver.retake(),
    })
  }

  /** Where floating addresses are: as the store has it, but for what this host has just seen. */
  get owners(): ReadonlyMap<string, VipPlace> {
    const stored = [...this.#options.desired.vips].flatMap(([vip, { record }]) => (record.owner ? [[vip, record.owner] as const] : []))
    // The same place is the same for whoever compares, whether it was seen here or read.
    return new Map([...stored, ...this.#claims.seen].map(([vip, { port, mac }]): [string, VipPlace] => [vip, { port, mac }]))
  }

  start(): void {
    const { env, desired, config } = this.#options
    this.#address.start()
    this.#health.start()
    this.#platformVips.start()
    this.#takeover.start(
      () => this.#place,
      () => this.owners,
    )
    this.#timers = [
      env.every(reportPeriodMs, () => this.#tell()),
      env.every(mastersPeriodMs, () => void this.#masters.look()),
      env.every(refusedPeriodMs, () => void this.#refused.look(desired.network, desired.refused.get(config.host) ?? {})),
    ]
    this.#converge()
  }

  /** The data path goes on; another process takes it over. */
  stop(): void {
    this.#address.stop()
    this.#health.stop()
    this.#platformVips.stop()
    this.#announcer.stop()
    this.#takeover.stop()
    for (const timer of this.#timers.splice(0)) timer[Symbol.dispose]()
    this.#driver.close()
    this.#caughtUp = false
  }

  /** The switch has in place what it is to have. */
  place(place: BroadcastPlace): void {
    this.#place = place
    this.#flows.placed(place.flows)
    this.#converge()
  }

  #converge(): void {
    if (!this.#place || this.#timers.length === 0) return
    const { desired, config } = this.#options
    this.#driver.converge({ ...this.#place, holdsClusterAddress: desired.clusterAddressHost === config.host })
    this.#address.placed()
    this.#announcer.placed(this.#place.network)
    if (!this.#caughtUp) this.#claims.catchUp()
    this.#caughtUp = true
  }

  #tell(): void {
    const { env, log, config } = this.#options
    if (!this.#place) return
    void this.#tellOfHost(this.#place)
    // A NIC that was made anew, or what failed before.
    this.#converge()
    const nowMs = Math.trunc(env.wallMs())
    const doc = this.#report.read(this.#place.network, this.#place.ends, nowMs)
    if (doc) log.put({ kind: 'broadcastNode', id: config.host, doc })
    else log.del('broadcastNode', config.host)
  }

  async #tellOfHost(place: BroadcastPlace): Promise<void> {
    const { log, logger, config } = this.#options
    try {
      const doc = await this.#hostReport.read(place)
      if (this.#timers.length === 0) return
      if (doc) log.put({ kind: 'broadcastHost', id: config.host, doc })
      else log.del('broadcastHost', config.host)
    } catch (cause) {
      logger.warn('what the switch has seen of the broadcast cluster could not be read', { cause })
    }
  }
}
