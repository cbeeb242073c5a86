import { setTimeout as sleep } from 'node:timers/promises'
import { bridgeSocket, instancePaths, switchPaths } from '../agent/network/switch/switch-paths.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { until, withNetworkLab, type NetworkLab } from './network-lab.ts'
import { streamPackets, type Streamed } from './packet-stream.ts'
import { median } from './statistics.ts'
import { between, twoGuests } from './two-guests.ts'

const packets = 2000
const hosts = [between.from.host, between.to.host]

/** What happens to both hosts while packets go between them. */
const acts: { what: string; goal?: { max: number }; act(lab: NetworkLab): Promise<unknown> }[] = [
  { what: 'nothing', act: () => sleep(0) },
  { what: 'the network modules of both hosts killed with -9 and started again', goal: { max: 0 }, act: restartModules },
  { what: 'flows written anew, as a controller does that starts from nothing', act: rewriteFlows },
]

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`restart-${process.pid}`, 2, log, async (lab) => {
    await lab.apply(twoGuests)
    const found = new Map<string, Streamed[]>(acts.map(({ what }) => [what, []]))
    for (let round = 1; round <= (quick ? 2 : 10); round++) {
      for (const { what, act } of acts) {
        for (const host of hosts) await lab.ready(host)
        await lab.inside(between.from.guest, 'ping', '-c', '3', '-i', '0.2', between.address)
        const drops = await dropsOf(lab)
        const streamed = await streamPackets(lab, { ...between, count: packets }, () => act(lab))
        found.get(what)!.push(streamed)
        const where = streamed.lost === 0 ? '' : `; dropped meanwhile: ${differences(drops, await dropsOf(lab)) || 'nowhere that is counted'}`
        log(`${what}, round ${round}: ${streamed.lost} lost, ${streamed.outageMs.toFixed(0)} ms${where}`)
      }
    }
    return acts.map(({ what, goal }): BenchRow => {
      const rounds = found.get(what)!
      const lost = rounds.map((round) => round.lost)
      const note = `the worst of ${rounds.length} rounds; median ${median(lost)}, longest outage ${Math.max(...rounds.map(({ outageMs }) => outageMs)).toFixed(0)} ms`
      return { figure: `${what}: lost of ${packets}`, value: Math.max(...lost), unit: 'packets', ...(goal && { goal }), note }
    })
  })
}

async function restartModules(lab: NetworkLab): Promise<void> {
  const pids = await Promise.all(hosts.map((host) => modulePid(lab, host)))
  await Promise.all(hosts.map((host, index) => lab.inside(host, 'kill', '-9', pids[index]!)))
  await Promise.all(
    hosts.map((host, index) =>
      until(`a new network module on ${host}`, async () => {
        const pid = await modulePid(lab, host)
        return pid !== '' && pid !== pids[index] ? pid : null
      }),
    ),
  )
}

const modulePid = async (lab: NetworkLab, host: string): Promise<string> => (await lab.inside(host, 'pgrep', '-f', '/network.mjs')).trim()

async function rewriteFlows(lab: NetworkLab): Promise<void> {
  for (const host of hosts) {
    const { active } = await lab.keeper(host)
    const bridge = `unix:${bridgeSocket(instancePaths(switchPaths('/run/holdfast', ''), active!.number), 'br-int')}`
    const ofctl = 'ovs-ofctl -O OpenFlow15 --no-names'
    const steps = [
      `${ofctl} --no-stats dump-flows ${bridge} | grep actions= > /tmp/flows`,
      `${ofctl} del-flows ${bridge}`,
      `${ofctl} add-flows ${bridge} /tmp/flows`,
    ]
    await lab.inside(host, 'sh', '-c', steps.join(' && '))
  }
}

/** What every place on the way has dropped so far: devices, and the sockets that ovs-vswitchd reads them by. */
async function dropsOf(lab: NetworkLab): Promise<Map<string, number>> {
  const drops = new Map<string, number>()
  for (const host of hosts) {
    const links = JSON.parse(await lab.inside(host, 'ip', '-json', '-s', 'link')) as {
      ifname: string
      stats64?: { rx: { dropped: number }; tx: { dropped: number } }
    }[]
    for (const { ifname, stats64 } of links) drops.set(`${host} ${ifname}`, (stats64?.rx.dropped ?? 0) + (stats64?.tx.dropped ?? 0))
    const { active } = await lab.keeper(host)
    // skmem's d: drops of a packet socket, ss(8).
    for (const [index, line] of (await lab.inside(host, 'ss', '-0', '-O', '-m', '-p', '-n')).split('\n').entries()) {
      const [, device = String(index)] = /\*:(\S+)/.exec(line) ?? []
      const [, dropped] = /,d(\d+)\)/.exec(line) ?? []
      if (dropped !== undefined && line.includes(`pid=${active!.vswitchd.pid},`)) drops.set(`${host} socket of ${device} ${index}`, Number(dropped))
    }
  }
  return drops
}

function differences(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string {
  return [...after].flatMap(([place, count]) => (count > (before.get(place) ?? 0) ? [`${place} ${count - (before.get(place) ?? 0)}`] : [])).join(', ')
}

export default {
  name: 'module-restart',
  title: 'The network module killed and started again under a packet each millisecond',
  kind: 'lab',
  run,
} satisfies Bench
