import { setTimeout as sleep } from 'node:timers/promises'
import type { Look } from '../../core/contract/agent/network.ts'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { Port } from '../../core/model/network.ts'
import type { TraceRequest } from '../../core/model/trace.ts'
import { parseFlowLine } from '../../core/net/openflow/flow.ts'
import { FlowTables } from '../../core/net/openflow/tables.ts'
import { everyHop } from '../../core/net/trace/copies.ts'
import { traceSimulated } from '../../core/net/trace/simulate.ts'
import { unknownHost, type HostState, type World } from '../../core/net/trace/world.ts'
import type { AgentOf } from './host-agents.ts'

/** How long an agent may take to say how its host forwards: somewhat longer than its switch may. */
const lookMs = 5000

/** The world as the hosts themselves say that it is now. */
export interface RealWorld {
  world: World
  /** Hosts that were asked and did not answer: why, by name. */
  mute: ReadonlyMap<string, string>
}

/** Asks the hosts that a packet may pass for the flows in their switches, their ports and the NIC that carries tunnels. Groups are as they should be. */
export async function realWorld(world: World, request: TraceRequest, agentOf: AgentOf): Promise<RealWorld> {
  const tables = new Map<string, FlowTables>()
  const hosts = new Map(world.hosts)
  const mute = new Map<string, string>()
  await Promise.all(
    [...hostsToAsk(world, request)].map(async (host) => {
      const agent = agentOf(host)
      if (agent instanceof HoldfastError) return void mute.set(host, agent.message)
      const look = await within(lookMs, agent.network.look(), `the network module of ${host} does not answer`).catch((thrown: unknown) => {
        mute.set(host, asHoldfastError(thrown).message)
      })
      if (!look) return
      if (look.flows) tables.set(host, new FlowTables(look.flows.map(parseFlowLine), world.tablesOf(host).groups.values()))
      hosts.set(host, asLooked(hosts.get(host) ?? unknownHost, look))
    }),
  )
  return { world: { ...world, hosts, tablesOf: (host) => tables.get(host) ?? world.tablesOf(host) }, mute }
}

/** Every host of the sender's VPC, for what the flows really are may lead to any of them; and those that it should pass. */
function hostsToAsk(world: World, request: TraceRequest): Set<string> {
  const { networks, ports, portsOnHost } = world.index
  const vpc = networks.get(ports.get(request.from)?.network ?? '')?.vpc
  const has = ([, own]: readonly [string, readonly Port[]]): boolean =>
    vpc !== undefined && own.some((port) => networks.get(port.network)?.vpc === vpc)
  const inVpc = [...portsOnHost].filter(has).map(([host]) => host)
  const passed = everyHop(traceSimulated(world, request)).flatMap((hop) => (world.hosts.has(hop.host) ? [hop.host] : []))
  return new Set([...inVpc, ...passed])
}

function asLooked(known: HostState, { flows, portsDown, nic }: Look): HostState {
  const found = nic
    ? { name: nic.name, state: nic.carrier ? ('up' as const) : ('down' as const), mtuBytes: nic.mtuBytes, mac: known.nic?.mac ?? '' }
    : { name: known.nic?.name ?? 'tenant', mac: '', mtuBytes: 0, state: 'missing' as const }
  return { ...known, state: 'up', switchState: flows ? 'up' : 'down', portsDown: new Set(portsDown), nic: found }
}

/** What a promise brings, or a `timeout` with these words. */
export async function within<T>(ms: number, promise: Promise<T>, words: string): Promise<T> {
  const end = new AbortController()
  const late = sleep(ms, undefined, { signal: end.signal }).then(() => {
    throw new HoldfastError('timeout', `${words} within ${ms} ms`, 'It hangs, or the way to it is lost.')
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([promise, late])
  } finally {
    end.abort()
  }
}
