/**
 * TEST DOUBLE of the virtual network of a cluster: three VPCs, two of them with the same subnets, and VIPs. What it would become is worked out by
 * the real planner; that hosts put it in place is played.
 */
import type { NetworkApplied, NetworkPlanDoc } from '../../core/contract/desktop/network.ts'
import { emptyVirtualNetwork, type Forwarding, type VirtualNetwork } from '../../core/model/network.ts'
import { exportDeclaration } from '../../core/net/declaration/export.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { FixtureBroadcast, hostsFor, portsText, vipsText } from './fixture-broadcast.ts'
import type { FixtureCluster } from './fixture-cluster.ts'

/** What a shop with a staging copy of itself declares; hosts are dealt out in turn. */
function declarationFor(hosts: string[], ports: number): string {
  let next = 0
  const host = (): string => hosts[next++ % hosts.length]!
  const many = (count: number, make: (i: number) => string): string => Array.from({ length: count }, (_, i) => make(i + 1)).join('\n')
  const attachedVm = (name: string): string => `attach: {kind: vm, vm: ${name}}`
  const extra = Math.max(0, ports - 40)
  return `${hostsFor(hosts)}
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: "fd00:20:1::/64", gateway6: "fd00:20:1::1"}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1, subnet6: "fd00:20:2::/64", gateway6: "fd00:20:2::1", broadcast: cluster}
  - {name: cache, vpc: shop, subnet: 10.20.3.0/24, gateway: 10.20.3.1}
  - {name: backup, vpc: shop, subnet: 10.20.9.0/24, tunnel: gre, broadcast: source}
  - {name: stage-web, vpc: staging, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: stage-db, vpc: staging, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
  - {name: desks, vpc: office, subnet: 10.30.1.0/24, gateway: 10.30.1.1}
${extra > 0 ? many(Math.ceil(extra / 200), (i) => `  - {name: farm-${i}, vpc: shop, subnet: 10.${40 + i}.0.0/16, gateway: 10.${40 + i}.0.1}`) : ''}
routers:
  - {name: shop, vpc: shop, networks: [web, db, cache${extra > 0 ? many(Math.ceil(extra / 200), (i) => `, farm-${i}`).replaceAll('\n', '') : ''}], routes: [{to: 10.99.0.0/16, via: 10.20.1.11}]}
  - {name: staging, vpc: staging, networks: [stage-web, stage-db]}
  - {name: office, vpc: office, networks: [desks]}
peerings:
  - {name: shop-office, routers: [office, shop], routes: [{on: office, to: 10.20.1.0/24}, {on: shop, to: 10.30.1.0/24}]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop, log: true}
  - {name: postgres, network: db, direction: in, priority: 90, match: {proto: tcp, src: 10.20.1.0/24, dport: 5432}, action: allow}
  - {name: db-ping, network: db, direction: in, priority: 90, match: {proto: icmp}, action: allow}
  - {name: db-closed, network: db, direction: in, priority: 10, match: {}, action: drop}
  - {name: web-public, network: web, direction: in, priority: 50, match: {proto: tcp, dport: [80, 443]}, action: allow}
  - {name: quarantine, port: web-7, direction: out, priority: 200, match: {dst: 10.20.0.0/16}, action: drop, stateful: false}
${vipsText}
ports:
${portsText}
${many(12, (i) => `  - {name: web-${i}, network: web, ip: 10.20.1.${10 + i}, ip6: "fd00:20:1::${10 + i}", host: ${host()}, ${i > 8 ? attachedVm(`shop-web-${i}`) : 'attach: {kind: netns}'}${i === 1 ? ', allow: [10.99.0.0/16]' : ''}}`)}
${many(6, (i) => `  - {name: db-${i}, network: db, ip: 10.20.2.${10 + i}, ip6: "fd00:20:2::${10 + i}", host: ${host()}, ${attachedVm(`postgres-${i}`)}}`)}
${many(4, (i) => `  - {name: cache-${i}, network: cache, ip: 10.20.3.${10 + i}, host: ${host()}, ${attachedVm(`redis-${i}`)}}`)}
${many(8, (i) => `  - {name: stage-web-${i}, network: stage-web, ip: 10.20.1.${10 + i}, host: ${host()}, attach: {kind: netns}}`)}
${many(4, (i) => `  - {name: stage-db-${i}, network: stage-db, ip: 10.20.2.${10 + i}, host: ${host()}, ${attachedVm(`stage-postgres-${i}`)}}`)}
${many(4, (i) => `  - {name: desk-${i}, network: desks, ip: 10.30.1.${10 + i}, attach: {kind: vlan, nic: tenant, vlan: ${300 + i}}}`)}
${extra > 0 ? many(extra, (i) => `  - {name: farm-${Math.ceil(i / 200)}-${i}, network: farm-${Math.ceil(i / 200)}, ip: 10.${40 + Math.ceil(i / 200)}.${1 + (i >> 8)}.${i & 255}, host: ${host()}, attach: {kind: netns}}`) : ''}
`
}

