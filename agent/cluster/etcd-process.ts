import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../core/errors.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { endProcess, identifyProcess, isAlive, readPidFile, removePidFile, writePidFile, type ProcessId } from '../runtime/process.ts'

/** Debian's etcd-server 3.4 puts it here. */
export const etcdProgram = '/usr/bin/etcd'
const maxLogBytes = 8 * 1024 * 1024

/** How a member without data begins. */
export interface EtcdBirth {
  state: 'new' | 'existing'
  /** `name=https://ip:2380` of every member, itself included. */
  initialCluster: readonly string[]
}

/**
 * The etcd member of this host: a process of its own session that outlives the module and is adopted by the next one
 * through `/run/holdfast/etcd.pid`.
 */
export class EtcdProcess {
  readonly #paths: AgentPaths
  readonly #config: AgentConfig
  readonly #logger: Logger
  readonly #revocationList: string
  readonly dataDirectory: string
  #id: ProcessId | null

  /** `revocationList`: file with the certificates that etcd refuses; it must exist before `start`. */
  constructor(paths: AgentPaths, config: AgentConfig, logger: Logger, revocationList: string) {
    this.#revocationList = revocationList
    this.#paths = paths
    this.#config = config
    this.#logger = logger
    this.dataDirectory = join(paths.state, 'etcd')
    this.#id = null
  }

  /** Takes over the process that an earlier module started, if it runs. */
  adopt(): void {
    this.#id = readPidFile(this.#pidFile)
  }

  get running(): boolean {
    return this.#id !== null && isAlive(this.#id)
  }

  get hasData(): boolean {
    return existsSync(join(this.dataDirectory, 'member'))
  }

  /** Starts it with the data that lies there, or as `birth` says. Throws `system-unsupported` when there is no etcd. */
  start(birth: EtcdBirth, clusterId: string): void {
    if (this.running) return
    if (!existsSync(etcdProgram))
      throw new HoldfastError('system-unsupported', `${etcdProgram} is missing on ${this.#config.host}`, 'Install the package etcd-server.')
    mkdirSync(this.dataDirectory, { recursive: true, mode: 0o700 })
    mkdirSync(this.#paths.log, { recursive: true, mode: 0o750 })
    this.trimLog()
    const log = openSync(this.#logFile, 'a', 0o640)
    try {
      const child = spawn(etcdProgram, this.#arguments(birth, clusterId), {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
        // No ETCD_… of whoever started us may change what is given here.
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', GOMAXPROCS: '2' },
      })
      child.once('error', (cause) => this.#logger.error('etcd could not be started', { cause }))
      child.once('exit', (code, signal) => this.#logger.warn('etcd ended', { code, signal }))
      child.unref()
      this.#id = child.pid === undefined ? null : identifyProcess(child.pid)
      if (this.#id) writePidFile(this.#pidFile, this.#id)
    } finally {
      closeSync(log)
    }
  }

  async stop(): Promise<void> {
    if (this.#id) await endProcess(this.#id, 3000)
    this.#id = null
    removePidFile(this.#pidFile)
  }

  /** Removes the member's data. Only when it is stopped and the cluster no longer counts on it. */
  wipe(): void {
    rmSync(this.dataDirectory, { recursive: true, force: true })
  }

  /** Keeps the log from filling the disk; etcd appends, so cutting it under its hands is safe. */
  trimLog(): void {
    if ((statSync(this.#logFile, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes) truncateSync(this.#logFile, 0)
  }

  get #pidFile(): string {
    return join(this.#paths.run, 'etcd.pid')
  }

  get #logFile(): string {
    return join(this.#paths.log, 'etcd.log')
  }

  /** etcd's command line. Pre-vote keeps a member that was cut off from disturbing the others when it comes back. */
  #arguments(birth: EtcdBirth, clusterId: string): string[] {
    const config = this.#config
    const { mgmt } = config.addresses
    const pki = (name: string) => join(this.#paths.pki, name)
    const options: Record<string, string> = {
      'name': config.host,
      'data-dir': this.dataDirectory,
      'listen-peer-urls': `https://${mgmt}:${config.storePeerPort}`,
      'initial-advertise-peer-urls': `https://${mgmt}:${config.storePeerPort}`,
      'listen-client-urls': `https://127.0.0.1:${config.storeClientPort},https://${mgmt}:${config.storeClientPort}`,
      'advertise-client-urls': `https://${mgmt}:${config.storeClientPort}`,
      'initial-cluster': birth.initialCluster.join(','),
      'initial-cluster-state': birth.state,
      'initial-cluster-token': clusterId,
      'heartbeat-interval': '50',
      'election-timeout': '500',
      'pre-vote': 'true',
      'quota-backend-bytes': String(256 * 1024 * 1024),
      // Renewals of leadership write four revisions a second, of which nobody wants the old ones.
      'auto-compaction-mode': 'revision',
      'auto-compaction-retention': '5000',
      // Entries kept in memory for members that lag behind; etcd's 100,000 would be most of its memory.
      'snapshot-count': '5000',
      'cert-file': pki('store.crt'),
      'key-file': pki('store.key'),
      'trusted-ca-file': pki('store-ca.crt'),
      'client-cert-auth': 'true',
      'client-crl-file': this.#revocationList,
      'peer-crl-file': this.#revocationList,
      'peer-cert-file': pki('store.crt'),
      'peer-key-file': pki('store.key'),
      'peer-trusted-ca-file': pki('store-ca.crt'),
      'peer-client-cert-auth': 'true',
      'logger': 'zap',
      'log-level': 'warn',
      'log-outputs': 'stderr',
    }
    return Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  }
}
