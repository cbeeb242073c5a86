import type { Takeover } from '../agent/network/switch/keeper-status.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { until, withNetworkLab, type NetworkLab } from './network-lab.ts'
import { streamPackets, type Streamed } from './packet-stream.ts'
import { median } from './statistics.ts'
import { between, twoGuests } from './two-guests.ts'

const goalMs = 500
const packets = 4000
/** The host whose switch is hit: it forwards what its guest sends. */
const host = between.from.host

const faults = [
  { signal: 'KILL', what: 'ovs-vswitchd killed' },
  { signal: 'STOP', what: 'ovs-vswitchd hung (SIGSTOP)' },
] as const
const ways = [
  { way: 'standby', what: 'a warm standby takes over' },
  { way: 'restart', what: 'restarted, flows restored' },
] as const

interface Round extends Streamed {
  takeover: Takeover
}

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`outage-${process.pid}`, 2, log, async (lab) => {
    await lab.apply(twoGuests)
    const rounds = new Map<string, Round[]>()
    for (let round = 1; round <= (quick ? 2 : 10); round++) {
      for (const { signal, what } of faults) {
        for (const { way, what: how } of ways) {
          const one = await outage(lab, signal, way)
          const name = `${what}, ${how}`
          rounds.set(name, [...(rounds.get(name) ?? []), one])
          const { reason, outageMs, connectionsCut } = one.takeover
          log(
            `${name}, round ${round}: ${one.outageMs.toFixed(0)} ms, ${one.lost} packets lost; the keeper says ${reason}, ${outageMs} ms, ${connectionsCut} connections cut`,
          )
        }
      }
    }
    return [...rounds].flatMap(([name, all]) => rowsOf(name, all))
  })
}

/** One switch ended while packets go through it. Without its standby the keeper has to start another. */
async function outage(lab: NetworkLab, signal: 'KILL' | 'STOP', way: Takeover['way']): Promise<Round> {
  for (const one of [between.from.host, between.to.host]) await lab.ready(one)
  await lab.inside(between.from.guest, 'ping', '-c', '3', '-i', '0.2', between.address)
  const { active, standby, lastTakeover } = await lab.ready(host)
  const streamed = await streamPackets(lab, { ...between, count: packets }, async () => {
    // The active one right after its standby, before the keeper looks for a new one.
    const doomed = way === 'restart' && standby ? [`kill -KILL ${standby.vswitchd.pid}`] : []
    await lab.inside(host, 'sh', '-c', [...doomed, `kill -${signal} ${active!.vswitchd.pid}`].join('; '))
  })
  const takeover = await until('a takeover', async () => {
    const { lastTakeover: now } = await lab.keeper(host)
    return now && now.atMs !== lastTakeover?.atMs ? now : null
  })
  if (takeover.way !== way) throw new Error(`The keeper took the way ${takeover.way}, not ${way}`)
  return { ...streamed, takeover }
}

function rowsOf(name: string, rounds: readonly Round[]): BenchRow[] {
  const outages = rounds.map(({ outageMs }) => outageMs)
  const lost = median(rounds.map((round) => round.lost))
  const cut = rounds.map(({ takeover }) => takeover.connectionsCut ?? 0)
  const repeated = rounds.reduce((sum, round) => sum + round.repeated, 0)
  const goal = name.includes('standby') ? { goal: { max: goalMs } } : {}
  return [
    {
      figure: `${name}: p50`,
      value: median(outages),
      unit: 'ms',
      ...goal,
      note: `${rounds.length} rounds; of a packet each ms ${lost} lost, ${repeated} came twice`,
    },
    { figure: `${name}: longest`, value: Math.max(...outages), unit: 'ms', ...goal, note: `${median(cut)} connections cut` },
  ]
}

export default {
  name: 'forwarding-outage',
  title: 'ovs-vswitchd killed and hung under a packet each millisecond: a warm standby beside a restart',
  kind: 'lab',
  run,
} satisfies Bench
