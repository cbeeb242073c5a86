import { reachabilityChanges, reachabilityOf, type Probe } from '../core/net/trace/reachability.ts'
import { traceRequestSchema } from '../core/model/trace.ts'
import { traceSimulated } from '../core/net/trace/simulate.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { hostNames, planned, portName, sampleDeclaration, sampleWorld } from './sample-network.ts'
import { median, timed } from './statistics.ts'

const goalMs = 2000
const hosts = hostNames(50)
const shape = { hosts, vpcs: 1, networksPerVpc: 10, portsPerNetwork: 100 }
const probe: Probe = { proto: 'tcp', dport: 5432 }
const pairs = 1000 * 999

/** Ports of which each has an ACL of its own, so that it is like no other. */
const ownAcls = (count: number): string =>
  ['acls:']
    .concat(
      Array.from(
        { length: count },
        (_, at) =>
          `  - {name: own-${at}, port: ${portName(0, at % 10, Math.floor(at / 10))}, direction: in, priority: 200, match: {proto: tcp, dport: 5432, src: 10.0.${(at + 5) % 10}.0/24}, action: drop}`,
      ),
    )
    .join('\n')

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  const declaration = sampleDeclaration(shape)
  const now = planned(hosts, declaration)
  const then = planned(hosts, declaration.replaceAll('dport: 5432', 'dport: 5433'))
  const various = planned(hosts, declaration, ownAcls(100))
  const times = { all: [] as number[], plan: [] as number[], various: [] as number[], one: [] as number[] }
  let difference = { lost: 0, gained: 0 }
  for (let round = 0; round < (quick ? 3 : 10); round++) {
    const [allMs, before] = timed(() => reachabilityOf(sampleWorld(hosts, now), 'v0', probe))
    const [planMs, changes] = timed(() => reachabilityChanges(before, reachabilityOf(sampleWorld(hosts, then), 'v0', probe), 1000))
    const [variousMs] = timed(() => reachabilityOf(sampleWorld(hosts, various), 'v0', probe))
    times.all.push(allMs)
    times.plan.push(allMs + planMs)
    times.various.push(variousMs)
    times.one.push(pairByPairMs(now))
    difference = changes
    log(`round ${round + 1}: ${allMs.toFixed(0)} ms, with the plan ${(allMs + planMs).toFixed(0)} ms`)
  }
  const note = `${pairs} pairs, from the inventory on: flows compiled, too`
  return Promise.resolve([
    { figure: 'all pairs of a VPC of 1,000 ports', value: median(times.all), unit: 'ms', goal: { max: goalMs }, note },
    {
      figure: 'the same, and what a plan changes of it',
      value: median(times.plan),
      unit: 'ms',
      goal: { max: goalMs },
      note: `${difference.gained} pairs gain, ${difference.lost} lose`,
    },
    { figure: 'all pairs where 100 of the ports have ACLs of their own', value: median(times.various), unit: 'ms', goal: { max: goalMs } },
    { figure: 'pair by pair, as with a trace each', value: median(times.one) / 1000, unit: 's', note: 'from 1,000 of them' },
    { figure: 'all pairs to pair by pair', value: median(times.all) / median(times.one), unit: 'ratio' },
  ])
}

/** What all pairs would take if each were traced. */
function pairByPairMs(network: ReturnType<typeof planned>): number {
  const world = sampleWorld(hosts, network)
  const names = network.ports.map(({ name }) => name)
  const asked = Array.from({ length: 1000 }, (_, step) =>
    traceRequestSchema.parse({
      ...probe,
      from: names[step],
      to: names[(step * 37 + 1) % 1000 === step ? (step + 1) % 1000 : (step * 37 + 1) % 1000],
    }),
  )
  for (const host of hosts) world.tablesOf(host)
  const [ms] = timed(() => asked.forEach((request) => traceSimulated(world, request)))
  return (ms / asked.length) * pairs
}

export default {
  name: 'reachability',
  title: 'Who reaches whom among 1,000 ports of a VPC on 50 hosts, and what a plan changes',
  kind: 'laptop',
  run,
} satisfies Bench
