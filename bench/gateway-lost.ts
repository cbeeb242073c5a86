import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { addPhysical, labFault } from '../lab/lab.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { until, withNetworkLab, type NetworkLab } from './network-lab.ts'
import { median, percentile } from './statistics.ts'

const goalMs = 1000
/** The gateway that forwards as long as it lives: the one that the server is declared to be at. Its fellow and the guest are on other hosts. */
const gateway = 'h1'
const server = '10.20.1.31'
const serverMac = '02:00:00:00:31:01'
const declaration = `hosts:
  - {name: h1, roles: [gateway]}
  - {name: h2, roles: [broadcast, gateway]}
  - {name: h3, roles: [broadcast]}
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h3, attach: {kind: netns}}
  - {name: phys-1, network: web, ip: ${server}, mac: "${serverMac}", host: ${gateway}, attach: {kind: vlan, nic: tenant, vlan: 100}}
`
const periodMs = 5
const beforeMs = 1000
const afterMs = 3000

/** What a guest saw of a server that it pinged all the time. */
interface Round {
  outageMs: number
  doubled: number
  answers: number
}

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`gateway-lost-${process.pid}`, 3, log, async (lab) => {
    await addPhysical({ name: lab.lab.name, machine: 'phys-1', switchName: 'tor2', vlan: 100, address: `${server}/24`, mac: serverMac })
    await lab.apply(declaration)
    const rounds: Round[] = []
    for (let round = 1; round <= (quick ? 2 : 10); round++) {
      await until('an answer of the server', async () => (await lab.inside('web-1', 'ping', '-c', '3', '-W', '1', '-i', '0.2', server), true))
      const found = await pinged(lab, () => labFault({ name: lab.lab.name, host: gateway, fault: 'power-off' }))
      log(`round ${round}: ${found.outageMs.toFixed(0)} ms without an answer, ${found.answers} answers, ${found.doubled} of them twice`)
      rounds.push(found)
      await labFault({ name: lab.lab.name, host: gateway, fault: 'power-on' })
      await lab.settled()
      await lab.ready(gateway)
    }
    const outages = rounds.map(({ outageMs }) => outageMs)
    const doubled = rounds.reduce((sum, round) => sum + round.doubled, 0)
    return [
      {
        figure: 'outage, median',
        value: median(outages),
        unit: 'ms',
        goal: { max: goalMs },
        note: `${rounds.length} rounds, a ping each ${periodMs} ms`,
      },
      { figure: 'outage, longest', value: percentile(outages, 1), unit: 'ms', goal: { max: goalMs } },
      { figure: 'answers that came twice', value: doubled, unit: '', note: 'two gateways that forward for a moment' },
    ]
  })
}

/** Pings the server while something happens: both ways have to be well for an answer. */
async function pinged(lab: NetworkLab, act: () => Promise<unknown>): Promise<Round> {
  const ping = await lab.start('web-1', 'sh', '-c', `ping -D -n -i ${periodMs / 1000} ${server} & read -r _; kill $!; wait $!`)
  const over = new Promise((resolve) => ping.once('close', resolve))
  const answers: { atMs: number; sequence: string }[] = []
  createInterface({ input: ping.stdout }).on('line', (line) => {
    const [, seconds, sequence] = /^\[([\d.]+)\] .* icmp_seq=(\d+) ttl/.exec(line) ?? []
    if (sequence !== undefined) answers.push({ atMs: Number(seconds) * 1000, sequence })
  })
  await sleep(beforeMs)
  await act()
  await sleep(afterMs)
  ping.stdin.end()
  await over
  const gaps = answers.slice(1).map(({ atMs }, index) => atMs - answers[index]!.atMs)
  return {
    outageMs: Math.max(...gaps),
    doubled: answers.length - new Set(answers.map(({ sequence }) => sequence)).size,
    answers: answers.length,
  }
}

export default {
  name: 'gateway-lost',
  title: 'The gateway of a VLAN is powered off while a guest pings a server in it',
  kind: 'lab',
  run,
} satisfies Bench
