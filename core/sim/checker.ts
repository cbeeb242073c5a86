import type { Term } from '../cluster/leadership.ts'
import type { SimCluster } from './cluster.ts'

/** Within this time of a majority being well again and staying so, somebody of it holds the address. */
export const regainedWithinMs = 6000

/** What must hold at every instant, whatever fails. Collects what did not. */
export class ClusterChecker {
  readonly violations: string[] = []
  /** Leaderships begun. */
  terms = 0
  #highestEpoch = 0
  readonly #cluster: SimCluster
  #wellSinceMs: number | null = null
  #wellHosts = ''
  /** Longest time that a well majority was without the address. */
  longestVacancyMs = 0

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
  }

  leadingChanged(host: string, leading: boolean, term: Term): void {
    if (leading) {
      this.terms++
      if (term.epoch <= this.#highestEpoch) this.#violated(`${host} leads in epoch ${term.epoch}, but ${this.#highestEpoch} has begun already`)
      this.#highestEpoch = Math.max(this.#highestEpoch, term.epoch)
    }
    this.check()
  }

  check(): void {
    const hosts = [...this.#cluster.hosts.values()]
    const holders = hosts.filter((host) => host.holdsAddress).map((host) => host.name)
    if (holders.length > 1) this.#violated(`${holders.join(' and ')} hold the cluster address at the same time`)
    const leaders = hosts.filter((host) => host.leads).map((host) => host.name)
    if (leaders.length > 1) this.#violated(`${leaders.join(' and ')} lead at the same time`)
    this.#checkRegained(holders)
  }

  #checkRegained(holders: readonly string[]): void {
    const { world, hosts, network } = this.#cluster
    const well = [...hosts.values()].filter((host) => host.running && this.#cluster.store.runs(host.name)).map((host) => host.name)
    const first = well.find((host) => well.filter((other) => network.reaches(host, other, 'mgmt')).length * 2 > hosts.size)
    const majority = first === undefined ? [] : well.filter((host) => network.reaches(first, host, 'mgmt'))
    const key = majority.join()
    if (majority.length === 0 || key !== this.#wellHosts || holders.some((holder) => majority.includes(holder))) {
      this.#wellHosts = key
      this.#wellSinceMs = majority.length === 0 ? null : world.nowMs
      return
    }
    if (this.#wellSinceMs === null) return
    const vacantMs = world.nowMs - this.#wellSinceMs
    this.longestVacancyMs = Math.max(this.longestVacancyMs, vacantMs)
    if (vacantMs > regainedWithinMs) {
      this.#violated(`${key} are well for ${Math.round(vacantMs)} ms, but none of them holds the address`)
      this.#wellSinceMs = world.nowMs
    }
  }

  #violated(what: string): void {
    this.violations.push(`${(this.#cluster.world.nowMs / 1000).toFixed(3)} ${what}`)
    this.#cluster.note(`VIOLATED: ${what}`)
  }
}
