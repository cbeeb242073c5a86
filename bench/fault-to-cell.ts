import { setTimeout as sleep } from 'node:timers/promises'
import type { Plane } from '../core/model/common.ts'
import { labFault } from '../lab/lab.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { withLabCluster, type LabCluster } from './lab-cluster.ts'
import { percentile } from './statistics.ts'

const labName = `cell-${process.pid}`
const goalMs = 1000

const bench: Bench = {
  name: 'fault-to-cell',
  title: 'From a cut link to the cell of the matrix changing on the laptop',
  kind: 'lab',
  run: (context) =>
    withLabCluster(labName, context.log, async (cluster) => {
      const rows: BenchRow[] = []
      for (const plane of ['storage', 'tenant', 'mgmt'] as const) rows.push(...(await measure(plane, cluster, context)))
      return rows
    }),
}
export default bench

/** Cuts h2's link and waits for the feed, which the window lives on, to say that h1 hears it no more. */
async function measure(plane: Plane, cluster: LabCluster, context: BenchContext): Promise<BenchRow[]> {
  const rounds = context.quick ? 3 : 20
  const delays: number[] = []
  for (let round = 1; round <= rounds; round++) {
    await cluster.settled()
    using watch = await watchPath(cluster, `h1/h2/${plane}`)
    const at = performance.now()
    await labFault({ name: labName, host: 'h2', fault: 'link-down', plane })
    delays.push((await watch.down(10_000)) - at)
    await labFault({ name: labName, host: 'h2', fault: 'link-up', plane })
    await sleep(200)
  }
  context.log(`${plane}: ${delays.map((delay) => Math.round(delay)).join(', ')} ms`)
  return [
    { figure: `${plane} link cut: p50`, value: percentile(delays, 0.5), unit: 'ms', note: `${rounds} rounds` },
    { figure: `${plane} link cut: p99`, value: percentile(delays, 0.99), unit: 'ms', goal: { max: goalMs }, note: `the worst of ${rounds}` },
  ]
}

/** Follows one path in the feed; `down` answers when it was seen down. */
async function watchPath(cluster: LabCluster, id: string): Promise<Disposable & { down(timeoutMs: number): Promise<number> }> {
  const stop = new AbortController()
  const feed = await cluster.services.desktop.inventory.feed(undefined, { signal: stop.signal })
  let downAtMs: number | null = null
  const reading = (async () => {
    for await (const frame of feed) {
      const puts = frame.type === 'snapshot' ? frame.items : frame.puts
      if (puts.some((put) => put.kind === 'path' && put.id === id && put.doc['state'] === 'down')) downAtMs ??= performance.now()
    }
  })().catch(() => undefined)
  return {
    async down(timeoutMs) {
      for (const deadline = performance.now() + timeoutMs; downAtMs === null; await sleep(5)) {
        if (performance.now() > deadline) throw new Error(`${id} was not seen down within ${timeoutMs} ms`)
      }
      return downAtMs
    },
    [Symbol.dispose]() {
      stop.abort()
      void reading
    },
  }
}
