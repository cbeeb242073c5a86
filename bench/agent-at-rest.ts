import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { build } from 'esbuild'
import { WebSocket } from 'ws'
import { keys, type HostDoc } from '../agent/cluster/documents.ts'
import type { clusterContract } from '../core/contract/agent/cluster.ts'
import { HoldfastError } from '../core/errors.ts'
import { parseEntity, type Path } from '../core/model/index.ts'
import { labCapture, labDescription, labDown } from '../lab/lab.ts'
import { enterArgv } from '../lab/machine.ts'
import { readState } from '../lab/state.ts'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import type { SimulatorInput } from './heartbeat-simulator.ts'
import { agentUsage, parts, type Part, type Usage } from './host-processes.ts'

const root = join(import.meta.dirname, '..')
const lab = `rest-${process.pid}`
/** Hosts are simulated on this many real ones: from five on all voters of the store are real. */
const hostsUnderSimulation = 5
const hostsInAll = 50
const goals = { moduleMegabytes: 60, cpuPercentAt3: 1, cpuPercentAt50: 5 }

const bench: Bench = {
  name: 'agent-at-rest',
  title: 'Memory and CPU of an agent that has nothing to do, at 3 hosts and at 50 simulated ones',
  kind: 'lab',
  async run(context) {
    const home = await mkdtemp(join(tmpdir(), 'holdfast-rest-'))
    try {
      const rows = await withLab(home, 3, context, () => atRest(3, context))
      return [...rows, ...(await withLab(home, hostsUnderSimulation, context, () => among50(context)))]
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  },
}
export default bench

/** A whole cluster, installed as on any real host; gone afterwards. */
async function withLab(home: string, hosts: number, context: BenchContext, measure: () => Promise<BenchRow[]>): Promise<BenchRow[]> {
  context.log(`Bringing up a cluster of ${hosts} hosts`)
  try {
    await holdfast(home, 'lab', 'up', '--name', lab, '--hosts', String(hosts))
    return await measure()
  } finally {
    await labDown({ name: lab })
  }
}

async function atRest(hosts: number, context: BenchContext): Promise<BenchRow[]> {
  const names = Array.from({ length: hosts }, (_, index) => `h${index + 1}`)
  const measured = await measure(names, context)
  const at = `at ${hosts} hosts`
  const memory = parts.map((part): BenchRow => ({
    figure: `memory of ${part}, PSS, ${at}`,
    value: Math.max(...measured.map((usage) => usage.get(part)!.pssBytes)) / 1e6,
    unit: 'MB',
    ...(part !== 'etcd' && { goal: { max: goals.moduleMegabytes } }),
    note: 'host with most',
  }))
  const cpu = parts.map((part): BenchRow => ({
    figure: `CPU of ${part}, ${at}`,
    value: mean(measured.map((usage) => usage.get(part)!.cpuPercent)),
    unit: '% of a core',
    note: `mean of ${hosts} hosts`,
  }))
  const whole = measured.map((usage) => sum(parts.filter((part) => part !== 'etcd').map((part) => usage.get(part)!.cpuPercent)))
  return [
    ...memory,
    ...cpu,
    {
      figure: `CPU of the agent without etcd, ${at}`,
      value: mean(whole),
      unit: '% of a core',
      goal: { max: goals.cpuPercentAt3 },
      note: `mean; most: ${Math.max(...whole).toFixed(2)}`,
    },
  ]
}

/** One real host among 50: 45 hosts that only send heartbeats are put into the store; their addresses are on another host's NICs. */
async function among50(context: BenchContext): Promise<BenchRow[]> {
  const bearer = `h${hostsUnderSimulation}`
  context.log(`Simulating ${hostsInAll - hostsUnderSimulation} hosts on ${bearer}`)
  const real = await storedHosts()
  const simulated = await simulatedHosts(real)
  await giveAddresses(bearer, simulated)
  const simulator = await startSimulator(bearer, { hosts: [...real, ...simulated], simulated: simulated.map((host) => host.name) })
  try {
    for (const host of simulated) await etcdctl(['put', keys.host(host.name), JSON.stringify(host)])
    const heard = await untilHeard(simulated)
    const [usage] = await measure(['h1'], context)
    const cluster = usage!.get('cluster')!
    return [
      {
        figure: `CPU of cluster, one host among ${hostsInAll}`,
        value: cluster.cpuPercent,
        unit: '% of a core',
        goal: { max: goals.cpuPercentAt50 },
        note: `hears ${heard} simulated paths beside those of ${hostsUnderSimulation - 1} real hosts`,
      },
      {
        figure: `memory of cluster, PSS, one host among ${hostsInAll}`,
        value: cluster.pssBytes / 1e6,
        unit: 'MB',
        goal: { max: goals.moduleMegabytes },
      },
    ]
  } finally {
    simulator.kill('SIGKILL')
  }
}

interface Measured {
  pssBytes: number
  cpuPercent: number
}

/** Uses of each part on each host, over a window in which nothing is asked of them. */
async function measure(hosts: readonly string[], { quick, log }: BenchContext): Promise<Map<Part, Measured>[]> {
  const settleMs = quick ? 5000 : 30_000
  const windowMs = quick ? 10_000 : 60_000
  const state = await readState(lab)
  const look = () => hosts.map((host) => agentUsage(state!.hosts[host]!.init!.pid))
  await untilComplete(hosts, look)
  log(`Letting it settle for ${settleMs / 1000} s, then measuring for ${windowMs / 1000} s`)
  await sleep(settleMs)
  const startMs = performance.now()
  const before = look()
  await sleep(windowMs)
  const after = look()
  const seconds = (performance.now() - startMs) / 1000
  return before.map((from, index) => {
    const to = after[index]!
    const used = (part: Part): Measured => ({
      pssBytes: to.get(part)!.pssBytes,
      cpuPercent: ((to.get(part)!.cpuSeconds - from.get(part)!.cpuSeconds) / seconds) * 100,
    })
    return new Map(parts.map((part) => [part, used(part)]))
  })
}

/** Members of the store are added one after the other when the hosts are up already. */
async function untilComplete(hosts: readonly string[], look: () => Map<Part, Usage>[]): Promise<void> {
  for (const deadlineMs = performance.now() + 60_000; ; await sleep(500)) {
    const missing = look().flatMap((usage, index) => parts.filter((part) => !usage.has(part)).map((part) => `${part} on ${hosts[index]}`))
    if (missing.length === 0) return
    if (performance.now() > deadlineMs)
      throw new HoldfastError('timeout', `Not running after 60 s: ${missing.join(', ')}`, 'Look at /var/log/holdfast there.')
  }
}

async function storedHosts(): Promise<HostDoc[]> {
  const { kvs } = JSON.parse(await etcdctl(['get', '--prefix', keys.hosts, '--write-out', 'json'])) as { kvs: { value: string }[] }
  return kvs.map(({ value }) => JSON.parse(Buffer.from(value, 'base64').toString()) as HostDoc)
}

/** Like the real ones, with addresses of the same networks from .150 on. */
async function simulatedHosts(real: readonly HostDoc[]): Promise<HostDoc[]> {
  const { addresses } = (await labDescription({ name: lab })).hosts[0]!
  return Array.from({ length: hostsInAll - real.length }, (_, index) => {
    const own = Object.fromEntries(Object.entries(addresses).map(([plane, address]) => [plane, address.replace(/\d+$/, String(150 + index))]))
    return {
      ...real[0]!,
      name: `s${index + 1}`,
      addresses: own as HostDoc['addresses'],
      role: 'client',
      joinedAtMs: Date.now(),
      incarnation: `simulated-${index}`,
      certificates: [],
    }
  })
}

async function giveAddresses(bearer: string, hosts: readonly HostDoc[]): Promise<void> {
  const lines = hosts.flatMap(({ addresses }) => Object.entries(addresses).map(([plane, address]) => `addr add ${String(address)}/24 dev ${plane}\n`))
  await inside(bearer, ['ip', '-batch', '-'], lines.join(''))
}

async function startSimulator(bearer: string, input: SimulatorInput) {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'bench/heartbeat-simulator.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
  })
  await inside(bearer, ['tee', '/run/heartbeat-simulator.mjs'], outputFiles[0]!.text)
  const argv = ['/opt/holdfast/current/bin/node', '/run/heartbeat-simulator.mjs']
  const [program, ...args] = await enterArgv((await readState(lab))!, bearer, argv)
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(input))
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('close', (code) =>
      reject(new HoldfastError('step-failed', `The simulated hosts ended with status ${code}`, 'Read what they printed.')),
    )
  })
  return child
}

