import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NetworkApplied } from '../core/contract/desktop/network.ts'
import type { KeeperStatus } from '../agent/network/switch/keeper-status.ts'
import { labCapture } from '../lab/lab.ts'
import { findGuest } from '../lab/guests.ts'
import { enterArgv } from '../lab/machine.ts'
import { runningLab } from '../lab/state.ts'
import type { AgentClient } from '../src-main/deploy/clusters.ts'
import { apiPort } from '../src-main/deploy/places.ts'
import { withLabCluster, type LabCluster } from './lab-cluster.ts'

/** How long hosts may take until everything is in place, on a machine that others use, too. */
const patienceMs = 60_000

/** Hosts with real agents, whose virtual network is declared and looked at. */
export interface NetworkLab extends LabCluster {
  /** Applies a declaration, and returns when every host says that it is in place; throws after a minute. */
  apply(declaration: string, options?: { prune?: boolean }): Promise<NetworkApplied>
  /** Stdout of a program inside a host or a guest. Throws when it fails. */
  inside(where: string, ...argv: string[]): Promise<string>
  /** Starts a program inside a host or a guest, with pipes. */
  start(where: string, ...argv: string[]): Promise<ChildProcessByStdio<Writable, Readable, null>>
  /** What the keeper of a host's switch says, once a standby is ready. */
  ready(host: string): Promise<KeeperStatus>
  keeper(host: string): Promise<KeeperStatus>
  /** Process 1 of a host, seen from the machine: a way into its file system. */
  initPid(host: string): Promise<number>
  /** A conversation with the agent of a host. */
  ask<T>(host: string, question: (agent: AgentClient) => Promise<T>): Promise<T>
}

/** Brings one up, hands it to `use`, and removes every trace of it. */
export function withNetworkLab<T>(name: string, hosts: number, log: (line: string) => void, use: (lab: NetworkLab) => Promise<T>): Promise<T> {
  return withLabCluster(name, log, (cluster) => use(networkLab(name, cluster)), hosts)
}

function networkLab(name: string, cluster: LabCluster): NetworkLab {
  const inside = async (where: string, ...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await labCapture({ name, host: where, argv })
    if (code !== 0) throw new Error(`${argv.join(' ')} on ${where} exited ${code}: ${stderr.trim()}`)
    return stdout
  }
  const keeper = async (host: string): Promise<KeeperStatus> => JSON.parse(await inside(host, 'cat', '/run/holdfast/ovs/status.json')) as KeeperStatus
  return {
    ...cluster,
    inside,
    async start(where, ...argv) {
      const state = await runningLab(name)
      const guest = Object.hasOwn(state.hosts, where) ? null : findGuest(state, where)
      const namespaces = ['--net', '--pid', '--mount', '--uts', '--ipc']
      const inGuest = guest ? ['nsenter', `--target=${guest.pid}`, ...namespaces, '--'] : []
      const [program = '', ...args] = await enterArgv(state, guest?.host ?? where, [...inGuest, ...argv])
      return spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    },
    keeper,
    async apply(declaration, { prune = false } = {}) {
      const applied = await cluster.services.desktop.network.apply({ declaration, prune, waitMs: patienceMs })
      const late = applied.hosts.filter(({ revision }) => revision === null || revision < applied.revision)
      if (late.length > 0) throw new Error(`Revision ${applied.revision} is not in place: ${JSON.stringify(late)}`)
      return applied
    },
    ready: (host) =>
      until(`a standby on ${host}`, async () => {
        const status = await keeper(host)
        return status.ready && status.active !== null ? status : null
      }),
    async initPid(host) {
      const init = (await runningLab(name)).hosts[host]?.init
      if (!init) throw new Error(`${host} of lab ${name} is off`)
      return init.pid
    },
    ask(host, question) {
      const { addresses } = cluster.lab.hosts.find((one) => one.name === host)!
      return cluster.services.clusters.ask(cluster.lab.clusterName, [`${addresses.mgmt}:${apiPort}`], question)
    },
  }
}

/** Asks again and again until there is an answer. Throws after a minute. */
export async function until<T>(what: string, ask: () => Promise<T | null>, periodMs = 100): Promise<T> {
  for (const deadlineMs = performance.now() + patienceMs; ; await sleep(periodMs)) {
    const answer = await ask().catch(() => null)
    if (answer !== null) return answer
    if (performance.now() > deadlineMs) throw new Error(`There was not ${what} within ${patienceMs / 1000} s`)
  }
}
