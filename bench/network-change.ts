import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { FlowMonitor } from './flow-monitor.ts'
import { withNetworkLab, type NetworkLab } from './network-lab.ts'
import { hostNames, portIp, portLine, sampleDeclaration } from './sample-network.ts'
import { median, percentile } from './statistics.ts'

const goalMs = 100
/** Between changes, so that each is measured by itself: standbys are brought in step meanwhile. */
const restMs = 1000
const hosts = hostNames(2)
const few = { hosts, vpcs: 1, networksPerVpc: 2, portsPerNetwork: 2 }
/** With `few`'s ports 2,000. Their VMs run nowhere, so that they cost the hosts flows and nothing else. */
const many = { hosts, vpcs: 20, networksPerVpc: 4, portsPerNetwork: 25 }

/** What changes: from one declaration to the other and back. */
const changes: { what: string; declarations: [string, string] }[] = [
  { what: 'an ACL', declarations: [acl(443), acl(8443)] },
  { what: 'the address of a VM’s port', declarations: [vmPort('10.0.0.100'), vmPort('10.0.0.101')] },
  { what: 'the address of a light guest', declarations: [guestPort(portIp(0, 0, 0)), guestPort('10.0.0.200')] },
]

function acl(dport: number): string {
  return `acls:\n  - {name: changing, network: n0-0, direction: in, priority: 50, match: {proto: tcp, dport: ${dport}}, action: drop}`
}

function vmPort(ip: string): string {
  return `ports:\n  - {name: changing, network: n0-0, ip: ${ip}, host: h1, attach: {kind: vm, vm: changing}}`
}

function guestPort(ip: string): string {
  return `ports:\n${portLine(0, 0, 0, 'h1', 'netns', ip)}`
}

async function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`change-${process.pid}`, hosts.length, log, async (lab) => {
    await lab.apply(sampleDeclaration(few))
    const rounds = quick ? 3 : 15
    const rows = await measure(lab, `${few.networksPerVpc * few.portsPerNetwork} ports`, rounds, log)
    const vms = sampleDeclaration(many, 'vm')
      .split('\n')
      // What is there already stays as it is.
      .filter((line) => !/name: p0-[01]-[01],/.test(line))
      .join('\n')
    log('Declaring 2,000 ports')
    await lab.apply(vms)
    return [...rows, ...(await measure(lab, '2,000 ports', rounds, log))]
  })
}

async function measure(lab: NetworkLab, size: string, rounds: number, log: (line: string) => void): Promise<BenchRow[]> {
  for (const { declarations } of changes) for (const declaration of declarations) await lab.apply(declaration)
  for (const host of hosts) await lab.ready(host)
  const monitors = await Promise.all(hosts.map((host) => FlowMonitor.start(lab, host)))
  using _ = { [Symbol.dispose]: () => monitors.forEach((monitor) => monitor[Symbol.dispose]()) }
  const found = new Map(changes.map(({ what }) => [what, { storedMs: [] as number[], flowsMs: [] as number[], saidMs: [] as number[], flows: 0 }]))
  await sleep(restMs)
  for (let round = 0; round < rounds; round++) {
    for (const { what, declarations } of changes) {
      const of = found.get(what)!
      await lab.ask('h1', async (agent) => {
        await agent.supervisor.hello()
        const startMs = performance.now()
        const since = (): number => performance.now() - startMs
        const { revision } = await agent.network.apply({ declaration: declarations[round % 2]! })
        of.storedMs.push(since())
        const { hosts: placed } = await agent.network.placement({ revision, waitMs: 10_000 })
        of.saidMs.push(since())
        if (placed.some((host) => (host.revision ?? 0) < revision)) throw new Error(`Not in place after 10 s: ${JSON.stringify(placed)}`)
        // What the monitors tell is on its way.
        await sleep(restMs)
        const seen = monitors.map((monitor) => monitor.since(startMs))
        of.flowsMs.push(Math.max(...seen.map(({ lastMs }) => lastMs)) - startMs)
        of.flows = seen.reduce((sum, { flows }) => sum + flows, 0)
      })
      const last = (list: number[]): string => list.at(-1)!.toFixed(0)
      log(`${size}, ${what}: stored after ${last(of.storedMs)}, in the switches after ${last(of.flowsMs)}, said so after ${last(of.saidMs)} ms`)
    }
  }
  return [...found].flatMap(([what, { storedMs, flowsMs, saidMs, flows }]): BenchRow[] => [
    {
      figure: `${size}: ${what} changed, all flows in place, p50`,
      value: median(flowsMs),
      unit: 'ms',
      goal: { max: goalMs },
      note: `${flows} flows on ${hosts.length} hosts, from the request on; stored after ${median(storedMs).toFixed(0)} ms`,
    },
    { figure: `${size}: ${what} changed, all flows in place, p90`, value: percentile(flowsMs, 0.9), unit: 'ms' },
    { figure: `${size}: ${what} changed, every host has said so, p50`, value: median(saidMs), unit: 'ms' },
  ])
}

export default {
  name: 'network-change',
  title: 'From the apply of one change to the flows in the switches of all hosts',
  kind: 'lab',
  run,
} satisfies Bench
