/**
 * TEST DOUBLE of what agents report of broadcast and of VIPs: two nodes, one of them in the slower way; a VIP that has moved and was claimed by
 * who may not have it, one that the platform drives, and one that two guests fight for.
 */
import type { Announcement, BroadcastHost, BroadcastNode, Drift, Replication, VipState } from '../../core/model/broadcast.ts'
import type { Network, Port, Vip, VirtualNetwork } from '../../core/model/network.ts'
import { broadcastNodes, clusterEnd, nodesFor } from '../../core/net/broadcast/nodes.ts'
import type { FixtureCluster } from './fixture-cluster.ts'
import { noise } from './fixture-samples.ts'

/** What is declared of hosts. */
export const hostsFor = (hosts: readonly string[]): string => `hosts:
  - {name: ${hosts[0]}, roles: [broadcast, gateway]}
${hosts[1] ? `  - {name: ${hosts[1]}, roles: [broadcast]}` : ''}
  - {name: legacy-1, tunnelEnd: {ip: 10.77.3.50, mac: "02:00:00:00:00:50"}}`

/** Floating addresses, of ports that the fixture's networks have. */
export const vipsText = `vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2, phys-1]}
  - {name: db-vip, network: db, ip: 10.20.2.100, ports: [db-1, db-2], healthCheck: {tcp: 5432}, priorities: {db-1: 100, db-2: 50}}
  - {name: cache-vip, network: cache, ip: 10.20.3.100, ports: [cache-1, cache-2]}`

/** A port outside the cluster's hosts of each kind. */
export const portsText = `  - {name: phys-1, network: web, ip: 10.20.1.31, attach: {kind: vlan, nic: tenant, vlan: 100}}
  - {name: legacy, network: web, ip: 10.20.1.40, host: legacy-1, attach: {kind: remote}}`

const flapMs = 4000
const vrrpMac = '00:00:5e:00:01:33'

export class FixtureBroadcast {
  readonly #cluster: FixtureCluster
  readonly #network: () => VirtualNetwork
  /** When the VIP that two fight for moved, the oldest first. */
  readonly #flaps: number[]

  constructor(cluster: FixtureCluster, network: () => VirtualNetwork) {
    this.#cluster = cluster
    this.#network = network
    this.#flaps = Array.from({ length: 9 }, (_, i) => cluster.startedAtMs - (9 - i) * flapMs)
    this.tick()
  }