/** Kinds of documents that the network is reported as, each with its list. */
const reported = [
  ...([
    ['vpc', 'vpcs'],
    ['network', 'networks'],
    ['router', 'routers'],
    ['peering', 'peerings'],
    ['acl', 'acls'],
    ['port', 'ports'],
  ] as const),
  ...([
    ['networkHost', 'hosts'],
    ['vip', 'vips'],
  ] as const),
] as const

/** A host is this much later than the others with a revision, in ms, when it is told to lag. */
const lagMs = 7000
const placeMs = 600

export interface NetworkFaults {
  /** How many ports; 0: no virtual network at all. */
  ports: number
  /** A host that puts revisions in place late. */
  lag: string | null
  /** A host whose virtual switch is down. */
  switchDown: string | null
}

export const noNetworkFaults: NetworkFaults = { ports: 40, lag: null, switchDown: null }

export class FixtureNetwork {
  network: VirtualNetwork = emptyVirtualNetwork
  revision = 0
  readonly #cluster: FixtureCluster
  readonly #faults: NetworkFaults
  readonly #placed = new Map<string, number>()
  readonly #broadcast: FixtureBroadcast | undefined

  constructor(cluster: FixtureCluster, faults: NetworkFaults) {
    this.#cluster = cluster
    this.#faults = faults
    const hosts = cluster.hostNames()
    if (hosts.length === 0 || faults.ports === 0) return
    this.network = planNetwork(emptyVirtualNetwork, parseDeclaration(declarationFor(hosts, faults.ports)), { hosts, prune: false }).next
    this.revision = 412
    for (const host of hosts) this.#placed.set(host, host === faults.lag ? 409 : 412)
    this.#report()
    this.#broadcast = new FixtureBroadcast(cluster, () => this.network)
  }

  /** Brings what agents report of it up to now. Called once a second. */
  tick(): void {
    this.#broadcast?.tick()
  }

  get offline(): boolean {
    return this.#cluster.faults.offline
  }

  export(): string {
    return exportDeclaration(this.network)
  }

  plan(declaration: string, prune: boolean): NetworkPlanDoc & { next: VirtualNetwork } {
    const { changes, next } = planNetwork(this.network, parseDeclaration(declaration), { hosts: this.#cluster.hostNames(), prune })
    return { revision: this.revision, offline: this.offline, changes, next }
  }

  apply(declaration: string, prune: boolean): NetworkApplied {
    const { changes, next } = this.plan(declaration, prune)
    this.network = next
    this.revision++
    this.#report()
    const concerned = [...new Set(next.ports.map(({ host }) => host))].sort()
    for (const host of concerned) setTimeout(() => this.#place(host), host === this.#faults.lag ? lagMs : placeMs * (1 + concerned.indexOf(host)))
    this.#cluster.tick()
    return { revision: this.revision, changes, hosts: concerned.map((host) => ({ host, revision: this.#placed.get(host) ?? null, problems: [] })) }
  }

  #place(host: string): void {
    this.#placed.set(host, this.revision)
    this.#reportForwarding(host)
    this.#cluster.tick()
  }

  #report(): void {
    const reporter = 'h1'
    const atMs = Date.now()
    for (const [kind, list] of reported) {
      const docs = this.network[list]
      const names = new Set(docs.map(({ name }) => name))
      for (const { id } of this.#cluster.items(kind)) if (!names.has(id)) this.#cluster.del(kind, id)
      for (const doc of docs) this.#cluster.put({ kind, id: doc.name, atMs, doc, reporter })
    }
    this.#cluster.put({ kind: 'overlay', id: 'overlay', atMs, doc: { revision: this.revision, last: this.network.last }, reporter })
    for (const host of this.#cluster.hostNames()) this.#reportForwarding(host)
  }

  #reportForwarding(host: string): void {
    const n = Number(host.slice(1)) || 9
    const down = this.#faults.switchDown === host
    const ports = this.network.ports.filter((port) => port.host === host)
    const doc: Forwarding = {
      host,
      revision: this.#placed.get(host) ?? null,
      state: down ? 'down' : 'up',
      portsDown: [],
      problems: down ? ['ovs-vswitchd does not answer since 12 s; it was started anew 3 times'] : [],
      datapath: n === 3 ? 'userspace' : 'kernel',
      tunnelEnd: { ip: `10.77.3.${10 + n}`, mac: `52:54:00:02:00:0${n % 10}` },
      underlayMtuBytes: 1500,
      flows: 140 + ports.length * 23,
      ports: ports.length,
      repairs: n === 2 ? 1 : 0,
      switchRestarts: down ? 3 : 0,
      changedAtMs: this.#cluster.startedAtMs - n * 47_000,
    }
    this.#cluster.put({ kind: 'forwarding', id: host, atMs: Date.now(), doc })
  }
}
