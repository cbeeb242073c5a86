import type { Entity } from '../../core/model/entity.ts'
import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import { sampleDeclarations } from '../../core/net/declaration/arbitrary.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { Flow } from '../../core/net/openflow/flow.ts'
import { FlowTables } from '../../core/net/openflow/tables.ts'
import { buildWorld } from '../../core/net/trace/build-world.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { Chance } from '../chance.ts'

/** A virtual network on the lab's hosts, with what is wrong on them. */
export interface Scenario {
  network: VirtualNetwork
  /** What is wrong, in words. */
  fault: string
  /** Flows by host: what the network makes of them, but for a fault. */
  flows: Map<string, Flow[]>
  /** Host whose tenant link is cut. */
  linkDown: string | null
  portsDown: string[]
  /** Of the tenant NIC, by host. */
  mtuBytes: Map<string, number>
}

export type Ends = ReadonlyMap<string, TunnelEnd & { prefixLength: number }>

export const fullMtuBytes = 9000
export const maxPorts = 12

/** A random network that has at least two ports, and often a fault. */
export function randomScenario(chance: Chance, ends: Ends): Scenario {
  const hosts = [...ends.keys()]
  for (;;) {
    const [declaration] = sampleDeclarations(chance.int(0, 0x7fff_ffff), 1, { hosts, maxPorts })
    const ports = declaration!.ports.map((port) => {
      const host = port.host !== undefined && hosts.includes(port.host) ? port.host : chance.pick(hosts)
      return { ...port, host, attach: { kind: 'netns' as const } }
    })
    if (ports.length < 2) continue
    // These hosts have no broadcast cluster.
    const networks = declaration!.networks.map((network) => ({ ...network, broadcast: 'source' as const }))
    const { next } = planNetwork(emptyVirtualNetwork, { ...declaration!, networks, ports }, { hosts, prune: false })
    return withFault(chance, next, ends)
  }
}

function withFault(chance: Chance, network: VirtualNetwork, ends: Ends): Scenario {
  const hosts = [...ends.keys()]
  const compile = (from: VirtualNetwork, host: string): Flow[] => compileHost(indexNetwork({ network: from, hosts: ends }), host)
  const scenario: Scenario = {
    ...{ network, fault: 'none', linkDown: null, portsDown: [] },
    flows: new Map(hosts.map((host) => [host, compile(network, host)])),
    mtuBytes: new Map(hosts.map((host) => [host, fullMtuBytes])),
  }
  const host = chance.pick(hosts)
  /** Has the host go by another network than all others do. */
  const misled = (fault: string, alter: (copy: VirtualNetwork) => void): void => {
    const copy = structuredClone(network)
    alter(copy)
    scenario.fault = `${host}: ${fault}`
    scenario.flows.set(host, compile(copy, host))
  }
  const faults: (readonly [weight: number, make: () => void])[] = [
    [4, () => undefined],
    [
      3,
      () => {
        const all = scenario.flows.get(host)!
        const count = chance.pick([1, 1, 2, 3, Math.ceil(all.length / 4)])
        const missing = new Set(Array.from({ length: count }, () => chance.int(0, all.length - 1)))
        scenario.fault = `${host}: ${missing.size} flows are missing`
        scenario.flows.set(
          host,
          all.filter((_, index) => !missing.has(index)),
        )
      },
    ],
    [1, () => misled('a VNI is another one', ({ networks }) => (chance.pick(networks).vni += 100))],
    [1, () => misled('a port is still elsewhere', ({ ports }) => (chance.pick(ports).host = chance.pick(hosts)))],
    [1, () => misled('a port still has another address', ({ ports }) => (chance.pick(ports).mac = '0e:00:00:00:77:77'))],
    [1, () => misled('ACLs are not there yet', (copy) => (copy.acls = []))],
    [1, () => misled('nothing is routed yet', (copy) => Object.assign(copy, { routers: [], peerings: [] }))],
    [
      1,
      () => {
        scenario.fault = `${host}: its tenant link is cut`
        scenario.linkDown = host
      },
    ],
    [
      1,
      () => {
        scenario.portsDown = network.ports.filter(() => chance.is(0.3)).map(({ name }) => name)
        scenario.fault = `down: ${scenario.portsDown.join(', ')}`
      },
    ],
    [
      2,
      () => {
        const bytes = chance.pick([1400, 1450, 1500])
        scenario.fault = `${host}: its tenant NIC takes ${bytes} bytes`
        scenario.mtuBytes.set(host, bytes)
      },
    ],
  ]
  chance.weighted(...faults)
  return scenario
}

/** What a laptop would know of it. */
export function worldOf({ network, flows, linkDown, portsDown, mtuBytes }: Scenario, ends: Ends): World {
  const entities = [...ends].flatMap(([host, end]): Entity[] => [
    { kind: 'host', id: host, atMs: 0, doc: { name: host, addresses: { mgmt: end.ip, tenant: end.ip }, role: 'voter', joinedAtMs: 0 } },
    {
      ...{ kind: 'nic', id: `${host}/tenant`, atMs: 0 },
      doc: {
        ...{ host, name: 'tenant', plane: 'tenant', mac: end.mac, addresses: [`${end.ip}/${end.prefixLength}`] },
        ...{ state: host === linkDown ? 'down' : 'up', mtuBytes: mtuBytes.get(host)! },
      },
    },
    {
      ...{ kind: 'forwarding', id: host, atMs: 0 },
      doc: {
        ...{ host, revision: 1, state: 'up', problems: [], datapath: 'userspace', tunnelEnd: end, underlayMtuBytes: mtuBytes.get(host)! },
        ...{
          flows: 0,
          ports: 0,
          portsDown: network.ports.filter((port) => port.host === host && portsDown.includes(port.name)).map(({ name }) => name),
        },
        ...{ repairs: 0, switchRestarts: 0, changedAtMs: 0 },
      },
    },
  ])
  const world = buildWorld({ network, entities, hostStates: new Map([...ends.keys()].map((host) => [host, 'up'])) })
  const tables = new Map([...flows].map(([host, list]) => [host, new FlowTables(list)]))
  return { ...world, tablesOf: (host) => tables.get(host)! }
}
