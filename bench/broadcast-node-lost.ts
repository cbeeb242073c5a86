import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { instancePaths, switchPaths } from '../agent/network/switch/switch-paths.ts'
import { nodesFor } from '../core/net/broadcast/nodes.ts'
import { labFault } from '../lab/lab.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { until, withNetworkLab, type NetworkLab } from './network-lab.ts'
import { streamPackets, type StreamEnd, type Streamed } from './packet-stream.ts'
import { median, percentile } from './statistics.ts'

const goalMs = 500
const vni = 77
const nodes = ['h1', 'h2']
/** The node that the network's broadcast goes to while it is well. It has no port there, and so neither sends nor receives. */
const node = nodesFor(
  vni,
  nodes.map((host) => ({ host, replicator: { ip: '', mac: '' } })),
)[0]!.host
const from: StreamEnd = { guest: 'web-1', host: 'h3' }
const to: StreamEnd = { guest: 'web-2', host: 'h4' }
/** Of the organization's local scope (RFC 2365): to everybody in the network, as a broadcast is. */
const group = '239.255.1.1'
const declaration = `hosts:
  - {name: h1, roles: [broadcast]}
  - {name: h2, roles: [broadcast]}
networks:
  - {name: web, vpc: shop, vni: ${vni}, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h3, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h4, attach: {kind: netns}}
`
const members = ['h3', 'h4']

/** What befalls the node, under a frame each millisecond. */
interface Trial {
  what: string
  rounds: { full: number; quick: number }
  frames: number
  act(lab: NetworkLab): Promise<unknown>
  repair?(lab: NetworkLab): Promise<unknown>
  /** What the others' broadcast may suffer. */
  goals: { outageMs?: number; lost?: number }
}

const trials: readonly Trial[] = [
  {
    what: 'its network module killed with -9',
    rounds: { full: 10, quick: 2 },
    frames: 3000,
    async act(lab) {
      const pid = await modulePid(lab)
      await lab.inside(node, 'kill', '-9', pid)
      await until('a new network module', async () => (['', pid].includes(await modulePid(lab)) ? null : true))
    },
    goals: { lost: 0 },
  },
  {
    what: 'its ovs-vswitchd killed with -9',
    rounds: { full: 10, quick: 2 },
    frames: 3000,
    async act(lab) {
      const { active } = await lab.ready(node)
      await lab.inside(node, 'kill', '-9', String(active!.vswitchd.pid))
    },
    goals: { lost: 0 },
  },
  {
    what: 'it is powered off',
    rounds: { full: 10, quick: 1 },
    frames: 4000,
    act: (lab) => labFault({ name: lab.lab.name, host: node, fault: 'power-off' }),
    async repair(lab) {
      await labFault({ name: lab.lab.name, host: node, fault: 'power-on' })
      await lab.settled()
    },
    goals: { outageMs: goalMs },
  },
]

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`node-lost-${process.pid}`, 4, log, async (lab) => {
    await lab.apply(declaration)
    const rows = [await flapsUnderLoad(lab, quick ? 5000 : 60_000, log)]
    for (const trial of trials) {
      const rounds: Streamed[] = []
      for (let round = 1; round <= (quick ? trial.rounds.quick : trial.rounds.full); round++) {
        await allWatched(lab)
        await lab.ready(node)
        const found = await stream(lab, trial.frames, () => trial.act(lab))
        log(`${node}: ${trial.what}, round ${round}: ${found.lost} of ${found.sent} lost, ${found.repeated} doubled, ${found.outageMs.toFixed(0)} ms`)
        rounds.push(found)
        await trial.repair?.(lab)
      }
      rows.push(...rowsOf(trial, rounds))
    }
    return rows
  })
}

const stream = (lab: NetworkLab, count: number, act: () => Promise<unknown>): Promise<Streamed> =>
  streamPackets(lab, { from, to, address: group, count }, act)

