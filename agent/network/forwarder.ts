import { once } from 'node:events'
import { join } from 'node:path'
import type { Env } from '../../core/env.ts'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { Forwarding, Network, Port, TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { FlowOwners } from '../../core/net/compile/cookie.ts'
import { errorMeter, errorsPerSecond } from '../../core/net/compile/tables.ts'
import { broadcastNodes, clusterEnd, watchedHosts } from '../../core/net/broadcast/nodes.ts'
import { compileGroups, gatewayWatchPortOf, watchPortOf } from '../../core/net/compile/groups.ts'
import { vlanGroups, vlanPortOf, vlansOf } from '../../core/net/compile/vlans.ts'
import { allEnds, type VipPlace } from '../../core/net/compile/view.ts'
import { cidrHasIp, parseCidr, parseIp } from '../../core/net/address.ts'
import { tunnelMacOf } from '../../core/net/tunnel-mac.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import { FlowCompiler } from './flow-compiler.ts'
import { AclLog, aclLogPeriodMs } from './acl-log.ts'
import { Guests } from './guests.ts'
import { deviceOf, guestsOf, pluggedPorts, portsDown, vlansAt } from './local-ports.ts'
import type { Takeover } from './switch/keeper-status.ts'
import type { BroadcastPlace } from './broadcast-part.ts'
import type { DesiredSwitch } from './switch/desired-switch.ts'
import { portsText } from './switch/ovs-instance.ts'
import { VlanDevices } from './vlan-devices.ts'
import { VirtualSwitch, type Drift, type SwitchPort } from './switch/virtual-switch.ts'
import { findUnderlay, underlayOf, type Underlay } from './underlay.ts'

const firstRetryMs = 500
const longestRetryMs = 10_000

/** How soon a guest that came or went is noticed. */
const carrierPeriodMs = 1000

/** A comparison of everything holds up what is new, so that it may take at most this share of the time. */
const verifyingShare = 0.05

/** How often a host asks a node, and a gateway, whether it lives: a second passes at most until another gateway forwards. */
const nodePeriodMs = 50
const gatewayPeriodMs = 200

/** What is to be in place. */
export interface Wanted {
  network: VirtualNetwork
  revision: number
  ends: ReadonlyMap<string, TunnelEnd>
  /** Where floating addresses are, by VIP. */
  owners: ReadonlyMap<string, VipPlace>
}

export interface ForwarderOptions {
  env: Env
  logger: Logger
  events: EventLog
  config: AgentConfig
  paths: AgentPaths
  /** What is in place now, whenever that may have changed. */
  onForwarding(forwarding: Forwarding): void
  /** The switch has in place what it is to have; what carries its tunnels may be another NIC now. */
  onPlaced(place: BroadcastPlace): void
}

/** Makes this host forward as it is wanted, again and again: guests, the switch and its ports, flows. One pass at a time; the newest wish counts. */
export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #guests: Guests
  readonly #vlans = new VlanDevices()
  readonly #compiler: FlowCompiler
  readonly switch: VirtualSwitch
  readonly #aclLog: AclLog
  #wanted: Wanted | null = null
  #dirty = false
  /** Whether the next pass compares what is in place, too, instead of trusting that nobody has touched it. */
  #verifying = true
  #notVerifiedBeforeMs = -Infinity
  #underlay: Underlay | null = null
  /** The switch that forwarded when the keeper last said so. */
  #active: number | null = null
  /** `portsText` of the last pass. */
  #plugged = ''
  #working: Promise<void> | null = null
  #stopped = true
  #retryMs = firstRetryMs
  #retry: Disposable | null = null
  #last: Forwarding | null = null
  #repairs = 0
  #lastTakeoverMs = -1
  #watching: Disposable[] = []
  /** Of the pass that runs: aborted when a floating address has moved, for whose flows what takes its time makes way. */
  #makeWay = new AbortController()

  constructor(options: ForwarderOptions) {
    this.#options = options
    const { paths } = options
    this.#guests = new Guests(paths.run)
    this.#compiler = new FlowCompiler(options.config.host)
    const extension = import.meta.filename.endsWith('.ts') ? 'keeper/main.ts' : 'keeper.mjs'
    this.switch = new VirtualSwitch({ run: paths.run, log: paths.log, keeperProgram: join(import.meta.dirname, extension) })
    const { env, logger, events, config } = options
    this.#aclLog = new AclLog({ virtualSwitch: this.switch, events, env, logger, host: config.host })
  }

  /** Why nothing is in place; null when something is. */
  get ails(): string | null {
    return this.#last?.state === 'down' ? (this.#last.problems[0] ?? 'the virtual switch is down') : null
  }

  /** Begins to act. */
  start(): void {
    this.#stopped = false
    const { env, logger, config } = this.#options
    this.#watching = [
      this.switch.watch(
        (status) => {
          if (status.lastTakeover) this.#sawTakeover(status.lastTakeover)
          const active = status.active?.number ?? null
          if (active !== this.#active) this.verify()
          this.#active = active
        },
        (cause) => logger.error('the keeper of the switch could not be started', { cause }),
      ),
      env.every(aclLogPeriodMs, () => {
        if (this.#last && this.#wanted) void this.#aclLog.look(this.#wanted.network)
      }),
      env.every(carrierPeriodMs, () => {
        if (!this.#last || !this.#wanted) return
        if (portsText(this.#pluggedPorts(this.#wanted)) !== this.#plugged) this.look()
        const { changedAtMs: _changedAtMs, ...last } = this.#last
        this.#report({ ...last, portsDown: portsDown(this.#wanted.network, config.host) })
      }),
    ]
    this.verify()
  }

  /** Stops acting, when the pass that runs is over; what is in place stays. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const watching of this.#watching.splice(0)) watching[Symbol.dispose]()
    this.#retry?.[Symbol.dispose]()
    await this.#working
    this.switch[Symbol.dispose]()
  }

  want(wanted: Wanted): void {
    if (this.#wanted && !sameJson([...wanted.owners], [...this.#wanted.owners])) this.#makeWay.abort()
    this.#wanted = wanted
    this.look()
  }

  /** Compares all that is in place with what is wanted, and puts right what others have altered. */
  verify(): void {
    this.#verifying = true
    this.look()
  }

  /** The same, unless it was done lately and takes long, as with many flows on a busy host. To be called again and again. */
  verifyInTurn(): void {
    if (performance.now() >= this.#notVerifiedBeforeMs) this.verify()
  }

  /** Puts in place what is wanted and is not yet. */
  look(): void {
    this.#dirty = true
    if (this.#stopped || this.#working || !this.#wanted) return
    this.#working = this.#work().finally(() => {
      this.#working = null
      if (this.#dirty && !this.#stopped && !this.#retry) this.look()
    })
  }

  /** Ports of this host that have no device, or one without a carrier. */
  get portsDown(): string[] {
    return this.#wanted ? portsDown(this.#wanted.network, this.#options.config.host) : []
  }

  /** The port of this host by its name. Throws `not-found`. */
  localPort(name: string): Port {
    const port = this.#wanted?.network.ports.find((one) => one.name === name && one.host === this.#options.config.host)
    if (port) return port
    throw new HoldfastError('not-found', `${this.#options.config.host} has no port ${name}`, 'See where it is: holdfast inventory list ports.', {
      port: name,
    })
  }

  /** A virtual network by its name. Throws `not-found`. */
  network(name: string): Network {
    const network = this.#wanted?.network.networks.find((one) => one.name === name)
    if (network) return network
    throw new HoldfastError('not-found', `There is no network ${name}`, 'See: holdfast inventory list networks.', { network: name })
  }

  async #work(): Promise<void> {
    this.#retry?.[Symbol.dispose]()
    this.#retry = null
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false
      const wanted = this.#wanted!
      try {
        await this.#pass(wanted)
        this.#retryMs = firstRetryMs
      } catch (thrown) {
        this.#failed(wanted, thrown)
        return
      }
    }
  }

  async #pass(wanted: Wanted): Promise<void> {
    const { network, revision, ends } = wanted
    const { config, onPlaced } = this.#options
    this.#makeWay = new AbortController()
    const { signal } = this.#makeWay
    const moved = once(signal, 'abort')
    const verifying = this.#verifying
    this.#verifying = false
    if (verifying || !this.#underlay) this.#underlay = await findUnderlay(config)
    const underlay = this.#underlay
    const datapath = await this.switch.datapath()
    const own: TunnelEnd = { ip: underlay.ip, mac: datapath === 'kernel' ? underlay.mac : tunnelMacOf(underlay.ip) }
    const hosts = new Map([...ends, [config.host, own]])
    const problems: string[] = []
    const vlans = datapath === 'kernel' ? [] : vlansAt(network, config.host)
    if (datapath === 'kernel') problems.push(...(await this.#vlans.converge(network, config.host)))
    problems.push(
      ...vlans.flatMap(({ nic, vlan }) =>
        nic === underlay.nic ? [] : `VLAN ${vlan} of ${nic} is out of reach: a gateway in user space joins those of ${underlay.nic} alone`,
      ),
    )
    const guests = guestsOf(network, config.host, wanted.owners)
    const haveCables = this.#guests.run(guests)
    const made = this.#guests.converge(guests).catch((cause: unknown) => problems.push(asHoldfastError(cause).message))
    // A device has to be there before the switch takes it; what else changes of a guest does not hold up flows.
    if (!haveCables) await Promise.race([made, moved])
    const flows = this.#compiler.compile(network, hosts, this.#wanted!.owners)
    const cluster = clusterPart(network, hosts, config.host)
    const ports = this.#pluggedPorts(wanted)
    this.#plugged = portsText(ports)
    const done = await this.switch.converge({
      nic: underlay.nic,
      nicIndex: underlay.nicIndex,
      tunnelEnd: { ...own, prefixLength: underlay.prefixLength },
      peers: [...peersOf(allEnds(network, hosts), config.host, underlay), ...cluster.peers],
      notOurs: cluster.notOurs,
      ports,
      watched: cluster.watched,
      vlans: vlans.filter(({ nic }) => nic === underlay.nic).map((one) => ({ number: vlanPortOf(one), vlan: one.vlan })),
      flows,
      groups: cluster.groups,
      meters: [`meter=${errorMeter},pktps,burst,stats,bands=type=drop,rate=${errorsPerSecond},burst_size=${errorsPerSecond}`],
    })
    onPlaced({ network, ends: hosts, nic: underlay.nic, mtuBytes: underlay.mtuBytes, flows })
    // The next pass waits for it.
    if ((await Promise.race([made.then(() => 'made'), moved])) !== 'made') return void (this.#verifying ||= verifying)
    problems.push(...done.problems, ...tooSmall(network, underlay, config.host))
    const report = (): void =>
      this.#report({
        ...{ revision, state: problems.length > 0 ? 'degraded' : 'up', problems, datapath, tunnelEnd: own },
        ...{ underlayMtuBytes: underlay.mtuBytes, flows: flows.length, portsDown: portsDown(network, config.host) },
        ports: network.ports.filter((port) => port.host === config.host).length,
      })
    report()
    if (!verifying) return
    const startMs = performance.now()
    const drift = await this.switch.repair(signal).catch((thrown: unknown) => {
      if (!signal.aborted) throw thrown
      this.#verifying = true
    })
    const endMs = performance.now()
    this.#notVerifiedBeforeMs = endMs + (endMs - startMs) / verifyingShare
    if (!drift) return
    this.#sawDrift(drift, network)
    report()
  }

  #pluggedPorts({ network }: Wanted): SwitchPort[] {
    return pluggedPorts(network, this.#options.config.host).map((port) => ({ device: deviceOf(port), number: port.number }))
  }

  #failed({ network }: Wanted, thrown: unknown): void {
    const { env, logger, config } = this.#options
    const { message } = asHoldfastError(thrown)
    this.#verifying = true
    logger.error('the virtual network could not be put in place', { cause: thrown })
    const last = this.#last
    const ip = config.addresses.tenant ?? config.addresses.mgmt
    this.#report({
      ...{ revision: last?.revision ?? null, state: 'down', problems: [message], datapath: last?.datapath ?? 'userspace' },
      ...{ tunnelEnd: last?.tunnelEnd ?? { ip, mac: tunnelMacOf(ip) }, underlayMtuBytes: last?.underlayMtuBytes ?? 0, flows: last?.flows ?? 0 },
      ...{ ports: network.ports.filter((port) => port.host === config.host).length, portsDown: portsDown(network, config.host) },
    })
    this.#retry = env.after(this.#retryMs, () => {
      this.#retry = null
      this.look()
    })
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs)
  }

  #report(found: Partial<Forwarding>): void {
    const { env, config, onForwarding } = this.#options
    const switchRestarts = this.switch.status()?.restarts ?? 0
    const now = { ...found, host: config.host, nic: underlayOf(config).nic, repairs: this.#repairs, switchRestarts } as Omit<
      Forwarding,
      'changedAtMs'
    >
    const { changedAtMs, ...before } = this.#last ?? { changedAtMs: 0 }
    const same = sameJson(before, now)
    this.#last = { ...now, changedAtMs: same ? changedAtMs : Math.max(0, Math.trunc(env.wallMs())) } as Forwarding
    if (!same) onForwarding(this.#last)
  }

  #sawDrift(drift: Drift, network: VirtualNetwork): void {
    const { events, config, logger } = this.#options
    this.#repairs++
    const owners = new FlowOwners(network)
    const cookies = [...drift.missing, ...drift.altered.map(({ wanted }) => wanted), ...drift.extra].map((flow) => flow.cookie)
    const objects = [...new Set(cookies.flatMap((cookie) => owners.find(cookie)?.owner ?? []).map(({ kind, name }) => `${kind}/${name}`))]
    const counts = { missing: drift.missing.length, altered: drift.altered.length, extra: drift.extra.length, ports: drift.ports.length }
    logger.warn('the switch had been altered by others and was put right', { ...counts, objects })
    const message = `Somebody altered the virtual switch of ${config.host}: ${counts.missing} flows were missing, ${counts.altered} altered, ${counts.extra} added. It was put right`
    events.emit('flows-repaired', 'warning', message, [`host/${config.host}`, ...objects.slice(0, 20)], counts)
  }

  #sawTakeover({ atMs, reason, way, outageMs, connectionsCut }: Takeover): void {
    const { events, config } = this.#options
    if (atMs === this.#lastTakeoverMs) return
    const first = this.#lastTakeoverMs < 0
    this.#lastTakeoverMs = atMs
    // One that was before this process began has been told by its predecessor.
    if (first && this.#options.env.wallMs() - atMs > 60_000) return
    const why = { killed: 'had ended', hung: 'did not answer', asked: 'was to be replaced' }[reason]
    const cut = connectionsCut === null ? 'an unknown number of' : connectionsCut
    const message = `The virtual switch of ${config.host} ${why}; another forwards since, after at most ${outageMs} ms, and knows ${cut} connections no more`
    events.emit('switch-taken-over', reason === 'asked' ? 'info' : 'warning', message, [`host/${config.host}`], {
      reason,
      way,
      outageMs,
      connectionsCut,
    })
  }
}

