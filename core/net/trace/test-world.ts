import type { Entity } from '../../model/entity.ts'
import type { LiveState } from '../../model/common.ts'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from '../declaration/parse.ts'
import type { Declaration } from '../declaration/schema.ts'
import { planNetwork } from '../declaration/plan.ts'
import { buildWorld } from './build-world.ts'
import type { World } from './world.ts'

/** What differs from a cluster in which all is well, by host. */
export interface Ailments {
  states?: Record<string, LiveState>
  nics?: Record<string, LiveState>
  switches?: Record<string, 'up' | 'down'>
  portsDown?: Record<string, string[]>
  /** Broadcast nodes that do not replicate. */
  notReplicating?: string[]
  /** Where VIPs are, by name: the port, and the MAC that it has announced. */
  owners?: Record<string, { port: string; mac: string }>
  underlayMtuBytes?: number
  hosts?: number
  /** Pairs of hosts that do not hear each other's heartbeats; all others do, once this is said. */
  silent?: (a: string, b: string) => boolean
}

/** For tests: the world of hosts h1 to h3, or as many as said, odd ones on switch tor1 and even ones on tor2, with a declared virtual network. */
export function testWorld(declaration: string | Declaration, ailments: Ailments = {}): World {
  const names = Array.from({ length: ailments.hosts ?? 3 }, (_, index) => `h${index + 1}`)
  const declared = typeof declaration === 'string' ? parseDeclaration(declaration) : declaration
  const { next } = planNetwork(emptyVirtualNetwork, declared, { hosts: names, prune: false })
  const mtuBytes = ailments.underlayMtuBytes ?? 9000
  const entities = names.flatMap((host, index): Entity[] => {
    const ip = `10.83.5.${11 + index}`
    const tunnelEnd = { ip, mac: `0a:58:0a:53:05:0${index + 1}` }
    return [
      {
        kind: 'host',
        id: host,
        atMs: 0,
        doc: { name: host, addresses: { mgmt: `10.83.3.${11 + index}`, tenant: ip }, role: 'voter', joinedAtMs: 0 },
      },
      {
        ...{ kind: 'nic', id: `${host}/tenant`, atMs: 0 },
        doc: {
          host,
          name: 'tenant',
          plane: 'tenant',
          mac: `02:83:00:00:00:0${index + 1}`,
          addresses: [`${ip}/24`],
          state: ailments.nics?.[host] ?? 'up',
          mtuBytes,
        },
      },
      {
        ...{ kind: 'neighbour', id: `${host}/tenant`, atMs: 0 },
        doc: { host, nic: 'tenant', chassisId: 'c', systemName: index % 2 === 0 ? 'tor1' : 'tor2', portId: `swp${8 + index}` },
      },
      {
        ...{ kind: 'forwarding', id: host, atMs: 0 },
        doc: {
          ...{
            host,
            revision: 1,
            state: ailments.switches?.[host] ?? 'up',
            problems: [],
            datapath: 'userspace',
            tunnelEnd,
            underlayMtuBytes: mtuBytes,
          },
          ...{ flows: 0, ports: 0, portsDown: ailments.portsDown?.[host] ?? [], repairs: 0, switchRestarts: 0, changedAtMs: 0 },
        },
      },
    ]
  })
  for (const host of ailments.notReplicating ?? []) entities.push(silentNode(host))
  for (const [name, owner] of Object.entries(ailments.owners ?? {})) entities.push(ownedVip(name, owner))
  const hostStates = new Map(names.map((name) => [name, ailments.states?.[name] ?? ('up' as const)]))
  const { silent } = ailments
  const cells = (name: string) =>
    Object.fromEntries(names.filter((peer) => peer !== name).map((peer) => [peer, silent!(name, peer) ? ('down' as const) : ('up' as const)]))
  const heard = silent ? names.map((name) => ({ name, planes: { tenant: cells(name) } })) : []
  return buildWorld({ network: next, entities, hostStates, heard })
}

function silentNode(host: string): Entity {
  const end = { ip: '169.254.5.99', mac: '0a:58:a9:fe:05:63' }
  const counts = { membershipWrites: 0, answeredArp: 0, answeredBfd: 0, droppedInAll: {}, changedAtMs: 0 }
  const doc = {
    host,
    way: null,
    problems: [],
    replicator: end,
    clusterEnd: end,
    holdsClusterAddress: false,
    networks: [],
    announcements: [],
    ...counts,
  }
  return { kind: 'broadcastNode', id: host, atMs: 0, doc }
}

function ownedVip(name: string, { port, mac }: { port: string; mac: string }): Entity {
  const owner = { port, mac, host: 'h1', epoch: 1, sinceMs: 0 }
  return { kind: 'vipState', id: name, atMs: 0, doc: { name, owner, claimants: [], damped: false, refused: [], history: [] } }
}

/** A shop of two networks and a router, a VPC with the same addresses, and one that the shop is peered with. */
export const shop = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: "fd00:1::/64", gateway6: "fd00:1::1"}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1, subnet6: "fd00:2::/64", gateway6: "fd00:2::1", mtu: 1400}
  - {name: twin, vpc: other, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: crm, vpc: crm, subnet: 10.30.1.0/24, gateway: 10.30.1.1, tunnel: gre}
routers:
  - {name: shop, vpc: shop, networks: [web, db], routes: [{to: 172.16.0.0/12, via: 10.20.1.12}]}
  - {name: other, vpc: other, networks: [twin]}
  - {name: crm, vpc: crm, networks: [crm]}
peerings:
  - {name: shop-crm, routers: [shop, crm], routes: [{on: shop, to: 10.30.1.0/24}, {on: crm, to: 10.20.2.0/24}]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
  - {name: no-snmp, port: web-2, direction: out, priority: 5, match: {proto: udp, dport: [161, 162]}, action: drop, stateful: false}
  - {name: closed, port: web-3, direction: in, priority: 1, match: {}, action: drop}
  - {name: deaf, port: db-2, direction: in, priority: 1, match: {proto: icmp}, action: drop, stateful: false}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, ip6: "fd00:1::11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, allow: [172.16.0.0/12], attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, host: h1, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, ip6: "fd00:2::11", host: h2, attach: {kind: netns}}
  - {name: db-2, network: db, ip: 10.20.2.12, host: h1, attach: {kind: netns}}
  - {name: twin-1, network: twin, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: twin-2, network: twin, ip: 10.20.1.14, host: h2, attach: {kind: netns}}
  - {name: crm-1, network: crm, ip: 10.30.1.11, host: h3, attach: {kind: netns}}
`
