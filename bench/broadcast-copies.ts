import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensureBaseLayer } from '../lab/base.ts'
import { buildBroadcastObject, compileBpf } from '../scripts/broadcast-object.ts'
import type { Bench, BenchRow } from './bench.ts'
import type { CopyRound, Way } from './broadcast-candidates.ts'
import { median } from './statistics.ts'

/** A broadcast frame of 64 bytes in VXLAN, to so many member hosts. */
const memberCounts = [8, 64, 256]
const roundMs = 500
const wayNames: Record<Way, string> = {
  kernel: 'the kernel’s VXLAN device',
  tc: 'the replicator at tc',
  xdp: 'the replicator at XDP',
  packet: 'the replicator without eBPF',
  ovs: 'Open vSwitch in user space',
}
const ways = Object.keys(wayNames) as Way[]
/** What the replicator is to do where the kernel does one; at XDP from so many hosts on. */
const goalRatios: Partial<Record<Way, { min: number; fromMembers: number }>> = {
  tc: { min: 1.5, fromMembers: 0 },
  xdp: { min: 2.5, fromMembers: 64 },
}

const bench: Bench = {
  name: 'broadcast-copies',
  title: 'Copies of a broadcast frame a second on one core: replicator, the kernel’s VXLAN device, Open vSwitch',
  kind: 'lab',
  async run({ quick, log }) {
    const sink = compileBpf('agent/network/broadcast/fixtures/sink.bpf.c', log)
    const paths = [buildBroadcastObject(log), sink, join(await ensureBaseLayer(log), 'usr')]
    const rows: BenchRow[] = []
    for (const members of memberCounts) {
      const rounds = await measure(members, paths, quick ? 3 : 15)
      const rates = (way: Way): number[] => rounds[way].map(({ copiesPerSecond }) => copiesPerSecond)
      for (const way of ways) {
        const ratio = median(rates(way).map((rate, index) => rate / rates('kernel')[index]!))
        const figure = `${members} hosts: ${wayNames[way]}`
        const sink = way === 'xdp' ? '; the sink is at XDP, too' : ''
        const note = `best of ${rates(way).length} rounds ${Math.round(Math.max(...rates(way)))}${sink}`
        rows.push({ figure, value: Math.round(median(rates(way))), unit: 'copies/s', note })
        if (way === 'kernel') continue
        const goal = goalRatios[way]
        const due = goal !== undefined && members >= goal.fromMembers
        rows.push({ figure: `${figure}, to the kernel`, value: ratio, unit: '×', ...(due && { goal: { min: goal.min } }) })
        const lost = rounds[way].reduce((sum, round) => sum + round.lost, 0)
        if (goal) rows.push({ figure: `${members} hosts: copies lost by ${wayNames[way]}`, value: lost, unit: '', goal: { max: 0 } })
      }
    }
    return rows
  },
}

export default bench

/** Rounds of all ways in turn, so that what else the machine does meets them all. Each has a process and namespaces of its own, and idles between. */
async function measure(members: number, paths: readonly string[], count: number): Promise<Record<Way, CopyRound[]>> {
  const program = join(import.meta.dirname, 'broadcast-candidates.ts')
  const started = ways.map((way) => {
    const argv = ['--net', '--mount', 'taskset', '-c', '0', process.execPath, program, way, String(members), ...paths]
    const child = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const next = async (): Promise<string> => {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${wayNames[way]} ended before it was measured`)
      return value
    }
    return { way, child, next }
  })
  try {
    for (const { next } of started) await next()
    const rounds: Record<Way, CopyRound[]> = { kernel: [], tc: [], xdp: [], packet: [], ovs: [] }
    for (let number = 0; number < count; number++) {
      for (const { way, child, next } of started) {
        child.stdin.write(`${roundMs}\n`)
        rounds[way].push(JSON.parse(await next()) as CopyRound)
      }
    }
    return rounds
  } finally {
    for (const { child } of started) child.stdin.end()
  }
}