/** What the switch of a host has to know of the broadcast cluster. */
function clusterPart(
  network: VirtualNetwork,
  ends: ReadonlyMap<string, TunnelEnd>,
  host: string,
): Pick<DesiredSwitch, 'peers' | 'notOurs' | 'watched' | 'groups'> {
  const nodes = broadcastNodes(network, ends)
  const watched = watchedHosts(network, ends)
  const vlans = vlansOf(network)
  const gateways = new Set(vlans.flatMap((vlan) => vlan.gateways))
  return {
    peers: watched.map(({ replicator }) => replicator),
    notOurs: watched.some((one) => one.host === host)
      ? [...watched.filter((one) => one.host === host).map(({ replicator }) => replicator.ip), clusterEnd(nodes).ip]
      : [],
    watched: [
      ...nodes.map(({ host: name, replicator }) => ({
        number: watchPortOf(nodes, name)!,
        ip: replicator.ip,
        tunnel: 'vxlan' as const,
        periodMs: nodePeriodMs,
      })),
      ...watched.flatMap(({ host: name, replicator }) =>
        gateways.has(name)
          ? [{ number: gatewayWatchPortOf(watched, name)!, ip: replicator.ip, tunnel: 'gre' as const, periodMs: gatewayPeriodMs }]
          : [],
      ),
    ],
    groups: [...compileGroups(nodes), ...vlanGroups({ vlans, watched, ends: allEnds(network, ends) }, host)],
  }
}

/** The other hosts' tunnel ends on the same subnet. */
function peersOf(hosts: ReadonlyMap<string, TunnelEnd>, self: string, { ip, prefixLength }: Underlay): TunnelEnd[] {
  const subnet = parseCidr(`${ip}/${prefixLength}`)!
  return [...hosts].flatMap(([name, end]) => (name !== self && cidrHasIp(subnet, parseIp(end.ip)!) ? [end] : []))
}

/** Networks with a port here whose packets do not fit into the NIC once they are in a tunnel. */
function tooSmall({ networks, ports }: VirtualNetwork, { nic, mtuBytes }: Underlay, host: string): string[] {
  const local = new Set(ports.filter((port) => port.host === host).map((port) => port.network))
  return networks
    .filter((network) => local.has(network.name) && network.mtuBytes + 50 > mtuBytes)
    .map(
      (network) =>
        `Network ${network.name} has an MTU of ${network.mtuBytes} bytes, which takes ${network.mtuBytes + 50} in a tunnel; NIC ${nic} takes ${mtuBytes}`,
    )
}
