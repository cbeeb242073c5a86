import { setTimeout as sleep } from 'node:timers/promises'
import { labCapture, labFault, type LabDescription, type LabFault } from '../lab/lab.ts'
import { planOf, runningLab } from '../lab/state.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { EchoProber } from './echo-prober.ts'
import { withLabCluster, type LabCluster } from './lab-cluster.ts'
import { percentile } from './statistics.ts'

const labName = `address-${process.pid}`
const goalMs = 3000

/** What befalls the leader, and how it is put right again. */
const faults: { name: string; fault: LabFault; repair: LabFault; plane?: 'mgmt' }[] = [
  { name: 'leader powered off', fault: 'power-off', repair: 'power-on' },
  { name: 'leader cut off on mgmt', fault: 'link-down', repair: 'link-up', plane: 'mgmt' },
  { name: 'leader paused', fault: 'pause', repair: 'resume' },
  { name: "leader's agent hung", fault: 'hang-agent', repair: 'resume' },
]

const bench: Bench = {
  name: 'cluster-address',
  title: 'From a fault of the leader to the cluster address answering ping under a new one',
  kind: 'lab',
  run: (context) =>
    withLabCluster(labName, context.log, async (cluster) => {
      const rows: BenchRow[] = []
      const macs = await macsOf(cluster.lab)
      const { laptop } = planOf(await runningLab(labName))
      const address = cluster.lab.clusterIp.split('/')[0]!
      using prober = new EchoProber(laptop.nic, laptop.address, address)
      for (const one of faults) rows.push(...(await measure(one, cluster, prober, macs, context)))
      rows.push({
        figure: 'probes that two holders answered, over all of the above',
        value: prober.doubled.size,
        unit: 'probes',
        goal: { max: 0 },
        note: `of ${prober.answers.length} answered`,
      })
      return rows
    }),
}
export default bench

async function measure(
  { name, fault, repair, plane }: (typeof faults)[number],
  cluster: LabCluster,
  prober: EchoProber,
  macs: ReadonlyMap<string, string>,
  context: BenchContext,
): Promise<BenchRow[]> {
  const rounds = context.quick ? 2 : 20
  const outages: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const { leader, mac } = await settledHolder(cluster, prober, macs)
    const at = performance.now()
    const acted = labFault({ name: labName, host: leader, fault, ...(plane && { plane }) })
    const first = await prober.firstAfter(at, mac, 15_000)
    await acted
    if (!first) throw new Error(`${name}: no answer within 15 s in round ${round}`)
    outages.push(first.sentAtMs - at)
    context.log(`${name}, round ${round}: ${leader} lost, back after ${Math.round(first.sentAtMs - at)} ms`)
    await labFault({ name: labName, host: leader, fault: repair, ...(plane && { plane }) })
    await sleep(500)
  }
  return [
    { figure: `${name}: p50`, value: percentile(outages, 0.5), unit: 'ms', note: `${rounds} rounds` },
    { figure: `${name}: p99`, value: percentile(outages, 0.99), unit: 'ms', goal: { max: goalMs }, note: `the worst of ${rounds}` },
  ]
}

/** The leader, once it is the one that answers for the address; what the laptop shows is a moment behind. */
async function settledHolder(cluster: LabCluster, prober: EchoProber, macs: ReadonlyMap<string, string>): Promise<{ leader: string; mac: string }> {
  for (const deadlineMs = performance.now() + 20_000; ; await sleep(500)) {
    const leader = (await cluster.settled()).cluster.leader!
    const mac = macs.get(leader)!
    const holder = (await prober.firstAfter(performance.now(), null, 3000))?.mac
    if (holder === mac) return { leader, mac }
    if (performance.now() > deadlineMs) throw new Error(`${leader} leads, but ${holder ?? 'nobody'} answers for the address`)
  }
}

/** MAC of each host's mgmt interface, as hex digits. */
async function macsOf(lab: LabDescription): Promise<Map<string, string>> {
  const read = lab.hosts.map(async ({ name, nics }) => {
    const { stdout } = await labCapture({ name: labName, host: name, argv: ['cat', `/sys/class/net/${nics.mgmt}/address`] })
    return [name, stdout.trim().replaceAll(':', '')] as const
  })
  return new Map(await Promise.all(read))
}
