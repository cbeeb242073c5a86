import { setTimeout as sleep } from 'node:timers/promises'
import { defaultBroadcastMode, type BroadcastMode } from '../core/model/network.ts'
import { labFault } from '../lab/lab.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { until, withNetworkLab, type NetworkLab } from './network-lab.ts'
import { median, percentile } from './statistics.ts'
import {
  claimants,
  declarationIn,
  endClaimant,
  guestRuns,
  guestsIn,
  inGuest,
  places,
  servedBy,
  startClaimant,
  startClient,
  type Client,
} from './vip-lab.ts'

/** What befalls the guest that has the address, how it is put right again, and how often that is done. */
interface Fault {
  what: string
  rounds: { full: number; quick: number }
  act(lab: NetworkLab): Promise<unknown>
  /** How far layer 3 may be behind layer 2, where that is more than usual. */
  behindMs?: number
  /** Returns when keepalived may be started again; true: it still runs. */
  repair(lab: NetworkLab): Promise<boolean>
}

const [master, backup] = claimants
const host = places[master]

const killed: Fault = {
  what: 'guest killed',
  rounds: { full: 30, quick: 3 },
  async act(lab) {
    const { pid } = JSON.parse(await lab.inside(host, 'cat', `/run/holdfast/guest-${master}.pid`)) as { pid: number }
    await lab.inside(host, 'kill', '-9', String(pid))
  },
  async repair(lab) {
    await guestRuns(lab, master)
    return false
  },
}
const frozen: Fault = {
  what: 'guest frozen',
  rounds: { full: 30, quick: 3 },
  act: (lab) => inGuest(lab, master, 'STOP'),
  async repair(lab) {
    await inGuest(lab, master, 'CONT')
    return true
  },
}
const poweredOff: Fault = {
  what: 'its host powered off',
  rounds: { full: 10, quick: 1 },
  act: (lab) => labFault({ name: lab.lab.name, host, fault: 'power-off' }),
  async repair(lab) {
    await labFault({ name: lab.lab.name, host, fault: 'power-on' })
    await lab.settled()
    await guestRuns(lab, master)
    return false
  },
}

const hangs: Fault = {
  ...killed,
  what: 'guest killed while the agent of its broadcast node hangs',
  behindMs: 500,
  rounds: { full: 10, quick: 2 },
  async act(lab) {
    const { name } = lab.lab
    hung = (await lab.services.desktop.broadcast.status({})).networks.find((network) => network.name === 'web')!.node!
    await labFault({ name, host: hung, fault: 'hang-agent' })
    await killed.act(lab)
  },
  async repair(lab) {
    await labFault({ name: lab.lab.name, host: hung!, fault: 'resume' })
    return killed.repair(lab)
  },
}
/** The host whose agent hangs. */
let hung: string | null = null

interface Case {
  mode: BroadcastMode
  advertIntervalMs: number
  /** The client on layer 3. */
  layer3: 'db-1' | 'db-2'
  faults: readonly Fault[]
}

/** Where layer 3 does not follow, one fault shows it. */
const cases: readonly Omit<Case, 'layer3'>[] = [
  { mode: defaultBroadcastMode, advertIntervalMs: 100, faults: [killed, frozen, poweredOff] },
  { mode: defaultBroadcastMode, advertIntervalMs: 1000, faults: [killed, frozen, poweredOff] },
  { mode: 'cluster', advertIntervalMs: 100, faults: [{ ...killed, rounds: { full: 5, quick: 2 } }] },
  { mode: 'source', advertIntervalMs: 100, faults: [{ ...killed, rounds: { full: 5, quick: 2 } }] },
]

/** The same for a client whose host learns of a move from others alone. */
const labs: readonly { hosts: number; cases: readonly Case[] }[] = [
  { hosts: 3, cases: cases.map((one) => ({ ...one, layer3: 'db-1' })) },
  {
    hosts: 4,
    cases: [{ mode: defaultBroadcastMode, advertIntervalMs: 100, layer3: 'db-2', faults: [{ ...killed, rounds: { full: 10, quick: 2 } }, hangs] }],
  },
]

/** What two clients, one in the network and one in another, saw of one fail-over. */
interface Round {
  layer2Ms: number
  layer3Ms: number
  /** Whether layer 3 was back at all when layer 2 had been for a while. */
  layer3Follows: boolean
}

/** An address that moves six times in ten seconds flaps, and is held where it is (core/net/broadcast/claims.ts): each round moves it twice. */
const calmMs = 4500
/** How long layer 3 is watched where it is not to follow. */
const watchedMs = 3000
/** With adverts of 100 ms, and between the layers. */
const goals = { outageMs: 600, differenceMs: 50 }

async function run(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const { hosts, cases: all } of labs) rows.push(...(await runIn(hosts, all, context)))
  return rows
}

