import { flowChanges } from '../agent/network/switch/flow-changes.ts'
import { compileHost } from '../core/net/compile/compile.ts'
import { cookieOf } from '../core/net/compile/cookie.ts'
import type { NetworkIndex } from '../core/net/compile/view.ts'
import type { Flow } from '../core/net/openflow/flow.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { hostNames, hostOfPort, planned, portIp, portLine, portName, sampleDeclaration, sampleIndex } from './sample-network.ts'
import { median, timed } from './statistics.ts'

const hosts = hostNames(50)
const shape = { hosts, vpcs: 10, networksPerVpc: 4, portsPerNetwork: 50 }
/** The port that changes, the host that it is on and stays on, and the address that it gets. */
const changed = { vpc: 3, network: 1, port: 7, host: hostOfPort(shape, 3, 1, 7), ip: '10.3.1.200' }

const compileAll = (index: NetworkIndex): Flow[][] => hosts.map((host) => compileHost(index, host))

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  const before = planned(hosts, sampleDeclaration(shape))
  const line = portLine(changed.vpc, changed.network, changed.port, changed.host, 'netns', changed.ip)
  const after = planned(hosts, sampleDeclaration(shape), `ports:\n${line}`)
  const times = { all: [] as number[], one: [] as number[], change: [] as number[], diff: [] as number[] }
  const home = hosts.indexOf(changed.host)
  let flows: Flow[][] = []
  let touched: Flow[][] = []
  for (let round = 0; round < (quick ? 3 : 15); round++) {
    const [indexMs, index] = timed(() => sampleIndex(hosts, before))
    const [allMs, compiled] = timed(() => compileAll(index))
    const [oneMs] = timed(() => compileHost(index, hosts[round % hosts.length]!))
    const next = sampleIndex(hosts, after)
    const recompiled = compileAll(next)
    const [diffMs, changes] = timed(() => recompiled.map((now, host) => flowChanges(compiled[host]!, now)))
    const [changeMs] = timed(() => flowChanges(compiled[home]!, compileHost(sampleIndex(hosts, after), changed.host)))
    times.all.push(indexMs + allMs)
    times.one.push(indexMs + oneMs)
    times.change.push(changeMs)
    times.diff.push(diffMs)
    flows = compiled
    touched = changes.map(({ removed, added }) => [...removed, ...added])
    log(`round ${round + 1}: ${allMs.toFixed(0)} ms for all hosts`)
  }
  const total = flows.reduce((sum, list) => sum + list.length, 0)
  const all = touched.flat()
  const needless = all.filter((flow) => !isOfPort(flow))
  return Promise.resolve([
    {
      figure: 'all hosts compiled',
      value: median(times.all),
      unit: 'ms',
      note: `${hosts.length} hosts, ${before.ports.length} ports, ${total} flows`,
    },
    { figure: 'one host compiled', value: median(times.one), unit: 'ms', note: `${flows[0]!.length} flows; a host compiles its own only` },
    { figure: 'one port’s address changed: its host’s flows that differ are known', value: median(times.change), unit: 'ms' },
    { figure: 'the comparison of all hosts’ flows in that', value: median(times.diff), unit: 'ms' },
    {
      figure: 'flows touched by it, over all hosts',
      value: all.length,
      unit: 'flows',
      note: `${Math.max(...touched.map((list) => list.length))} on one host at most`,
    },
    { figure: 'of those, flows that do not speak of the port', value: needless.length, unit: 'flows', goal: { max: 0 } },
    {
      figure: 'flows touched to flows there are',
      value: all.length / total,
      unit: 'ratio',
      note: 'a controller that sends a host all of its flows: 1',
    },
  ])
}

/** Whether a flow was made from the port that changes, or names its old or new address. */
function isOfPort({ cookie, match }: Flow): boolean {
  const { vpc, network, port, ip } = changed
  return (
    cookie.endsWith(cookieOf('none', 'port', portName(vpc, network, port)).slice(-12)) ||
    match.includes(ip) ||
    match.includes(portIp(vpc, network, port))
  )
}

export default {
  name: 'network-compile',
  title: 'Flows of 50 hosts and 2,000 ports: compiled, and what the change of one port touches',
  kind: 'laptop',
  run,
} satisfies Bench
