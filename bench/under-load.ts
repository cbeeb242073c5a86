import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchRow } from './bench.ts'
import { withLabCluster, type LabCluster } from './lab-cluster.ts'

const labName = `load-${process.pid}`

const bench: Bench = {
  name: 'under-load',
  title: 'What a cluster of three does by mistake while every core of its machine is busy twice over',
  kind: 'lab',
  run: ({ quick, log }) =>
    withLabCluster(labName, log, async (cluster) => {
      await cluster.settled()
      const seconds = quick ? 15 : 120
      const before = await counts(cluster)
      const beganMs = Date.now()
      const load = Array.from({ length: 2 * availableParallelism() }, () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
      log(`${load.length} processes that only count, for ${seconds} s`)
      try {
        await sleep(seconds * 1000)
      } finally {
        await Promise.all(load.map(ended))
      }
      await cluster.settled()
      const after = await counts(cluster)
      const events = (await cluster.services.inventory.events(cluster.lab.clusterName, 1000)).filter(
        ({ doc, reporter }) => reporter !== 'laptop' && Number(doc['atMs']) >= beganMs && doc['severity'] !== 'info',
      )
      const during = `in ${seconds} s`
      return [
        { figure: 'leaderships begun', value: after.leaderships - before.leaderships, unit: '', note: during },
        {
          figure: 'elections of the store',
          value: after.raftElections - before.raftElections,
          unit: '',
          note: `${during}, as the host that saw most`,
        },
        { figure: 'restarts of modules', value: after.restarts - before.restarts, unit: '', goal: { max: 0 }, note: during },
        { figure: 'warnings and errors of hosts', value: events.length, unit: '', note: kinds(events.map(({ doc }) => String(doc['type']))) },
      ] satisfies BenchRow[]
    }),
}
export default bench

async function counts({ services, lab }: LabCluster): Promise<{ leaderships: number; raftElections: number; restarts: number }> {
  const reports = await services.inventory.reports(lab.clusterName, { only: ['cluster', 'module'] })
  const of = (kind: string, field: string) => reports.filter((report) => report.kind === kind).map(({ doc }) => Number(doc[field] ?? 0))
  return {
    leaderships: Math.max(...of('cluster', 'elections')),
    raftElections: Math.max(...of('cluster', 'raftElections')),
    restarts: of('module', 'restarts').reduce((sum, each) => sum + each, 0),
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** `3 path-down, 1 quorum-lost`. */
function kinds(types: readonly string[]): string {
  const byType = Map.groupBy(types, (type) => type)
  return [...byType].map(([type, all]) => `${all.length} ${type}`).join(', ') || 'none'
}