function runIn(hosts: number, all: readonly Case[], { quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`failover-${process.pid}`, hosts, log, async (lab) => {
    const rows: BenchRow[] = []
    for (const one of all) {
      await lab.apply(declarationIn(one.mode, hosts))
      for (const guest of guestsIn(hosts)) await guestRuns(lab, guest)
      const [layer2, layer3] = [await startClient(lab, 'web-3'), await startClient(lab, one.layer3)]
      for (const guest of claimants) await startClaimant(lab, guest, one.advertIntervalMs)
      for (const fault of one.faults) {
        const rounds: Round[] = []
        const name = `${one.mode}, adverts ${one.advertIntervalMs} ms${one.layer3 === 'db-2' ? ', client’s host hears nothing' : ''}, ${fault.what}`
        for (let round = 1; round <= (quick ? fault.rounds.quick : fault.rounds.full); round++) {
          const found = await failOver(lab, one, fault, layer2, layer3)
          log(`${name}, round ${round}: layer 2 ${found.layer2Ms.toFixed(0)} ms, layer 3 ${outageText(found)}`)
          rounds.push(found)
        }
        rows.push(...rowsOf(one, fault, name, rounds))
      }
      for (const guest of guestsIn(hosts)) await endClaimant(lab, guest)
    }
    return rows
  })
}

async function failOver(lab: NetworkLab, { mode, advertIntervalMs }: Case, fault: Fault, layer2: Client, layer3: Client): Promise<Round> {
  await servedBy([layer2, layer3], master, calmMs)
  for (const client of [layer2, layer3]) await client.ask()
  await fault.act(lab)
  const follows = mode === 'cluster+garp'
  const seen = { layer2Ms: 0, layer3Ms: 0, layer2Follows: false, layer3Follows: false }
  const look = async (): Promise<void> => {
    const [two, three] = await Promise.all([layer2.ask(), layer3.ask()])
    seen.layer2Ms = Math.max(seen.layer2Ms, two.longestMs, two.openMs)
    seen.layer3Ms = Math.max(seen.layer3Ms, three.longestMs, three.openMs)
    seen.layer2Follows ||= two.openMs === 0 && two.from === backup
    seen.layer3Follows ||= three.openMs === 0 && three.from === backup
  }
  await until('fail-over', async () => {
    await look()
    return (seen.layer2Follows && (seen.layer3Follows || !follows)) || null
  })
  await sleep(follows ? 300 : watchedMs)
  await look()
  const stillRuns = await fault.repair(lab)
  if (!stillRuns) await startClaimant(lab, master, advertIntervalMs)
  return seen
}

function outageText({ layer3Ms, layer3Follows }: Round): string {
  return layer3Follows ? `${layer3Ms.toFixed(0)} ms` : `not back after ${layer3Ms.toFixed(0)} ms`
}

function rowsOf({ mode, advertIntervalMs }: Case, { behindMs }: Fault, name: string, rounds: readonly Round[]): BenchRow[] {
  const outages = { 'layer 2': rounds.map(({ layer2Ms }) => layer2Ms), 'layer 3': rounds.map(({ layer3Ms }) => layer3Ms) }
  const note = `${rounds.length} rounds`
  const behind = { goal: { max: behindMs ?? goals.differenceMs } }
  const goal = advertIntervalMs === 100 && behindMs === undefined ? { goal: { max: goals.outageMs } } : {}
  const rows = (layer: keyof typeof outages): BenchRow[] => [
    { figure: `${name}: ${layer}, median`, value: median(outages[layer]), unit: 'ms', note },
    { figure: `${name}: ${layer}, p99`, value: percentile(outages[layer], 0.99), unit: 'ms', ...goal },
    { figure: `${name}: ${layer}, longest`, value: Math.max(...outages[layer]), unit: 'ms' },
  ]
  if (mode !== 'cluster+garp') {
    const followed = rounds.filter(({ layer3Follows }) => layer3Follows).length
    return [
      ...rows('layer 2'),
      { figure: `${name}: layer 3 followed`, value: followed, unit: 'rounds', goal: { max: 0 }, note: `of ${rounds.length}: not in this mode` },
    ]
  }
  const differences = rounds.map(({ layer2Ms, layer3Ms }) => layer3Ms - layer2Ms)
  return [
    ...rows('layer 2'),
    ...rows('layer 3'),
    { figure: `${name}: layer 3 behind layer 2, median`, value: median(differences), unit: 'ms', ...behind },
    { figure: `${name}: layer 3 behind layer 2, longest`, value: Math.max(...differences), unit: 'ms', ...behind },
  ]
}

export default {
  name: 'vip-failover',
  title: 'A floating address of keepalived when its guest is killed, frozen, or loses its host: seen by clients on layer 2 and layer 3',
  kind: 'lab',
  run,
} satisfies Bench