/** How many heartbeat paths from simulated hosts h1 watches; waits until it hears them. */
async function untilHeard(simulated: readonly HostDoc[]): Promise<number> {
  const names = new Set(simulated.map((host) => host.name))
  for (const deadlineMs = performance.now() + 60_000; ; await sleep(1000)) {
    const watched = (await pathsOfH1()).filter((path) => names.has(path.to))
    const heard = watched.filter((path) => path.state === 'up').length
    if (heard > 0 && heard === watched.length) return heard
    if (performance.now() < deadlineMs) continue
    throw new HoldfastError(
      'timeout',
      `h1 hears ${heard} of the ${watched.length} simulated paths that it watches`,
      'Look at /var/log/holdfast/cluster.log on h1.',
    )
  }
}

/** What h1's cluster module reports of its paths, asked at its own socket. */
async function pathsOfH1(): Promise<Path[]> {
  const run = `/proc/${(await readState(lab))!.hosts['h1']!.init!.pid}/root/run/holdfast`
  const socket = readdirSync(run).find((file) => /^cluster\..*\.sock$/.test(file))
  const webSocket = new WebSocket(`ws+unix:${run}/${socket}:/v1/cluster/rpc`, {
    headers: { 'x-holdfast-identity': 'bench', 'x-holdfast-role': 'viewer' },
  })
  try {
    const link = new RPCLink({ websocket: webSocket as unknown as globalThis.WebSocket })
    const client: ContractRouterClient<typeof clusterContract> = createORPCClient(link)
    for await (const frame of await client.sync.watch({})) {
      if (frame.type === 'snapshot') return frame.items.map(parseEntity).flatMap((entity) => (entity?.kind === 'path' ? [entity.doc] : []))
    }
    return []
  } finally {
    webSocket.terminate()
  }
}

/** etcdctl on h1 with the certificate of its store. */
async function etcdctl(argv: string[]): Promise<string> {
  const { addresses } = (await labDescription({ name: lab })).hosts[0]!
  const pki = '/etc/holdfast/pki'
  const tls = ['--cacert', `${pki}/store-ca.crt`, '--cert', `${pki}/store.crt`, '--key', `${pki}/store.key`]
  return inside('h1', ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', `https://${addresses.mgmt}:2379`, ...tls, ...argv])
}

async function inside(host: string, argv: string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await labCapture({ name: lab, host, argv, input })
  if (code === 0) return stdout
  throw new HoldfastError(
    'step-failed',
    `${argv[0]} on ${host} ended with status ${code}: ${stderr.slice(-500)}`,
    'This is a defect of the measurement.',
  )
}

/** The command line, with a laptop directory of its own. */
async function holdfast(home: string, ...argv: string[]): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'src-main/cli/main.ts'), ...argv], {
    env: { ...process.env, HOLDFAST_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const code = await new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
  if (code === 0) return out
  throw new HoldfastError('step-failed', `holdfast ${argv.join(' ')} failed: ${errors.slice(-2000)}`, 'Run it by hand to see more.')
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]): number => sum(values) / values.length
