import { heartbeatFlags } from '../../core/cluster/heartbeat.ts'
import type { Env } from '../../core/env.ts'
import type { Cluster, Host, Member } from '../../core/model/index.ts'
import type { LiveState } from '../../core/model/common.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { AgentConfig } from '../runtime/config.ts'
import type { HostDoc } from './documents.ts'
import type { Heartbeats } from './heartbeats.ts'
import type { LocalMember } from './local-member.ts'
import type { StoreView } from './store-view.ts'

/** Without a renewal for this long the leader key tells nothing any more. */
const staleLeaderMs = 5000

export interface ReportsOptions {
  env: Env
  log: ObjectLog
  config: AgentConfig
  view: StoreView
  member: LocalMember
  heartbeats: Heartbeats
}

/** Puts what this host knows of the cluster into its ObjectLog; only real changes make a frame. */
export class Reports {
  readonly #options: ReportsOptions
  /** When each path got its state, wall clock. */
  readonly #since = new Map<string, { state: LiveState; atMs: number }>()

  constructor(options: ReportsOptions) {
    this.#options = options
  }

  cluster(): Cluster {
    const { config, view, env } = this.#options
    const holder = view.election?.key?.holder ?? null
    const fresh = view.quorum && env.monotonicMs() - view.renewalSeenMs < staleLeaderMs
    return {
      id: 'cluster',
      name: config.cluster,
      ...(config.clusterIp && { clusterIp: config.clusterIp.split('/')[0] }),
      leader: fresh ? holder : null,
      leaderEpoch: view.election?.epoch ?? 0,
      quorum: view.quorum,
      elections: view.elections,
      raftElections: view.raftElections,
    }
  }

  members(): Member[] {
    const { member, view } = this.#options
    return member.members
      .filter(({ name }) => name !== '')
      .map(({ id, name, learner }) => ({
        host: name,
        memberId: id,
        state: this.#memberState(name),
        raftLeader: view.status?.leaderId === id,
        learner,
        ...(view.status?.memberId === id && { version: view.status.version }),
      }))
  }

  hosts(): Host[] {
    return [...this.#options.view.hosts.values()].map(publicHost)
  }

  /** Everything but the paths. */
  publish(): void {
    const { log } = this.#options
    log.put({ kind: 'cluster', id: 'cluster', doc: this.cluster() })
    const members = this.members()
    const hosts = this.hosts()
    for (const doc of members) log.put({ kind: 'member', id: doc.host, doc })
    for (const doc of hosts) log.put({ kind: 'host', id: doc.name, doc })
    for (const { id } of log.list('member')) if (!members.some((doc) => doc.host === id)) log.del('member', id)
    for (const { id } of log.list('host')) if (!hosts.some((doc) => doc.name === id)) log.del('host', id)
  }

  /** All paths, with their counters as they are now. */
  publishPaths(): void {
    const { log, config, heartbeats, env } = this.#options
    const ids = new Set<string>()
    for (const { peer, plane, state } of heartbeats.watcher.list()) {
      const id = `${config.host}/${peer}/${plane}`
      ids.add(id)
      if (this.#since.get(id)?.state !== state) this.#since.set(id, { state, atMs: Math.trunc(env.wallMs()) })
      const offsetMs = heartbeats.clockOffsetMs(peer)
      log.put({
        kind: 'path',
        id,
        doc: {
          from: config.host,
          to: peer,
          plane,
          state,
          sinceMs: this.#since.get(id)!.atMs,
          ...heartbeats.receiver.counters(peer, plane),
          // Tenths of a second are as much as one-way delays allow, and keep a healthy document still.
          ...(offsetMs !== null && { clockOffsetMs: Math.round(offsetMs / 100) * 100 || 0 }),
        },
      })
    }
    for (const { id } of log.list('path')) {
      if (ids.has(id)) continue
      log.del('path', id)
      this.#since.delete(id)
    }
  }

  #memberState(host: string): LiveState {
    const { config, member, heartbeats } = this.#options
    if (host === config.host) return member.well ? 'up' : 'down'
    if (!heartbeats.watches(host)) return 'unknown'
    if (!heartbeats.heard(host)) return 'down'
    return heartbeats.flagsOf(host) & heartbeatFlags.memberWell ? 'up' : 'down'
  }
}

/** What of a host's document is everybody's business. */
function publicHost({ name, addresses, role, joinedAtMs, leaving, apiPort }: HostDoc): Host {
  return { name, addresses, role, joinedAtMs, apiPort, ...(leaving && { leaving }) }
}
