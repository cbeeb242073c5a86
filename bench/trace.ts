import type { TraceRequest } from '../core/model/trace.ts'
import { traceRequestSchema } from '../core/model/trace.ts'
import { traceSimulated } from '../core/net/trace/simulate.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { hostNames, planned, portName, sampleDeclaration, sampleWorld } from './sample-network.ts'
import { median, percentile, timed } from './statistics.ts'

const goalMs = 5
const hosts = hostNames(50)
const shape = { hosts, vpcs: 10, networksPerVpc: 4, portsPerNetwork: 50 }

/** Questions spread over all ports: `count` different ones, the same each time. */
function questions(count: number): TraceRequest[] {
  const kinds = [{ proto: 'icmp' }, { proto: 'tcp', dport: 22 }, { proto: 'tcp', dport: 5432 }, { proto: 'udp', dport: 53 }, { proto: 'arp' }]
  return Array.from({ length: count }, (_, step) => {
    const vpc = step % shape.vpcs
    const from = [step % shape.networksPerVpc, (step * 13) % shape.portsPerNetwork] as const
    const kind = kinds[step % kinds.length]!
    // ARP asks in one's own network only.
    const to = [kind.proto === 'arp' ? from[0] : Math.floor(step / 4) % shape.networksPerVpc, (step * 17 + 1) % shape.portsPerNetwork] as const
    return traceRequestSchema.parse({ ...kind, from: portName(vpc, ...from), to: portName(vpc, ...to) })
  }).filter(({ from, to }) => from !== to)
}

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  const network = planned(hosts, sampleDeclaration(shape))
  const asked = questions(quick ? 1000 : 5000)
  const worlds: number[] = []
  const first: number[] = []
  const flows: number[] = []
  for (let round = 0; round < (quick ? 3 : 10); round++) {
    const [worldMs, world] = timed(() => sampleWorld(hosts, network))
    worlds.push(worldMs)
    first.push(timed(() => traceSimulated(world, asked[round]!))[0])
    const [flowsMs] = timed(() => hosts.forEach((host) => world.tablesOf(host)))
    flows.push(flowsMs / hosts.length)
  }
  log(`${asked.length} traces, ${network.ports.length} ports on ${hosts.length} hosts`)
  const world = sampleWorld(hosts, network)
  const [warmMs] = timed(() => asked.forEach((request) => traceSimulated(world, request)))
  log(`Once over all, with what that compiles: ${warmMs.toFixed(0)} ms`)
  const times: number[] = []
  const verdicts = { delivered: 0, dropped: 0, unknown: 0 }
  for (const request of asked) {
    const [ms, { verdict }] = timed(() => traceSimulated(world, request))
    times.push(ms)
    verdicts[verdict]++
  }
  const counted = `${verdicts.delivered} delivered, ${verdicts.dropped} dropped, ${verdicts.unknown} unknown`
  return Promise.resolve([
    { figure: 'a trace, p50', value: median(times), unit: 'ms', goal: { max: goalMs }, note: counted },
    { figure: 'a trace, p99', value: percentile(times, 0.99), unit: 'ms', goal: { max: goalMs } },
    { figure: 'the world made anew from what is known', value: median(worlds), unit: 'ms', note: 'once for each change; without flows' },
    { figure: 'the flows of a host compiled, when a trace first comes there', value: median(flows), unit: 'ms' },
    { figure: 'the first trace in a new world', value: median(first), unit: 'ms', note: 'with the flows of the hosts that it passes' },
  ])
}

export default {
  name: 'trace',
  title: 'Simulated traces in a network of 2,000 ports on 50 hosts',
  kind: 'laptop',
  run,
} satisfies Bench
