import type { BroadcastNode, Replication } from '../../core/model/broadcast.ts'
import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { broadcastNodes, clusterEnd } from '../../core/net/broadcast/nodes.ts'
import { allEnds } from '../../core/net/compile/view.ts'
import type { VniCounters } from './broadcast/counters.ts'
import { Replicator } from './broadcast/replicator.ts'
import type { BroadcastDriver } from './broadcast-driver.ts'
import type { VipClaims } from './vip-claims.ts'

/** What a node says of itself; null on a host that is none. Counts are read anew by each call. */
export class BroadcastReport {
  readonly #host: string
  readonly #driver: BroadcastDriver
  readonly #claims: VipClaims
  #last: { atMs: number; counters: ReadonlyMap<number, VniCounters> } = { atMs: 0, counters: new Map() }

  constructor(host: string, driver: BroadcastDriver, claims: VipClaims) {
    this.#host = host
    this.#driver = driver
    this.#claims = claims
  }

  read(network: VirtualNetwork, ends: ReadonlyMap<string, TunnelEnd>, nowMs: number): BroadcastNode | null {
    const nodes = broadcastNodes(network, ends)
    const own = nodes.find((node) => node.host === this.#host)
    if (!own) return null
    const { path } = this.#driver
    const totals = path?.totals()
    const cluster = clusterEnd(nodes)
    return {
      host: this.#host,
      way: path?.way ?? null,
      notFasterBecause: path instanceof Replicator ? path.notFasterBecause : null,
      problems: [...this.#driver.problems, ...this.#claims.problems],
      replicator: own.replicator,
      clusterEnd: cluster,
      holdsClusterAddress: path?.answersFor(cluster.ip) ?? false,
      membershipWrites: this.#driver.membershipWrites,
      networks: path ? this.#replications(network, ends, nowMs) : [],
      answeredArp: totals?.arpAnswers ?? 0,
      answeredBfd: totals?.bfdAnswers ?? 0,
      droppedInAll: { ...totals?.dropped },
      announcements: [...this.#claims.announcements],
      changedAtMs: nowMs,
    }
  }

  #replications(network: VirtualNetwork, ends: ReadonlyMap<string, TunnelEnd>, nowMs: number): Replication[] {
    const path = this.#driver.path!
    const counters = path.counters()
    const seconds = (nowMs - this.#last.atMs) / 1000
    const hostAt = new Map([...allEnds(network, ends)].map(([host, { ip }]) => [ip, host]))
    const replications = network.networks.flatMap(({ name, vni }): Replication[] => {
      const now = counters.get(vni)
      if (!now) return []
      const before = this.#last.counters.get(vni)?.copies
      const { frames, copies, bytes, failed, dropped } = now
      const copiesPerSecond = before === undefined || copies < before ? 0 : Math.round((copies - before) / seconds)
      const members = (path.members(vni) ?? []).map(({ ip }) => ({ host: hostAt.get(ip) ?? ip, ip }))
      return [{ network: name, vni, members, frames, copies, bytes, failed, dropped: { ...dropped }, copiesPerSecond }]
    })
    this.#last = { atMs: nowMs, counters }
    return replications
  }
}
