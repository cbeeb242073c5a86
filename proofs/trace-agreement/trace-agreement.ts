import type { TraceRequest } from '../../core/model/trace.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import { FlowTables } from '../../core/net/openflow/tables.ts'
import { traceSimulated } from '../../core/net/trace/simulate.ts'
import type { HostState, World } from '../../core/net/trace/world.ts'
import { Chance } from '../chance.ts'
import type { Proof } from '../proof.ts'
import { differencesOf, observe, type Difference, type Observation } from './compare.ts'
import { randomRequest } from './requests.ts'
import { Rig } from './rig.ts'
import { randomScenario, worldOf } from './scenario.ts'

const packetsPerNetwork = 40
/** How long a packet and its answer may take. On a starved machine they take longer: what differs is sent again, and waited for. */
const waitsMs = [600, 3000, 6000]

/** Simulations that do not know of one thing each; the comparison must catch every one, or it could not catch ours. */
const broken: { what: string; wrong: (world: World) => World }[] = [
  { what: 'knows no ACLs', wrong: (world) => compiledFrom(world, (network) => ({ ...network, acls: [] })) },
  { what: 'knows no peerings', wrong: (world) => compiledFrom(world, (network) => ({ ...network, peerings: [] })) },
  { what: 'sees no faults of flows', wrong: (world) => compiledFrom(world, (network) => network) },
  { what: 'takes every NIC for up', wrong: (world) => withHosts(world, (host) => ({ ...host, nic: host.nic && { ...host.nic, state: 'up' } })) },
  { what: 'takes every port for up', wrong: (world) => withHosts(world, (host) => ({ ...host, portsDown: new Set() })) },
  { what: 'knows no MTU of NICs', wrong: (world) => withHosts(world, (host) => ({ ...host, nic: host.nic && { ...host.nic, mtuBytes: 9000 } })) },
]

/** Random networks on the lab's hosts, each with packets that the systems of guests send: what is simulated must be what happens. */
export default {
  name: 'trace-agreement',
  title: 'A simulated trace says of every packet what Open vSwitch on real hosts does with it',
  kind: 'lab',
  async run({ seed, scale, log }) {
    const rounds = scale === 'small' ? 8 : 320
    const counts = { networks: 0, withFault: 0, packets: 0, delivered: 0, dropped: 0, handedToRouters: 0, networksTriedAgain: 0 }
    const uncaught = new Set(broken)
    await using rig = await Rig.start()
    for (let round = 0; round < rounds; round++) {
      const chance = new Chance(seed + round)
      const scenario = randomScenario(chance, rig.ends)
      const world = worldOf(scenario, rig.ends)
      const requests = distinctRequests((number) => randomRequest(chance, scenario.network, number))
      let observation: Observation
      let differences: Difference[] = []
      for (const [attempt, waitMs] of waitsMs.entries()) {
        await rig.become(scenario)
        observation = await observe(rig, world, requests, chance, waitMs)
        differences = differencesOf(world, observation)
        if (differences.length === 0) break
        if (attempt === 0) counts.networksTriedAgain++
      }
      if (differences.length > 0) throw new Error(`Network with seed ${seed + round} (${scenario.fault}):\n${differences.map(textOf).join('\n')}`)
      for (const one of uncaught) {
        if (differencesOf(one.wrong(world), observation!).length === 0) continue
        uncaught.delete(one)
        log(`caught with network ${round + 1}: a simulation that ${one.what}`)
      }
      counts.networks++
      counts.withFault += Number(scenario.fault !== 'none')
      for (const { request } of observation!.sent) {
        const { verdict } = traceSimulated(world, request)
        counts.packets++
        counts[verdict === 'unknown' ? 'handedToRouters' : verdict]++
      }
      if (round % 20 === 19) log(`${round + 1} of ${rounds} networks, ${counts.packets} packets`)
    }
    const [missed] = uncaught
    if (missed && scale === 'full') throw new Error(`The comparison did not catch a simulation that ${missed.what}`)
    return counts
  },
} satisfies Proof

/** Packets that conntrack cannot take for one another, nor for each other's answers. */
function distinctRequests(make: (number: number) => TraceRequest): TraceRequest[] {
  const known = new Map<string, TraceRequest>()
  for (let tries = 0; known.size < packetsPerNetwork && tries < 10 * packetsPerNetwork; tries++) {
    const request = make(tries)
    const { from, to, proto, sport = 0, sourceIp } = request
    const tracked = ['icmp', 1, 58].includes(proto) || sport >= 40_000
    known.set(tracked ? String(tries) : [from, to, proto, sport, sourceIp].join(' '), request)
  }
  return [...known.values()]
}

function compiledFrom(world: World, alter: (network: World['index']['input']['network']) => World['index']['input']['network']): World {
  const { network, hosts } = world.index.input
  const index = indexNetwork({ network: alter(network), hosts })
  const tables = new Map([...hosts.keys()].map((host) => [host, new FlowTables(compileHost(index, host))]))
  return { ...world, tablesOf: (host) => tables.get(host)! }
}

function withHosts(world: World, alter: (host: HostState) => HostState): World {
  return { ...world, hosts: new Map([...world.hosts].map(([name, host]) => [name, alter(host)])) }
}

function textOf({ request, simulated, real, result }: Difference): string {
  const hops = result.hops.map(({ leg, host, device, action, detail }) => `    ${leg} ${host} ${device}: ${action} ${detail}`)
  return [
    JSON.stringify(request),
    `  simulated ${JSON.stringify(simulated)} ${JSON.stringify(result.drop)}`,
    `  real      ${JSON.stringify(real)}`,
    ...hops,
  ].join('\n')
}
