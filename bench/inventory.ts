import Database from 'better-sqlite3'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Sync } from '../src-main/agents/sync.ts'
import { Contexts } from '../src-main/contexts/contexts.ts'
import { Inventory } from '../src-main/inventory/inventory.ts'
import { Vault } from '../src-main/vault/vault.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { SimulatedAgents, type Shape } from './simulated-agents.ts'

const context = 'bench'
const megabyte = 1024 * 1024

/** What a person might look for, spread over all objects. */
function queriesOf({ hosts, nics, disks }: Shape, count: number): string[] {
  const number = (limit: number, step: number) => (step * 7919) % limit
  const forms: ((step: number) => string)[] = [
    (step) => `host-${String(number(hosts, step)).padStart(4, '0')}`,
    (step) => `host-${String(number(hosts, step)).padStart(4, '0').slice(0, 2)}`,
    (step) => `eth${number(nics, step)}`,
    (step) => `172.16.${number(256, step)}`,
    (step) =>
      number(hosts * nics, step)
        .toString(16)
        .padStart(4, '0')
        .replace(/(..)(..)/, '$1:$2'),
    (step) =>
      `S${number(hosts * disks, step)
        .toString(36)
        .padStart(6, '0')}`,
    (step) => `samsung host-${String(number(hosts, step)).padStart(4, '0')}`,
    () => 'no-such-thing',
  ]
  return Array.from({ length: count }, (_, step) => forms[step % forms.length]!(step))
}

const percentile = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

async function timesOf(queries: string[], search: (query: string) => unknown): Promise<number[]> {
  const times: number[] = []
  for (const query of queries) {
    const startMs = performance.now()
    await search(query)
    times.push(performance.now() - startMs)
  }
  return times
}

/** The peer: the same rows, looked through one by one, as a program without an index would. */
function likeScan(path: string): ((query: string) => unknown) & Disposable {
  const db = new Database(path, { readonly: true })
  const scan = db.prepare(`SELECT kind, id, title, doc FROM entities WHERE words LIKE '%' || ? || '%' LIMIT 50`)
  const search = (query: string) => scan.all(query.toLowerCase()).map((row) => JSON.parse((row as { doc: string }).doc) as unknown)
  return Object.assign(search, { [Symbol.dispose]: () => void db.close() })
}

/** From the start of the process to rows that can be painted, in milliseconds. */
async function coldStart(home: string): Promise<number> {
  const startMs = performance.now()
  const child = fork(new URL('./cold-start.ts', import.meta.url), [home], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const [message] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('The program ended without rows'))),
  ])) as [{ rows: number }]
  const tookMs = performance.now() - startMs
  await exited
  if (message.rows !== 50) throw new Error(`50 rows were to be painted, ${message.rows} came`)
  return tookMs
}

async function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  const shape = { hosts: quick ? 200 : 1000, nics: 20, disks: 10 }
  const rows: BenchRow[] = []
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  try {
    const path = join(home, 'inventory.sqlite')
    const agents = new SimulatedAgents(shape)
    {
      await using inventory = await Inventory.open(home)
      let written = 0
      let deltas = 0
      inventory.onChange(({ puts }) => {
        written += puts.length
        deltas++
      })
      log(`${shape.hosts} hosts with ${shape.nics} NICs and ${shape.disks} disks each`)
      let startMs = performance.now()
      await using sync = new Sync({ inventory, context, endpoints: [agents.endpoint], dial: agents.dial, samples: false })
      const heard = () => sync.sources().filter(({ seenAtMs }) => seenAtMs !== null).length
      while (heard() < shape.hosts * 3) await sleep(10)
      rows.push({
        figure: 'first snapshot of all hosts into SQLite',
        value: (performance.now() - startMs) / 1000,
        unit: 's',
        note: `${written} objects from ${shape.hosts * 3} sources`,
      })

      log('Deltas as fast as they are taken')
      const seconds = quick ? 3 : 10
      deltas = 0
      startMs = performance.now()
      agents.changing = true
      await sleep(seconds * 1000)
      agents.changing = false
      rows.push({
        figure: 'deltas sustained',
        value: deltas / ((performance.now() - startMs) / 1000),
        unit: '1/s',
        note: 'each written with the position it leads to',
      })
      await sleep(1000)
      rows.push({
        figure: 'resident memory',
        value: process.memoryUsage.rss() / megabyte,
        unit: 'MB',
        note: 'with the simulated agents, which keep no documents',
      })
      rows.push({ figure: 'inventory on disk', value: statSync(path).size / megabyte, unit: 'MB' })

      log('Search, beside a LIKE scan of the same rows')
      const queries = queriesOf(shape, quick ? 200 : 1000)
      const search = (query: string) => inventory.search(context, query, 50)
      await timesOf(queries.slice(0, 20), search)
      const times = await timesOf(queries, search)
      using scan = likeScan(path)
      const scanned = await timesOf(queries.slice(0, queries.length / 10), scan)
      rows.push({ figure: 'search, p50', value: percentile(times, 0.5), unit: 'ms' })
      rows.push({
        figure: 'search, p99',
        value: percentile(times, 0.99),
        unit: 'ms',
        goal: { max: 16 },
        note: 'over all objects, with all agents connected',
      })
      rows.push({ figure: 'LIKE scan, p50', value: percentile(scanned, 0.5), unit: 'ms' })
      rows.push({ figure: 'search to LIKE scan, p50', value: percentile(times, 0.5) / percentile(scanned, 0.5), unit: 'ratio' })
      rows.push({ figure: 'search to LIKE scan, p99', value: percentile(times, 0.99) / percentile(scanned, 0.99), unit: 'ratio' })
    }

    log('Cold start')
    // Without a key, so that nobody is called: what is measured is the way from the disk to the rows.
    await new Contexts(home, new Vault({ dir: home })).save(
      { name: context, clusterId: '', clusterName: context, endpoints: [], caPem: '', certificatePem: '' },
      null,
    )
    const starts: number[] = []
    for (let round = 0; round < (quick ? 1 : 5); round++) starts.push(await coldStart(home))
    rows.push({
      figure: 'cold start to 50 rows from SQLite',
      value: percentile(starts, 0.5),
      unit: 'ms',
      goal: { max: 1000 },
      note: 'from the start of the process; median',
    })
    return rows
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

export default {
  name: 'inventory',
  title: '1,000 simulated hosts with 20 NICs and 10 disks each against one laptop',
  kind: 'laptop',
  run,
} satisfies Bench