const modulePid = async (lab: NetworkLab): Promise<string> => (await lab.inside(node, 'pgrep', '-f', '/network.mjs')).trim()

/** What the switch that forwards on a host says of the tunnel by which it watches a node. The standby is frozen and would never answer. */
async function watched(lab: NetworkLab, host: string, target: string, column: 'forwarding' | 'flap_count'): Promise<string> {
  const { active } = await lab.ready(host)
  const socket = instancePaths(switchPaths('/run/holdfast', ''), active!.number).databaseSocket
  const device = `hfwatch${16 + nodes.indexOf(target)}`
  const text = await lab.inside(
    host,
    'timeout',
    '10',
    'ovs-vsctl',
    `--db=unix:${socket}`,
    '--timeout=5',
    'get',
    'interface',
    device,
    `bfd_status:${column}`,
  )
  return text.trim().replaceAll('"', '')
}

/** Returns when every member finds both nodes alive. */
async function allWatched(lab: NetworkLab): Promise<void> {
  for (const host of members) {
    for (const target of nodes) {
      await until(`${target} alive for ${host}`, async () => ((await watched(lab, host, target, 'forwarding')) === 'true' ? true : null))
    }
  }
}

/** How often a node that was well all the time was taken for dead or alive, while all cores have twice the work that they can do. */
async function flapsUnderLoad(lab: NetworkLab, frames: number, log: (line: string) => void): Promise<BenchRow> {
  await allWatched(lab)
  const count = async (): Promise<number> => {
    let sum = 0
    for (const host of members) for (const target of nodes) sum += Number(await watched(lab, host, target, 'flap_count'))
    return sum
  }
  const before = await count()
  // An interrupted measurement would leave them behind for ever.
  const busy = `for (const endMs = Date.now() + ${frames + 60_000}; Date.now() < endMs;);`
  const load = Array.from({ length: 2 * availableParallelism() }, () => spawn(process.execPath, ['-e', busy], { stdio: 'ignore' }))
  let found: Streamed
  try {
    found = await stream(lab, frames, () => Promise.resolve())
  } finally {
    for (const child of load) child.kill('SIGKILL')
  }
  await allWatched(lab)
  const flaps = (await count()) - before
  log(`${load.length} processes that only count: ${flaps} changes of state, ${found.lost} of ${found.sent} frames lost, ${found.repeated} doubled`)
  return {
    figure: 'nodes taken for dead, or alive again, under full load',
    value: flaps,
    unit: 'flaps',
    note: `${members.length} hosts watch ${nodes.length} nodes for ${frames / 1000} s; ${found.lost} of ${found.sent} frames lost, ${found.repeated} doubled`,
  }
}

function rowsOf({ what, goals }: Trial, rounds: readonly Streamed[]): BenchRow[] {
  const sum = (of: (round: Streamed) => number): number => rounds.reduce((total, round) => total + of(round), 0)
  const outages = rounds.map(({ outageMs }) => outageMs)
  const note = `${rounds.length} rounds, ${sum(({ sent }) => sent)} frames in all`
  const outageGoal = goals.outageMs === undefined ? {} : { goal: { max: goals.outageMs } }
  const lostGoal = goals.lost === undefined ? {} : { goal: { max: goals.lost } }
  return [
    { figure: `${what}: copies lost`, value: sum(({ lost }) => lost), unit: 'copies', note, ...lostGoal },
    { figure: `${what}: copies doubled`, value: sum(({ repeated }) => repeated), unit: 'copies', ...lostGoal },
    { figure: `${what}: outage, median`, value: median(outages), unit: 'ms', ...outageGoal },
    { figure: `${what}: outage, p99`, value: percentile(outages, 0.99), unit: 'ms', ...outageGoal },
  ]
}

export default {
  name: 'broadcast-node-lost',
  title: 'A broadcast node loses its network module, its ovs-vswitchd, or its power under a frame each millisecond',
  kind: 'lab',
  run,
} satisfies Bench