  /** Brings what is reported up to now. */
  tick(): void {
    if (this.#cluster.faults.offline && this.#reported) return
    const { vips } = this.#network()
    if (vips.some(({ name }) => name === 'cache-vip') && Date.now() - this.#flaps.at(-1)! >= flapMs) this.#flaps.push(Date.now())
    for (const node of this.#nodes())
      if (this.#cluster.isUp(node.host)) this.#cluster.put({ kind: 'broadcastNode', id: node.host, atMs: Date.now(), doc: node })
    for (const host of this.#hosts())
      if (this.#cluster.isUp(host.host)) this.#cluster.put({ kind: 'broadcastHost', id: host.host, atMs: Date.now(), doc: host })
    for (const vip of vips) {
      const doc = this.#vipState(vip)
      if (doc) this.#cluster.put({ kind: 'vipState', id: vip.name, atMs: Date.now(), doc, reporter: 'h1' })
    }
    this.#reported = true
  }
  #reported = false

  #nodes(): BroadcastNode[] {
    const network = this.#network()
    const ends = this.#ends()
    const nodes = broadcastNodes(network, ends)
    return nodes.map(({ host, replicator }, i): BroadcastNode => ({
      ...{ host, replicator, clusterEnd: clusterEnd(nodes), holdsClusterAddress: i === 0 },
      way: i === 0 ? 'tc' : 'packet',
      problems: i === 0 ? [] : ['Its kernel cannot attach programs with tcx (Linux 6.6 can): the agent copies instead, at about a tenth of the rate'],
      membershipWrites: 118 + i,
      networks: network.networks.map((each) => this.#replication(each, host, nodesFor(each.vni, nodes)[0]?.host === host, ends)),
      ...{ answeredArp: 2210, answeredBfd: 81_320, droppedInAll: { unknownVni: 3, truncated: 0, oversize: 0, badHeader: 0, loop: 12, storm: 0 } },
      announcements: this.#announcements(host),
      changedAtMs: Date.now(),
    }))
  }

  /** All see what is up; the last host has once lost the second node, since its processors were busy. */
  #hosts(): BroadcastHost[] {
    const nodes = broadcastNodes(this.#network(), this.#ends())
    const hosts = [...this.#cluster.hostNames()]
    return hosts.map((host, i) => ({
      host,
      watches: [
        ...nodes.map((node, n) => ({
          ...{ host: node.host, as: 'node' as const, up: this.#cluster.isUp(node.host) },
          flaps: Number(!this.#cluster.isUp(node.host)) + (n === 1 && i === hosts.length - 1 ? 2 : 0),
        })),
        { host: 'h1', as: 'gateway', up: this.#cluster.isUp('h1'), flaps: Number(!this.#cluster.isUp('h1')) },
      ],
      flowsChanged: i < 3 ? 4 : 0,
    }))
  }

  #ends(): Map<string, { ip: string; mac: string }> {
    return new Map(
      this.#cluster.items('forwarding').map(({ id, doc }) => [id, (doc as { tunnelEnd?: unknown }).tunnelEnd as { ip: string; mac: string }]),
    )
  }

  #replication({ name, vni, broadcast }: Network, node: string, first: boolean, ends: ReadonlyMap<string, { ip: string }>): Replication {
    const { ports, hosts } = this.#network()
    const names = [...new Set(ports.filter(({ network }) => network === name).map(({ host }) => host))].sort()
    const members = names.flatMap((host) => {
      const ip = ends.get(host)?.ip ?? hosts.find((known) => known.name === host)?.tunnelEnd?.ip
      return ip === undefined ? [] : [{ host, ip }]
    })
    const seconds = Math.floor((Date.now() - this.#cluster.startedAtMs) / 1000)
    const rate = first && broadcast !== 'source' ? Math.round((60 + noise(`${name}${node}`, seconds) * 140) * members.length) : 0
    const frames = first && broadcast !== 'source' ? 91_200 + seconds * 100 : 0
    return {
      ...{ network: name, vni, members, frames, copies: frames * Math.max(0, members.length - 1), bytes: frames * members.length * 110 },
      failed: 0,
      dropped: { unknownVni: 0, truncated: first ? 2 : 0, oversize: 0, badHeader: 0, loop: 0, storm: name === 'cache' && first ? 4810 + seconds : 0 },
      copiesPerSecond: rate,
    }
  }

  #announcements(node: string): Announcement[] {
    if (node !== 'h1') return []
    const ago = (s: number): number => this.#cluster.startedAtMs - s * 1000
    const seen = (network: string, ip: string, port: string | null, mac: string, atMs: number): Announcement => ({
      ...{ network, ip, mac, port, host: port === null ? null : this.#hostOf(port), atMs },
    })
    return [
      seen('web', '10.20.1.31', 'phys-1', '52:54:00:31:00:01', ago(5400)),
      seen('web', '10.20.1.100', 'web-1', vrrpMac, ago(3600)),
      seen('web', '10.20.1.77', null, '52:54:00:77:00:01', ago(640)),
      seen('web', '10.20.1.100', 'web-2', vrrpMac, ago(412)),
      seen('web', '10.20.1.100', 'phys-1', vrrpMac, ago(95)),
      ...this.#flaps.slice(-6).map((atMs, i) => seen('cache', '10.20.3.100', i % 2 === 0 ? 'cache-1' : 'cache-2', vrrpMac, atMs)),
    ]
  }

  #vipState({ name }: Vip): VipState | null {
    const started = this.#cluster.startedAtMs
    switch (name) {
      case 'web-vip':
        return this.#state(name, [
          { from: null, to: 'web-1', atMs: started - 86_400_000, outageMs: null },
          { from: 'web-1', to: 'web-2', atMs: started - 26_000_000, outageMs: 3187 },
          { from: 'web-2', to: 'web-1', atMs: started - 3_600_000, outageMs: 96 },
          { from: 'web-1', to: 'web-2', atMs: started - 412_000, outageMs: 641 },
          { from: 'web-2', to: 'phys-1', atMs: started - 95_000, outageMs: 322 },
        ])
      case 'db-vip':
        return this.#state(name, [{ from: null, to: 'db-1', atMs: started - 7_200_000, outageMs: null }])
      case 'cache-vip':
        return this.#state(
          name,
          this.#flaps.map((atMs, i) => ({
            ...{ from: i === 0 ? null : `cache-${1 + ((i + 1) % 2)}`, to: `cache-${1 + (i % 2)}` },
            atMs,
            outageMs: 40 + (i % 5) * 13,
          })),
        )
      default:
        return null
    }
  }

  #state(name: string, history: Drift[]): VipState {
    const last = history.at(-1)!
    const fought = name === 'cache-vip'
    const claim = (port: string, atMs: number) => ({ network: 'cache', ip: '10.20.3.100', mac: vrrpMac, port, host: this.#hostOf(port), atMs })
    return {
      name,
      owner: { port: last.to!, host: this.#hostOf(last.to!), mac: vrrpMac, epoch: 380 + history.length, sinceMs: last.atMs },
      claimants: fought ? [claim('cache-1', this.#flaps.at(-1)!), claim('cache-2', this.#flaps.at(-2)!)] : [],
      damped: fought,
      refused: name === 'web-vip' ? [{ port: 'web-7', atMs: this.#cluster.startedAtMs - 61_000, count: 37 }] : [],
      history,
    }
  }

  #hostOf(port: string): string {
    return (this.#network().ports.find((known): known is Port => known.name === port)?.host ?? this.#cluster.hostNames()[0])!
  }
}
